import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { checkAnswersFrom } from "./support/checked-fetch.ts";
import { Child } from "./support/child-process.ts";
import { sendRaw } from "./support/raw-http.ts";
import { keepSecret, takeLeaks } from "./support/secret-search.ts";
import { SECRET as APP_SECRET, ID, webApp } from "./support/web-app.ts";

// What `no-secret-leaks.ts` does at the end of every test file is done here after each leak, on purpose.

const SECRET = "a secret/that leaks";

/** Runs a line of shell that knows the secret. */
async function leakingProgram(line: string, environment: Readonly<Record<string, string>> = {}): Promise<void> {
  await new Child({ command: ["/bin/sh", "-c", line], options: {} }, [], { SECRET, ...environment }).finished;
}

async function leakingServer(headers: Readonly<Record<string, string>>, body: string): Promise<number> {
  keepSecret(SECRET);
  const server = createServer((_, answer) => answer.writeHead(200, headers).end(body));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

describe("a secret that leaks is found, and where, in", () => {
  test.each<[string, string, RegExp]>([
    ["what a program prints", 'echo "{$SECRET}"', /in stdout of /],
    ["what it says on stderr", 'echo "$SECRET" >&2', /in stderr of /],
    ["a URL", "echo a%20secret%2Fthat%20leaks", /in stdout of /],
    ["base64", 'printf %s "$SECRET" | base64', /in stdout of /],
    ["the AWS secret too", 'echo "$AWS_SECRET_ACCESS_KEY"', /in stdout of /],
  ])("%s", async (_, line, where) => {
    await leakingProgram(line, { PATH: process.env["PATH"] ?? "" });
    const leaks = takeLeaks();
    expect(leaks).toEqual([expect.stringMatching(where)]);
    expect(leaks.join()).not.toContain(SECRET);
  });

  test("a file that a program writes", async () => {
    const folder = await mkdtemp(join(tmpdir(), "state-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    await leakingProgram('mkdir "$FOLDER/deep" && echo "$SECRET" >"$FOLDER/deep/file"', {
      PATH: process.env["PATH"] ?? "",
      FOLDER: folder,
    });
    expect(takeLeaks()).toEqual([expect.stringContaining("deep/file of ")]);
  });

  test.each<[string, Readonly<Record<string, string>>, string]>([
    ["an answer's body", { "content-type": "application/json" }, `{"status":"${SECRET}"}`],
    ["an answer's header", { "content-type": "text/plain", location: `/?pw=${encodeURIComponent(SECRET)}` }, "x"],
  ])("%s", async (_, headers, body) => {
    const port = await leakingServer(headers, body);
    const url = `http://127.0.0.1:${port}`;
    checkAnswersFrom(url);
    await fetch(`${url}/health`).catch(() => {});
    expect(takeLeaks()).toEqual([expect.stringContaining("in the answer to GET")]);
  });

  test("an answer to raw bytes", async () => {
    const port = await leakingServer({}, SECRET);
    await (await sendRaw(port, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")).closed;
    expect(takeLeaks()).toEqual([expect.stringContaining("in an answer to raw bytes")]);
  });

  test("an answer of the API in this process", async () => {
    const { post } = webApp({ outcome: { status: "instance-gone", message: `it has ${APP_SECRET}` } });
    await post(`/drain?id=${ID}&pw=${encodeURIComponent(APP_SECRET)}`);
    expect(takeLeaks()).toEqual([expect.stringContaining("in the answer to POST")]);
  });
});

test("what leaks nothing is let through, and a secret that can't be told from other text is not taken", async () => {
  await leakingProgram("echo nothing");
  expect(takeLeaks()).toEqual([]);
  expect(() => keepSecret("s")).toThrow("can't be told from other text");
});
