import { readFileSync, statSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { account, ID } from "../support/account.ts";
import { Child } from "../support/child-process.ts";
import { Collector } from "../support/collector.ts";

const BYTES_MAX = 560_000;
/** What Lambda does: it loads the module, takes the handler by its name, and waits for what it answers. */
const INVOKE = `
  const handlers = await import(process.cwd() + "/dist/lambda.mjs");
  const end = Date.now() + 60_000;
  const context = { getRemainingTimeInMillis: () => end - Date.now() };
  const answer = await handlers[process.env.HANDLER](JSON.parse(process.env.EVENT), context);
  process.stdout.write(JSON.stringify({ answer: answer ?? null }) + "\\n");
`;

function invoke(handler: "sqs" | "eventbridge", event: unknown, env: Readonly<Record<string, string>>) {
  const command = [process.execPath, "--input-type=module", "--eval", INVOKE];
  const environment = { ...env, HANDLER: handler, EVENT: JSON.stringify(event), MIN_HEALTHY: "0" };
  return new Child({ command, options: {} }, [], environment).finished;
}

const spotInterruption = (region: string) => ({
  version: "0",
  id: "7bf73129-1428-4cd3-a780-95db273d1602",
  "detail-type": "EC2 Spot Instance Interruption Warning",
  source: "aws.ec2",
  account: "123456789012",
  time: new Date().toISOString(),
  region,
  resources: [],
  detail: { "instance-id": ID, "instance-action": "terminate" },
});

describe("the bundle for Lambda", () => {
  test(`is smaller than ${BYTES_MAX / 1_000} KB`, () => {
    expect(statSync("dist/lambda.mjs").size).toBeLessThan(BYTES_MAX);
  });

  test("carries nothing that an invocation does not need", () => {
    const { outputs } = JSON.parse(readFileSync("dist/meta.json", "utf8")) as {
      readonly outputs: Readonly<Record<string, { readonly inputs: Readonly<Record<string, unknown>> }>>;
    };
    const inputs = Object.keys(outputs["dist/lambda.mjs"]?.inputs ?? {});
    expect(inputs.length).toBeGreaterThan(100);
    const spare =
      /node_modules\/(pino|zod|hono|@hono|@opentelemetry|prom-client|commander|listr2|yaml)\/|src\/(web|cli|simulator|demo|ledger)\//;
    expect(inputs.filter((input) => spare.test(input))).toEqual([]);
  });

  test("drains a node that an event of a rule names, as the program that it was made from does", async () => {
    const { env, world } = await account();
    const { code, stdout, stderr } = await invoke("eventbridge", spotInterruption(world.region), env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.at(-1)).toEqual({ answer: null });
    expect(lines.filter(({ msg }) => msg === "target released")).toHaveLength(3);
    for (const group of world.targetGroups.values())
      expect(group.listed(world.clock.now()).filter(({ id, deregisteredAt }) => id === ID && !deregisteredAt)).toEqual(
        [],
      );
  });

  test("has sent its trace before it answers, with the file beside it", async () => {
    const collector = new Collector();
    const url = await collector.listen();
    const { env, world } = await account();
    const traced = { ...env, OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_SERVICE_NAME: "the-function" };
    const { stdout } = await invoke("eventbridge", spotInterruption(world.region), traced);
    const sent = collector.received.map(({ body }) => body).join("");
    for (const text of ["the-function", "spot-interruption", "faas.trigger"]) expect(sent).toContain(text);
    const [drained] = stdout.split("\n").filter((line) => line.includes('"drain completed"'));
    const { trace_id } = JSON.parse(drained ?? "");
    expect(Buffer.from(sent, "latin1").toString("hex")).toContain(trace_id);
  });

  test("does not load the file for traces where there are none", async () => {
    const { env, world } = await account();
    const { stderr } = await invoke("eventbridge", spotInterruption(world.region), { ...env, NODE_DEBUG: "esm" });
    expect(stderr).toContain("dist/lambda.mjs");
    expect(stderr).not.toContain("lambda-tracing");
  });

  test("answers a batch of messages", async () => {
    const { env, world } = await account();
    const now = String(Date.now());
    const record = {
      messageId: "m-1",
      receiptHandle: "handle",
      body: JSON.stringify(spotInterruption(world.region)),
      eventSourceARN: "arn:aws:sqs:eu-west-1:123456789012:departures",
      attributes: { ApproximateReceiveCount: "1", SentTimestamp: now, ApproximateFirstReceiveTimestamp: now },
    };
    const { code, stdout } = await invoke("sqs", { Records: [record] }, env);
    expect(code).toBe(0);
    expect(JSON.parse(stdout.trim().split("\n").at(-1) ?? "")).toEqual({ answer: { batchItemFailures: [] } });
  });

  test("says what is wrong with its configuration at each invocation", async () => {
    const { env, world } = await account();
    const { code, stderr } = await invoke("eventbridge", spotInterruption(world.region), { ...env, TIMEOUT: "soon" });
    expect(code).toBe(1);
    expect(stderr).toContain("TIMEOUT is 'soon'");
  });
});
