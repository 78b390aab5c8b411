// Run by `helm test` in a pod with the mounts of a caller. Prints one line a check, and exits with 1 if one has failed.
import { readFileSync } from "node:fs";
import { request as overHttp } from "node:http";
import { request as overHttps } from "node:https";

const { SERVICE_URL = "", SECRET_FILE = "", TLS_CERT_FILE, TLS_KEY_FILE } = process.env;
const secret =
  readFileSync(SECRET_FILE, "utf8")
    .split(/\r?\n/)
    .find((line) => line.trim() !== "") ?? "";
const identity =
  TLS_CERT_FILE === undefined ? {} : { cert: readFileSync(TLS_CERT_FILE), key: readFileSync(TLS_KEY_FILE ?? "") };

const ask = (path, headers) =>
  new Promise((resolve, reject) => {
    const request = SERVICE_URL.startsWith("https:") ? overHttps : overHttp;
    const sent = request(`${SERVICE_URL}${path}`, { headers, timeout: 10_000, ...identity }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (chunk) => {
        body += chunk;
      });
      answer.on("end", () => resolve({ status: answer.statusCode, body }));
    });
    sent.on("timeout", () => sent.destroy(new Error("no answer within 10 s")));
    sent.on("error", reject).end();
  });

const CHECKS = [
  ["the service is ready", "/ready", {}, 200],
  ["the service takes the secret", "/drains", { Authorization: `Bearer ${secret}` }, 200],
  ["the service refuses a caller without the secret", "/drains", {}, 401],
];
for (const [name, path, headers, expected] of CHECKS) {
  try {
    const { status, body } = await ask(path, headers);
    if (status === expected) console.log(`ok: ${name}`);
    else {
      // What /ready says names no secret.
      console.log(`failed: ${name}: GET ${path} answered ${status} ${path === "/ready" ? body : ""}`);
      process.exitCode = 1;
    }
  } catch (error) {
    console.log(`failed: ${name}: GET ${path}: ${error.message}`);
    process.exitCode = 1;
  }
}
