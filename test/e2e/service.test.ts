import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Destination, Traffic } from "../../src/demo/traffic.ts";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import type { Timing } from "../../src/simulator/timing.ts";
import { World } from "../../src/simulator/world/world.ts";
import { startService } from "../support/child-process.ts";
import { timesAsFast } from "../support/fast-clock.ts";
import { lostByTheProduct, type Spare } from "../support/loss-causes.ts";
import { carryInside } from "../support/machine-inside.ts";
import { restrictChildren } from "../support/printed-policy.ts";
import { runHere, serveHere } from "../support/run-here.ts";
import { RANDOM_SECRET } from "../support/secret-search.ts";
import { VPC } from "../support/simulated-region.ts";

const SECRET = RANDOM_SECRET;
const bearer = { authorization: `Bearer ${SECRET}` };

/** AWS's lags, but of a second or two: these tests run on real time. */
const TIMING: Partial<Timing> = {
  albDeregistration: [200, 1_000],
  nlbDeregistration: [1_000, 4_000],
  classicDeregistration: [200, 800],
  shuttingDownMs: 1_000,
  terminatedDropMs: 1_000,
  connectTimeoutMs: 300,
};
/** Longer than them, as the defaults are longer than AWS's lags. The NLB's decides when a drain ends, as there. */
const ALLOWANCES = { ALB_PROPAGATION: "2", NLB_PROPAGATION: "6", CLASSIC_MINIMUM: "2" };
/** What is left of each hold when the last request may come. */
const ALB_SPARE: Spare = { through: "alb", spareMs: 2_000 };
const SPARES: Readonly<Record<string, Spare>> = {
  alb: ALB_SPARE,
  "alb by rule": ALB_SPARE,
  nlb: { through: "nlb", spareMs: 2_000 },
  classic: { through: "classic", spareMs: 1_200 },
};
const HEALTH_CHECK = { intervalMs: 1_500, healthyThreshold: 2, unhealthyThreshold: 2 };

/** Four nodes behind an ALB (a default group and one reached only by a rule), an NLB and a classic load balancer. */
async function cluster() {
  const clock = new ScaledClock(1);
  const world = new World({ clock, timing: TIMING });
  const tags = { "kubernetes.io/cluster/demo": "owned" };
  const ids = [1, 2, 3, 4].map((number) => `i-${String(number).padStart(17, "0")}`);
  for (const [index, id] of ids.entries())
    world.addInstance({ id, vpcId: VPC, privateIp: `10.0.0.${index + 1}`, tags });
  const group = (name: string, protocol: string, delaySeconds: number) => {
    const added = world.addTargetGroup({
      name,
      vpcId: VPC,
      protocol,
      port: 30080,
      targetType: "instance",
      healthCheck: HEALTH_CHECK,
    });
    added.attributes.set("deregistration_delay.timeout_seconds", String(delaySeconds));
    for (const id of ids) world.registerTarget(added, { id, port: 31000 }, { settled: true });
    return { type: "forward", groups: [{ arn: added.arn, weight: 1 }] } as const;
  };
  const alb = world.addLoadBalancer({ name: "alb", type: "application", vpcId: VPC });
  const listener = world.addListener(alb, { protocol: "HTTP", port: 80, defaultActions: [group("web", "HTTP", 3)] });
  const conditions = [{ field: "path-pattern", values: ["/rule/*"] }] as const;
  world.addRule(listener, { priority: 1, conditions, actions: [group("by-rule", "HTTP", 3)] });
  const nlb = world.addLoadBalancer({ name: "nlb", type: "network", vpcId: VPC });
  world.addListener(nlb, { protocol: "TCP", port: 80, defaultActions: [group("tcp", "TCP", 1)] });
  const classic = world.addClassic({
    name: "classic",
    vpcId: VPC,
    listeners: [{ protocol: "HTTP", port: 80, instanceProtocol: "HTTP", instancePort: 31000 }],
  });
  classic.draining = { enabled: true, timeoutSeconds: 3 };
  classic.healthCheck = HEALTH_CHECK;
  for (const id of ids) classic.register(id, clock.now(), { settled: true });

  const simulator = new Simulator(world);
  restrictChildren(simulator);
  const env = { SECRET, ...ALLOWANCES, AWS_ENDPOINT_URL: await simulator.listen() };
  onTestFinished(() => simulator.close());
  return { clock, world, simulator, ids, env };
}

/** Resolves once clients have sent so many more requests. */
function untilSent(traffic: Traffic, more: number): Promise<void> {
  const enough = traffic.sent + more;
  return expect.poll(() => traffic.sent, { interval: 10 }).toBeGreaterThanOrEqual(enough);
}

describe("the built service under traffic", () => {
  test("drains a node without losing a request on any kind of load balancer, and one that is just terminated loses some on each", async () => {
    const { clock, world, ids, env } = await cluster();
    const plane = await carryInside(world);
    const destinations: Destination[] = [
      { name: "alb", url: plane.url("alb") },
      { name: "alb by rule", url: `${plane.url("alb")}/rule/x` },
      { name: "nlb", url: plane.url("nlb") },
      { name: "classic", url: plane.url("classic") },
    ];
    const startTraffic = () =>
      new Traffic({ destinations, clock, intervalMs: 20, timeoutMs: 3_000, waitingMax: 8, connectionLifetimeMs: 500 });
    const { child, url } = await startService(env);

    const duringDrain = startTraffic();
    const response = await fetch(`${url}/drain?id=${ids[0]}&pw=${encodeURIComponent(SECRET)}`, { method: "POST" });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      status: "drained",
      registrations: Array(4).fill(expect.objectContaining({ state: "released", newTrafficStopped: true })),
    });
    world.terminateInstance(world.instances.get(ids[0] ?? "") as never);
    await untilSent(duringDrain, 80);
    const drained = await duringDrain.stop();
    expect(drained.sent).toBeGreaterThan(80);
    expect(lostByTheProduct(drained.losses, SPARES)).toEqual([]);

    const duringTermination = startTraffic();
    await untilSent(duringTermination, 40);
    world.terminateInstance(world.instances.get(ids[1] ?? "") as never);
    await untilSent(duringTermination, 240);
    const terminated = await duringTermination.stop();
    expect(new Set(terminated.losses.map(({ to }) => to))).toEqual(new Set(destinations.map(({ name }) => name)));

    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain('hasta_la_vista_drains_total{outcome="drained"} 1');
    expect(metrics).toContain('hasta_la_vista_registrations_draining{kind="alb"} 0');
    expect(metrics).toContain(
      'hasta_la_vista_aws_calls_total{action="elasticloadbalancing:DeregisterTargets",result="ok"} 3',
    );

    child.signal("SIGTERM");
    const { code, stdout, stderr } = await child.finished;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(metrics).not.toContain(SECRET);
    expect(stdout).not.toContain(SECRET);
    expect(stdout).not.toContain("worthless-aws-secret-key");
    expect(stdout).not.toContain("pw=");
  });
});

describe("the service's log", () => {
  test("has a line for each step of a drain, with the drain, the node and the pool", async () => {
    const { ids, env } = await cluster();
    const { child, url } = await serveHere(env);
    const answer = await (
      await fetch(`${url}/drain`, { method: "POST", headers: bearer, body: JSON.stringify({ id: ids[0] }) })
    ).json();
    await child.line(/"msg":"request answered"/);
    const lines = child.output
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const steps = lines.filter(({ drain }) => drain === (answer as { drainId: string }).drainId);
    expect(steps.every(({ node, time }) => node === ids[0] && !Number.isNaN(Date.parse(time)))).toBe(true);
    expect(steps.map(({ msg }) => msg).filter((msg) => msg === "target released")).toHaveLength(4);
    expect(steps.find(({ msg, pool }) => msg === "target deregistered" && pool === "web")).toMatchObject({
      kind: "alb",
      loadBalancer: "alb",
      pool: "web",
      target: `${ids[0]}:31000`,
    });
    expect(steps.at(-1)).toMatchObject({ msg: "drain completed", outcome: "drained" });
  });
});

describe("a repeated or abandoned request", () => {
  test("two callers for one node share one drain, and a caller who leaves cancels nothing", async () => {
    const { simulator, ids, env } = await cluster();
    const { child, url } = await serveHere(env);
    const leaving = new AbortController();
    const gone = fetch(`${url}/drain?id=${ids[0]}`, { method: "POST", headers: bearer, signal: leaving.signal }).catch(
      () => "left",
    );
    await child.line(/"target deregistered"/);
    const second = fetch(`${url}/drain?ip=10.0.0.1`, { method: "POST", headers: bearer });
    await child.line(/"drain joined"/);
    leaving.abort();
    expect(await gone).toBe("left");
    expect((await second).status).toBe(200);
    expect(simulator.calls.get("elasticloadbalancing:DeregisterTargets")).toBe(3);
  });
});

describe("SIGTERM", () => {
  const slow = { NLB_PROPAGATION: "600" };

  test("first stops taking requests while running drains go on, then abandons them, and every caller is answered", async () => {
    const { ids, env } = await cluster();
    const { child, url } = await startService({ ...env, ...slow });
    const running = fetch(`${url}/drain?id=${ids[0]}`, { method: "POST", headers: bearer });
    await child.line(/"target deregistered"/);

    child.signal("SIGTERM");
    await child.line(/"shutdown started"/);
    const refused = await fetch(`${url}/drain?id=${ids[1]}`, { method: "POST", headers: bearer });
    expect(refused.status).toBe(503);
    expect((await fetch(`${url}/health`)).status).toBe(200);

    child.signal("SIGTERM");
    const answer = await running;
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe("5");
    expect(await answer.json()).toMatchObject({ outcome: { status: "abandoned", node: { id: ids[0] } } });
    expect((await child.finished).code).toBe(0);
  });

  test("abandons by itself when SHUTDOWN_GRACE is over", async () => {
    const { ids, env } = await cluster();
    const { child, url } = await serveHere({ ...env, ...slow, SHUTDOWN_GRACE: "0.2" });
    const running = fetch(`${url}/drain?id=${ids[0]}`, { method: "POST", headers: bearer });
    await child.line(/"target deregistered"/);
    child.signal("SIGTERM");
    expect((await running).status).toBe(503);
    expect((await child.finished).code).toBe(0);
  });

  test.each([
    ["has sent nothing", ""],
    [
      "has sent half a request",
      `POST /drain HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRET}\r\nContent-Length: 99\r\n\r\n{`,
    ],
  ])("ends the service also while a connection is open that %s", async (_, sent) => {
    const { child, url } = await serveHere({ SECRET });
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    onTestFinished(() => void socket.destroy());
    await new Promise((resolve) => socket.once("connect", resolve));
    await new Promise((resolve) => socket.write(sent, resolve));
    socket.on("error", () => {});
    child.signal("SIGTERM");
    expect((await child.finished).code).toBe(0);
  });

  test("without a drain ends the service at once", async () => {
    const { child } = await startService({ SECRET });
    child.signal("SIGTERM");
    const { code, stdout } = await child.finished;
    expect(code).toBe(0);
    expect(stdout).toContain('"stopped"');
  });
});

describe("a service that can't start says why, in one line for each problem, and ends with code 2", () => {
  test("missing and contradictory variables", async () => {
    const { code, stderr } = await runHere([], { SECRET, SECRET_FILE: "/x", TIMEOUT: "x" }, { program: "service" });
    expect(stderr).toBe(
      "hasta-la-vista: 3 problems:\n  CLOUDPROVIDER is not set: give aws\n  TIMEOUT is 'x': give seconds from 1 to 86400, such as 60\n  SECRET and SECRET_FILE are both set: set only one\n",
    );
    expect(code).toBe(2);
  });

  test("a port that is taken", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const env = { SECRET, CLOUDPROVIDER: "aws", HOST: "127.0.0.1", PORT: String(port) };
    const { code, stderr } = await runHere([], env, { program: "service" });
    expect(stderr).toBe(`hasta-la-vista: PORT is ${port}, which is already in use on 127.0.0.1: set another port\n`);
    expect(code).toBe(2);
  });
});

describe("the service's secret", () => {
  test("may stand in a file", async () => {
    const folder = await mkdtemp(join(tmpdir(), "secret-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, "secret"), `${SECRET}\n`);
    const { url } = await serveHere({ SECRET_FILE: join(folder, "secret") });
    const wrong = await fetch(`${url}/drain`, { method: "POST", headers: { authorization: "Bearer other" } });
    const right = await fetch(`${url}/drain`, { method: "POST", headers: bearer });
    expect([wrong.status, right.status]).toEqual([403, 400]);
  });
});

test("DRYRUN answers with the plan and changes nothing, whatever callers ask for", async () => {
  const { simulator, ids, env } = await cluster();
  const { url } = await serveHere({ ...env, DRYRUN: "1" });
  const response = await fetch(`${url}/drain?id=${ids[0]}&pw=${encodeURIComponent(SECRET)}&dryRun=false`, {
    method: "POST",
  });
  expect(await response.json()).toMatchObject({
    status: "planned",
    plan: { registrations: Array(4).fill(expect.anything()) },
  });
  expect([...simulator.calls.keys()].filter((action) => action.includes("Deregister"))).toEqual([]);
});

test("the service lives on after an AWS that can't be reached", async () => {
  const { child, url } = await serveHere({ SECRET, AWS_ENDPOINT_URL: "http://127.0.0.1:9" }, [], {
    clock: timesAsFast(20),
  });
  const unreachable = await fetch(`${url}/drain?id=i-00000000000000001`, { method: "POST", headers: bearer });
  expect(unreachable.status).toBe(502);
  expect(JSON.parse(await child.line(/"request failed"/))).toMatchObject({
    asked: { id: "i-00000000000000001" },
    code: "unreachable",
  });
  expect(await unreachable.json()).toMatchObject({ code: "unreachable" });
  expect((await fetch(`${url}/health`)).status).toBe(200);
});
