import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { MetadataListeners } from "../../src/simulator/metadata/metadata-listeners.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { account, ID } from "../support/account.ts";
import { Child, startService } from "../support/child-process.ts";
import type { Environment, Running } from "../support/program-run.ts";
import { startHere } from "../support/run-here.ts";
import { RANDOM_SECRET } from "../support/secret-search.ts";

const SECRET = RANDOM_SECRET;
/** Nothing listens there. */
const NOWHERE = "http://127.0.0.1:1";

/** A region with a node, and that node's own metadata service. */
async function scene() {
  const { world, env } = await account();
  const instance = world.instances.get(ID) as Instance;
  const listeners = new MetadataListeners(world);
  onTestFinished(() => listeners.close());
  const metadata = {
    AWS_EC2_METADATA_SERVICE_ENDPOINT: await listeners.open(instance),
    METADATA_INTERVAL: "1",
    METRICS_PORT: "0",
    AWS_REGION: undefined,
  };
  return { world, env, instance, metadata };
}

/** Where an agent serves its metrics, and what it says of one series. NaN: nothing. */
async function metricsOf(agent: Running) {
  const { port } = JSON.parse(await agent.line(/"metrics listening"/));
  const url = `http://127.0.0.1:${port}`;
  const value = async (series: string) => {
    const text = await (await fetch(`${url}/metrics`)).text();
    const line = text.split("\n").find((each) => each.startsWith(`hasta_la_vista_agent_${series} `));
    return Number(line?.split(" ").at(-1) ?? Number.NaN);
  };
  return { url, value };
}

const watch = (environment: Environment, args: readonly string[] = []) => startHere(["watch", ...args], environment);

describe("the metrics of watch, with METRICS_PORT,", () => {
  test("count notices, drains and calls of the built agent, until it has stopped", async () => {
    const { world, env, instance, metadata } = await scene();
    const agent = new Child("service", ["watch"], { ...metadata, ...env });
    const { url, value } = await metricsOf(agent);
    await agent.line(/"watch started"/);
    await expect.poll(() => value("metadata_up")).toBe(1);
    expect(await value("metadata_last_read_timestamp_seconds")).toBeGreaterThan(0);
    expect(await value('drains_total{result="failed"}')).toBe(0);

    world.interruptions.interrupt(instance);
    await agent.line(/"drain started"/);
    expect(await value("drains_running")).toBe(1);
    await agent.line(/"drain completed"/);
    await expect.poll(() => value("drains_running")).toBe(0);
    expect(await value('notices_total{kind="spot-interruption",result="received"}')).toBe(1);
    expect(await value('drains_total{result="drained"}')).toBe(1);
    const calls = 'aws_calls_total{action="elasticloadbalancing:DeregisterTargets",result="ok"}';
    expect(await value(calls)).toBeGreaterThan(0);

    agent.signal("SIGTERM");
    expect((await agent.finished).code).toBe(0);
    await expect(fetch(`${url}/metrics`)).rejects.toThrow();
  });

  test("tell of a drain that a service carries out, and /health that the agent runs", async () => {
    const { world, env, instance, metadata } = await scene();
    const { url: service } = await startService({ ...env, SECRET });
    const agent = watch({ ...metadata, SECRET }, ["--server", service]);
    const { url, value } = await metricsOf(agent);
    expect(await (await fetch(`${url}/health`)).json()).toEqual({ status: "ok" });
    await agent.line(/"service check passed"/);
    world.interruptions.interrupt(instance);
    await agent.line(/"remote drain completed"/);
    await expect.poll(() => value('drains_total{result="drained"}')).toBe(1);
    expect(await value("drains_running")).toBe(0);
  });

  test("count a drain that failed and is tried again", async () => {
    const { world, instance, metadata } = await scene();
    const agent = watch({ ...metadata, SECRET }, ["--server", NOWHERE]);
    const { value } = await metricsOf(agent);
    await agent.line(/"service check failed"/);
    world.interruptions.interrupt(instance);
    await agent.line(/"remote drain failed"/);
    await expect.poll(() => value('drains_total{result="failed"}')).toBe(1);
  });

  test("show that instance metadata can't be read, and never was", async () => {
    const { metadata } = await scene();
    const agent = watch({ ...metadata, SECRET, AWS_EC2_METADATA_SERVICE_ENDPOINT: NOWHERE }, ["--server", NOWHERE]);
    const { value } = await metricsOf(agent);
    await agent.line(/"metadata read failed"/);
    expect(await value("metadata_up")).toBe(0);
    expect(await value("metadata_last_read_timestamp_seconds")).toBeNaN();
  });

  test("are on no other path, and take no other method", async () => {
    const { env, metadata } = await scene();
    const { url } = await metricsOf(watch({ ...metadata, ...env }));
    const drain = await fetch(`${url}/drain`, { method: "POST" });
    expect([drain.status, await drain.json()]).toMatchObject([
      404,
      { detail: "no such path: this port has /health and /metrics only" },
    ]);
    const post = await fetch(`${url}/metrics`, { method: "POST" });
    expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });

  test("are refused with code 2 on a port that another program has, by the name of the option", async () => {
    const { env, metadata } = await scene();
    const other = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void other.close());
    await new Promise((resolve) => other.once("listening", resolve));
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await watch({ ...metadata, ...env, METRICS_PORT: `${port}` }).finished;
    expect(code).toBe(2);
    expect(stderr).toContain(`METRICS_PORT is ${port}, which is already in use on 127.0.0.1: set another port`);
  });

  test("are not there without it", async () => {
    const { env, metadata } = await scene();
    const agent = watch({ ...metadata, ...env, METRICS_PORT: undefined });
    await agent.line(/"watch started"/);
    expect(agent.output).not.toMatch(/metrics listening/);
  });
});
