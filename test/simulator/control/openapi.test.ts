import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { OPERATIONS } from "../../../src/simulator/control/operations.ts";
import { Controlled } from "./controlled.ts";

const REDOCLY = "node_modules/@redocly/cli/bin/cli.js";

async function described() {
  const control = await Controlled.open("dataPlane: false");
  return (await control.call("GET", "openapi.json")).body;
}

test("the API's own description has every operation, with what it takes and answers", async () => {
  const { paths } = await described();
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods as object).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(operations.sort()).toEqual(OPERATIONS.map(({ method, path }) => `${method} /_simulator/${path}`).sort());
  const { requestBody, responses } = paths["/_simulator/interruptions"].post;
  expect(requestBody.content["application/json"].schema.properties.afterSeconds.description).toContain(
    "from the request to the control API",
  );
  expect(responses).toHaveProperty("503");
  expect(paths["/_simulator/health"].get.responses["503"].headers).toHaveProperty("Retry-After");
  expect(requestBody.content["application/json"].schema.properties.action.enum).toContain("hibernate");
  expect(responses["200"].content["application/json"].schema.properties).toHaveProperty("instances");
});

test("the API's own description passes the linter", async () => {
  const folder = await mkdtemp(join(tmpdir(), "openapi-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "openapi.json");
  await writeFile(file, JSON.stringify(await described()));
  const env = { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };
  const args = [REDOCLY, "lint", file, "--config", "lint/redocly.yaml", "--max-problems", "10"];
  const said = await new Promise<string>((resolve) => {
    execFile(process.execPath, args, { env }, (error, stdout, stderr) =>
      resolve(`${error?.code ?? 0} ${stdout}${stderr}`),
    );
  });
  expect(said).toMatch(/^0 /);
  expect(said).not.toMatch(/You have \d+ warning/);
});
