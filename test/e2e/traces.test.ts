import { describe, expect, onTestFinished, test } from "vitest";
import { MetadataListeners } from "../../src/simulator/metadata/metadata-listeners.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { account, ID, OTHER_ID } from "../support/account.ts";
import { Child, startService } from "../support/child-process.ts";
import { Collector } from "../support/collector.ts";
import { RANDOM_SECRET } from "../support/secret-search.ts";

const SECRET = RANDOM_SECRET;
const TOKEN = "a-token-of-the-collector";

/** A service that sends its spans as soon as there are some. */
async function scene(collector = new Collector()) {
  const url = await collector.listen();
  const { env, world } = await account();
  const service = await startService({
    ...env,
    SECRET,
    MIN_HEALTHY: "0",
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer ${TOKEN}`,
    OTEL_BSP_SCHEDULE_DELAY: "50",
  });
  const drain = async (id: string) => {
    const headers = { authorization: `Bearer ${SECRET}` };
    return (await fetch(`${service.url}/drain`, { method: "POST", headers, body: JSON.stringify({ id }) })).status;
  };
  return { collector, world, drain, ...service };
}

describe("a collector of traces", () => {
  test("that fails delays no drain, is told of once, and gets the next spans with its headers", async () => {
    const { collector, drain, child } = await scene();
    collector.status = 500;
    expect(await drain(ID)).toBe(200);
    const failed = JSON.parse(await child.line(/"trace export failed"/));
    expect(failed).toMatchObject({ level: "warn", error: "the collector answered 500", lost: expect.any(Number) });
    collector.status = 200;
    expect(await drain(OTHER_ID)).toBe(200);
    expect(JSON.parse(await child.line(/"trace export recovered"/)).lost).toBeGreaterThanOrEqual(failed.lost);
    child.signal("SIGTERM");
    const { code, stdout, stderr } = await child.finished;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.match(/"trace export failed"/g)).toHaveLength(1);
    expect(stdout).not.toContain(TOKEN);
    expect(new Set(collector.received.map(({ path }) => path))).toEqual(new Set(["/v1/traces"]));
    expect(collector.received.every(({ headers }) => headers.authorization === `Bearer ${TOKEN}`)).toBe(true);
  });

  test("that never answers delays neither a drain nor the end of the service", async () => {
    const { collector, drain, child } = await scene();
    collector.status = "hangs";
    expect(await drain(ID)).toBe(200);
    child.signal("SIGTERM");
    const { code, stdout } = await child.finished;
    expect(code).toBe(0);
    expect(stdout).toContain('"stopped"');
    expect(collector.received.length).toBeGreaterThan(0);
  });
});

test("a service without a collector loads nothing for traces", async () => {
  const { env } = await account();
  const { child, url } = await startService({ ...env, SECRET, NODE_DEBUG: "esm" });
  const headers = { authorization: `Bearer ${SECRET}` };
  await (await fetch(`${url}/drain`, { method: "POST", headers, body: JSON.stringify({ id: ID }) })).text();
  child.signal("SIGTERM");
  const { stderr, stdout } = await child.finished;
  expect(stderr).toContain("dist/service/");
  expect(stderr).not.toContain("dist/service/tracing");
  expect(stdout).not.toContain("trace_id");
});

test("the agent on a node traces the drain of its node", async () => {
  const collector = new Collector();
  const url = await collector.listen();
  const { world, env } = await account();
  const listeners = new MetadataListeners(world);
  onTestFinished(() => listeners.close());
  const instance = world.instances.get(ID) as Instance;
  const child = new Child("service", ["watch"], {
    ...env,
    AWS_EC2_METADATA_SERVICE_ENDPOINT: await listeners.open(instance),
    METADATA_INTERVAL: "1",
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
  });
  await child.line(/"watch started"/);
  world.interruptions.interrupt(instance);
  const { trace_id } = JSON.parse(await child.line(/"drain completed"/));
  child.signal("SIGTERM");
  expect((await child.finished).code).toBe(0);
  const sent = collector.received.map(({ body }) => body).join("");
  expect(Buffer.from(sent, "latin1").toString("hex")).toContain(trace_id);
  for (const text of ["spot-interruption", "registration", "Elastic Load Balancing.DeregisterTargets"])
    expect(sent).toContain(text);
});
