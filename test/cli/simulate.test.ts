import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { openQueue } from "../simulator/events/queue.ts";
import { Child } from "../support/child-process.ts";
import { runHere } from "../support/run-here.ts";

const SMALL = "docs/scenarios/small-cluster.yaml";

/** A scenario's file, until the test ends. */
async function file(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "scenario-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, "scenario.yaml");
  await writeFile(path, text);
  return path;
}

/** The processes that a process has started and that still run. */
function childrenOf(pid: number): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Below the ports that the operating system gives to other tests meanwhile. */
const FREE_PORT = 20_000 + (process.pid % 10_000);

describe("hasta-la-vista simulate", () => {
  test("prints what a shell can export, and the demo's load balancers, which carry requests", async () => {
    const child = new Child("cli", ["simulate"]);
    await child.line(/Ctrl-C/);
    const lines = child.output.trim().split("\n");
    expect(lines.slice(0, 5)).toEqual([
      expect.stringMatching(/^export AWS_ENDPOINT_URL=http:\/\/127\.0\.0\.1:\d+$/),
      "export AWS_REGION=eu-west-1",
      "export AWS_DEFAULT_REGION=eu-west-1",
      "export AWS_ACCESS_KEY_ID=simulated",
      "export AWS_SECRET_ACCESS_KEY=simulated",
    ]);
    expect(lines.slice(5).every((line) => line.startsWith("# "))).toBe(true);
    const url = /application load balancer shop, port 80: (\S+)/.exec(child.output)?.[1] ?? "";
    expect((await fetch(url)).headers.get("x-served-by")).toMatch(/^i-0de3000000000000[1-6]$/);
    expect(child.output).toContain("# network load balancer ingest, port 80: http://127.0.0.1:");
    expect(child.output).toContain("# classic load balancer legacy, port 80: http://127.0.0.1:");
    expect(child.output).toContain("# instance i-0de30000000000003 at 10.0.0.13, node-3 in the scenario");
    expect(lines.slice(-2)).toEqual([
      expect.stringMatching(/^# seed 1; control API at http:\S+\/_simulator\/, without authentication$/),
      "# Ready. Ctrl-C ends it.",
    ]);
  });

  test("prints one object with --json, with which plan finds its nodes", async () => {
    const child = new Child("cli", ["simulate", "--scenario", SMALL, "--seed", "42", "--json"]);
    const { environment, control, seed, loadBalancers, instances } = JSON.parse(await child.line(/^\{/));
    expect([control, seed]).toEqual([`${environment.AWS_ENDPOINT_URL}/_simulator/`, 42]);
    expect((await fetch(`${control}health`)).status).toBe(200);
    expect(await (await fetch(`${control}state`)).json()).toMatchObject({ seed: 42, speed: 1 });
    expect(
      loadBalancers.map(({ type, loadBalancer, port }: Record<string, unknown>) => [type, loadBalancer, port]),
    ).toEqual([
      ["application", "front", 80],
      ["network", "tcp-front", 443],
      ["classic", "legacy", 80],
    ]);
    const { code, stdout } = await runHere(["plan", instances[1].id, "--json"], environment);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ node: { id: "i-0a000000000000002" }, registrations: { length: 5 } });
  });

  test("prints where machines find their metadata and where events go, and says when a queue takes none", async () => {
    const { url } = await openQueue();
    const { port } = new URL(url);
    const missing = `http://127.0.0.1:${port}/000000000000/missing`;
    const scenario = await file(`
dataPlane: false
instances: [{ name: node }]
interruptions: [{ instances: [node], rebalanceLeadSeconds: 3600 }]
instanceMetadata: { instances: [node], httpTokens: optional }
events: [{ queue: "${missing}" }]
`);
    const child = new Child("cli", ["simulate", "--scenario", scenario]);
    await child.line(/Ctrl-C/);
    const service = /^# metadata of i-00001000000000001: (http:\S+)$/m.exec(child.output)?.[1] ?? "";
    const path = "latest/meta-data/events/recommendations/rebalance";
    expect(await (await fetch(`${service}/${path}`)).json()).toHaveProperty("noticeTime");
    expect(child.output).toContain(`# events go to ${missing}\n`);
    await expect.poll(() => child.output).toContain(`hasta-la-vista: event dropped: ${missing}: `);
    const nobody = await file(readFileSync(scenario, "utf8").replace(port, "1"));
    const deaf = new Child("cli", ["simulate", "--scenario", nobody]);
    const again = "hasta-la-vista: event not delivered, will be retried: http://127.0.0.1:1/000000000000/missing: ";
    await expect.poll(() => deaf.output).toContain(again);
    const json = new Child("cli", ["simulate", "--scenario", scenario, "--json"]);
    expect(JSON.parse(await json.line(/^\{/))).toMatchObject({
      metadata: [{ instanceId: "i-00001000000000001", url: expect.stringMatching(/^http:/) }],
      queues: [missing],
    });
  });

  test.each(["SIGINT", "SIGTERM"] as const)("ends well at %s, and its processes with it", async (signal) => {
    const child = new Child("cli", ["simulate"]);
    await child.line(/Ctrl-C/);
    const processes = childrenOf(child.pid);
    expect(processes).toHaveLength(6);
    child.signal(signal);
    const { code, stderr } = await child.finished;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(processes.filter(isRunning)).toEqual([]);
  });

  test.each(["SIGINT", "SIGTERM"] as const)("ends well at %s to its process group while it starts", async (signal) => {
    const scenario = await file("instances: [{ name: node, count: 12 }]");
    const args = ["dist/cli.js", "simulate", "--scenario", scenario];
    const child = spawn(process.execPath, args, { detached: true, stdio: ["ignore", "pipe", "pipe"] });
    const { pid = 0 } = child;
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk) => {
        output += chunk;
      });
    const ended = once(child, "close");
    const isStarting = () => childrenOf(pid).length > 0 || output !== "";
    await expect.poll(isStarting, { interval: 5 }).toBe(true);
    const processes = childrenOf(pid);
    process.kill(-pid, signal);
    expect(await ended).toEqual([0, null]);
    expect(output).toBe("");
    expect(processes.filter(isRunning)).toEqual([]);
  });

  test("says so when the process of a machine ends by itself", async () => {
    const child = new Child("cli", ["simulate"]);
    await child.line(/Ctrl-C/);
    const [program = 0] = childrenOf(child.pid);
    process.kill(program, "SIGKILL");
    await expect.poll(() => child.output).toContain("has ended unexpectedly");
    child.signal("SIGTERM");
    const { code, stderr } = await child.finished;
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^hasta-la-vista: the process of i-0de3000000000000[1-6] has ended unexpectedly: the machine refuses connections until POST \/_simulator\/recoveries starts another\n$/,
    );
  });

  test("runs as fast as it is told to", async () => {
    const scenario = await file("instances: [{ name: node }]\ntiming: { shuttingDownMs: 3600000 }\ndataPlane: false");
    const child = new Child("cli", ["simulate", "--scenario", scenario, "--speed", "1000", "--json"]);
    const { environment } = JSON.parse(await child.line(/^\{/));
    const launched = async () => {
      const body = "Version=2016-11-15&Action=DescribeInstances";
      const text = await (await fetch(environment.AWS_ENDPOINT_URL, { method: "POST", body })).text();
      return { text, date: Date.parse(/<launchTime>([^<]+)/.exec(text)?.[1] ?? "") };
    };
    expect((await launched()).date).toBeGreaterThan(0);
    const terminate = "Version=2016-11-15&Action=TerminateInstances&InstanceId.1=i-00001000000000001";
    await fetch(environment.AWS_ENDPOINT_URL, { method: "POST", body: terminate });
    // An hour passes in 3.6 seconds.
    await expect.poll(async () => (await launched()).text, { interval: 200 }).toContain("<name>terminated</name>");
  });

  test("stands still from the start with --speed 0", async () => {
    const scenario = await file("dataPlane: false");
    const child = new Child("cli", ["simulate", "--scenario", scenario, "--speed", "0", "--json"]);
    const { control } = JSON.parse(await child.line(/^\{/));
    const state = async () => (await fetch(`${control}state`)).json();
    const { now, speed } = (await state()) as { readonly now: string; readonly speed: number };
    expect(speed).toBe(0);
    expect(await state()).toMatchObject({ now });
  });

  test("refuses one port for both of its ports, and its own port for a queue", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as { port: number };
    await new Promise((resolve) => taken.close(resolve));
    const both = await runHere(["simulate", "--port", String(port), "--first-port", String(port)]);
    expect(both).toMatchObject({
      code: 2,
      stderr: `hasta-la-vista: --first-port and --port are both ${port}: give different ones\n`,
    });
    const queue = `http://localhost:${port}/000000000000/departures`;
    const scenario = await file(`dataPlane: false\nevents: [{ queue: "${queue}" }]`);
    const misled = await runHere(["simulate", "--scenario", scenario, "--port", String(port)]);
    expect(misled).toMatchObject({
      code: 2,
      stderr: `hasta-la-vista: ${scenario}: events[0].queue: '${queue}' is the region's own port ${port}, which has no SQS: run SQS on another port\n`,
    });
  });

  test("listens on the port it is told to, and says so when that is taken", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void taken.close());
    const { port } = taken.address() as { port: number };
    const { code, stderr } = await runHere(["simulate", "--port", String(port)]);
    expect(stderr).toBe(`hasta-la-vista: port ${port} is already in use: give another --port, or 0 for a free port\n`);
    expect(code).toBe(2);
    const scenario = await file("instances: [{ name: node }]\ndataPlane: false");
    const child = new Child("cli", ["simulate", "--scenario", scenario, "--port", String(FREE_PORT)]);
    expect(await child.line(/ENDPOINT/)).toBe(`export AWS_ENDPOINT_URL=http://127.0.0.1:${FREE_PORT}`);
  });
});

describe("hasta-la-vista simulate --first-port", () => {
  test("gives listeners the ports from there on, and says so when one is taken", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void taken.close());
    const { port } = taken.address() as { port: number };
    const scenario = await file(`
targetGroups: [{ name: web, protocol: HTTP, port: 80 }]
loadBalancers:
  - { name: front, type: application, listeners: [{ protocol: HTTP, port: 80, action: { forward: [{ group: web }] } }] }
`);
    const { code, stderr } = await runHere(["simulate", "--scenario", scenario, "--first-port", String(port)]);
    expect(stderr).toBe(
      `hasta-la-vista: port ${port} is already in use: give another --first-port, or 0 for a free port\n`,
    );
    expect(code).toBe(2);
    const free = FREE_PORT + 1;
    const child = new Child("cli", ["simulate", "--scenario", scenario, "--first-port", String(free), "--json"]);
    const { loadBalancers } = JSON.parse(await child.line(/^\{/));
    expect(loadBalancers.map(({ url }: { readonly url: string }) => url)).toEqual([`http://127.0.0.1:${free}`]);
  });
});

describe("hasta-la-vista simulate --host", () => {
  test("moves the endpoint and the load balancers to another address, and leaves the instances where they were", async () => {
    const child = new Child("cli", ["simulate", "--host", "127.0.0.2", "--json"]);
    const { environment, loadBalancers } = JSON.parse(await child.line(/^\{/));
    const urls = [environment.AWS_ENDPOINT_URL, ...loadBalancers.map(({ url }: { readonly url: string }) => url)];
    expect(urls.map((url) => new URL(url).hostname)).toEqual(Array(4).fill("127.0.0.2"));
    expect((await fetch(loadBalancers[0].url)).headers.get("x-served-by")).toMatch(/^i-0de3/);
    const [, port = ""] = /:(\d+)$/.exec(environment.AWS_ENDPOINT_URL) ?? [];
    // Nowhere else. On 127.0.0.1 another test's server may have the same port.
    await expect(fetch(`http://127.0.0.3:${port}`)).rejects.toThrow("fetch failed");
  });
});
