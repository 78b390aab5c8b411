import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { LedgerEntry } from "../../src/drain/ledger.ts";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import { World } from "../../src/simulator/world/world.ts";
import { startService } from "../support/child-process.ts";
import { EntriesOf, registered, stateDir } from "../support/ledger-entries.ts";
import { restrictChildren } from "../support/printed-policy.ts";
import { realQueue } from "../support/real-queue.ts";
import { runHere, serveHere } from "../support/run-here.ts";
import { RANDOM_SECRET } from "../support/secret-search.ts";
import { VPC } from "../support/simulated-region.ts";

const SECRET = RANDOM_SECRET;
const bearer = { authorization: `Bearer ${SECRET}` };
const SERVE = { CLOUDPROVIDER: "aws", HOST: "127.0.0.1", PORT: "0", SECRET, MIN_HEALTHY: "0" };
const HOLD_SECONDS = 4;

/** A node behind an NLB that holds it for a few seconds, and what a service needs to drain it. */
async function scene(more: Readonly<Record<string, string>> = {}) {
  const world = new World({ clock: new ScaledClock(1) });
  const id = "i-00000000000000001";
  world.addInstance({ id, vpcId: VPC, privateIp: "10.0.0.1", tags: { "kubernetes.io/cluster/demo": "owned" } });
  const group = world.addTargetGroup({ name: "tcp", vpcId: VPC, protocol: "TCP", port: 30080, targetType: "instance" });
  group.attributes.set("deregistration_delay.timeout_seconds", "1");
  const nlb = world.addLoadBalancer({ name: "nlb", type: "network", vpcId: VPC });
  world.addListener(nlb, {
    protocol: "TCP",
    port: 80,
    defaultActions: [{ type: "forward", groups: [{ arn: group.arn, weight: 1 }] }],
  });
  world.registerTarget(group, { id }, { settled: true });
  const simulator = new Simulator(world);
  restrictChildren(simulator);
  const AWS_ENDPOINT_URL = await simulator.listen();
  onTestFinished(() => simulator.close());
  const folder = await stateDir();
  const env = { ...SERVE, AWS_ENDPOINT_URL, NLB_PROPAGATION: `${HOLD_SECONDS}`, STATE_DIR: folder, ...more };
  /** What stands in the ledger's file now, as somebody sees it from outside. */
  const entries = async (): Promise<readonly LedgerEntry[]> => {
    const text = await readFile(join(folder, "drains.jsonl"), "utf8");
    return text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  };
  const until = (type: LedgerEntry["type"]) =>
    vi.waitFor(async () => expect((await entries()).map((entry) => entry.type)).toContain(type), { timeout: 60_000 });
  const begin = async (url: string) => {
    const response = await fetch(`${url}/drain?id=${id}&wait=false&reason=upgrade&pw=${encodeURIComponent(SECRET)}`, {
      method: "POST",
    });
    return { response, location: response.headers.get("location") ?? "" };
  };
  return { id, env, folder, entries, until, begin, simulator };
}

describe("with STATE_DIR", () => {
  test("a drain that was accepted outlives the service's sudden death: the next start holds to the end what was deregistered", async () => {
    const { env, entries, until, begin, folder } = await scene();
    const first = await startService(env);
    const { response, location } = await begin(first.url);
    expect(response.status).toBe(202);
    const { drainId } = (await response.json()) as { drainId: string };
    expect(location).toBe(`/drains/${drainId}`);
    expect((await entries())[0]).toMatchObject({
      ...{ drain: drainId, type: "accepted" },
      request: { reason: "upgrade", asker: { via: "http", address: "127.0.0.1" } },
    });
    await until("deregistered");
    first.child.signal("SIGKILL");
    await first.child.finished;

    const second = await startService(env);
    expect(await second.child.line(/"drain resumed"/)).toContain(drainId);
    const stream = await fetch(`${second.url}${location}/events`, { headers: { ...bearer, "last-event-id": "1" } });
    const steps = await stream.text();
    const types = [...steps.matchAll(/^event: (.*)$/gm)].map(([, type]) => type).filter((type) => type !== "planned");
    expect(types).toEqual(["found", "deregistered", "resumed", "deregistered", "released", "ended"]);
    const record = await (await fetch(`${second.url}${location}`, { headers: bearer })).json();
    expect(record).toMatchObject({
      ...{ drainId, status: "ended", missingSteps: 0, requests: [{ reason: "upgrade" }] },
      outcome: { status: "drained", registrations: [{ state: "released", newTrafficStopped: true }] },
    });
    const at = (type: LedgerEntry["type"]) => all.find((entry) => entry.type === type)?.at ?? Number.NaN;
    const all = await entries();
    expect(at("released") - at("deregistered")).toBeGreaterThanOrEqual(HOLD_SECONDS * 1_000 - 50);
    second.child.signal("SIGTERM");
    expect(await second.child.finished).toMatchObject({ code: 0, stderr: "" });
    expect(await readdir(folder)).toEqual(["drains.jsonl"]);
    const text = await readFile(join(folder, "drains.jsonl"), "utf8");
    expect(text + first.child.output + second.child.output).not.toContain(SECRET);
  });

  test.each([
    ["ahead", 3_600_000],
    ["behind", -3_600_000],
  ])("a service that starts again with its clock an hour %s holds as long as ever, and reports it", async (_, byMs) => {
    const { env, until, entries, begin } = await scene();
    const first = await startService(env);
    const { location } = await begin(first.url);
    await until("deregistered");
    first.child.signal("SIGKILL");
    await first.child.finished;

    const setClock = `const now = Date.now; Date.now = () => now() + ${byMs};`;
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(setClock)}`;
    const second = await startService({ ...env, NODE_OPTIONS });
    const seconds = byMs / 1_000;
    expect(JSON.parse(await second.child.line(/"ledger times corrected"/))).toMatchObject({ seconds, basis: "boot" });
    expect(JSON.parse(await second.child.line(/"clock skew detected"/))).toMatchObject({
      seconds: expect.closeTo(seconds, -1),
    });
    await until("ended");
    const record = await (await fetch(`${second.url}${location}`, { headers: bearer })).json();
    expect(record).toMatchObject({ outcome: { status: "drained", registrations: [{ state: "released" }] } });
    // By the machine's own count.
    const up = (entry: LedgerEntry | undefined) => entry?.clock?.up ?? Number.NaN;
    const all = await entries();
    const begun = up(all.find(({ type }) => type === "deregistered"));
    const resumed = up(all.find(({ type }) => type === "resumed"));
    const released = up(all.find(({ type }) => type === "released"));
    expect(released - begun).toBeGreaterThanOrEqual(HOLD_SECONDS * 1_000 - 50);
    expect(released - Math.max(begun + HOLD_SECONDS * 1_000, resumed)).toBeLessThan(60_000);
  });

  test("a stop leaves to the next start what it has interrupted", async () => {
    const { env, until, begin } = await scene({ NLB_PROPAGATION: "6", SHUTDOWN_GRACE: "0" });
    const first = await serveHere(env);
    const { location } = await begin(first.url);
    await until("deregistered");
    first.child.signal("SIGTERM");
    expect(await first.child.finished).toMatchObject({ code: 0 });
    await until("interrupted");
    const second = await serveHere(env);
    await until("ended");
    const record = await (await fetch(`${second.url}${location}`, { headers: bearer })).json();
    expect(record).toMatchObject({ outcome: { status: "drained" } });
  });

  test("a stop while an undo is resumed and a queue is waited for is an ordinary end, and leaves the undo to the next start", async () => {
    const { id, env, folder, entries, simulator } = await scene({ SHUTDOWN_GRACE: "0", UNDO: "true" });
    const queue = await realQueue();
    restrictChildren(simulator, { UNDO: "true", QUEUE: queue.url }, { for: "serve" });
    const drain = new EntriesOf("d-0123456789", Date.now() - 60_000, id);
    const pool = { kind: "nlb", id: "arn:gone", name: "tcp" } as const;
    const before = [
      drain.accepted(),
      drain.next({ type: "found", first: 0, registrations: [{ ...registered(`${id}:30080`), pool }], elsewhere: [] }),
      drain.deregistered(0),
      drain.next({ type: "ended", outcome: { status: "abandoned", registrations: [] } }),
      drain.next({ type: "cancelled" }),
    ];
    await writeFile(join(folder, "drains.jsonl"), before.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
    // The undo waits for AWS, and the queue's poll for messages.
    simulator.faults.add({ action: "DescribeInstances", effect: { type: "latency", ms: 60_000 } });
    const { child } = await startService({ ...env, QUEUE: queue.url });
    await child.line(/"undo started"/);
    child.signal("SIGTERM");
    const { code, stdout, stderr } = await child.finished;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain('"msg":"stopped"');
    expect((await entries()).map(({ type }) => type)).not.toContain("undone");
  });

  test("a second service on the same directory does not start", async () => {
    const { env, folder } = await scene();
    await startService(env);
    const second = await runHere([], env, { program: "service" });
    expect(second).toEqual({
      code: 2,
      stdout: "",
      stderr: `hasta-la-vista: STATE_DIR is '${folder}', which can't be used: another process uses it: give each process its own directory\n`,
    });
  });

  test("a dry run takes nothing up, and says so", async () => {
    const { env, until, begin, entries } = await scene();
    const first = await startService(env);
    await begin(first.url);
    await until("deregistered");
    first.child.signal("SIGKILL");
    await first.child.finished;
    const before = await entries();
    const second = await serveHere({ ...env, DRYRUN: "true" });
    await second.child.line(/"drain resume skipped"/);
    expect(await entries()).toEqual(before);
  });
});

test("without STATE_DIR drains are listed all the same, and forgotten with the process", async () => {
  const { env, begin } = await scene();
  const { STATE_DIR: _, ...stateless } = env;
  const first = await startService(stateless);
  const { response, location } = await begin(first.url);
  expect(response.status).toBe(202);
  expect((await fetch(`${first.url}${location}`, { headers: bearer })).status).toBe(200);
  first.child.signal("SIGKILL");
  const second = await serveHere(stateless);
  expect((await fetch(`${second.url}${location}`, { headers: bearer })).status).toBe(404);
});
