import { get } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { openEngine } from "../../src/app/places.ts";
import { readConfig } from "../../src/config/config.ts";
import { ConnectionCounter } from "../../src/connections/connection-counter.ts";
import { reportConnections } from "../../src/connections/reporting.ts";
import { Traffic } from "../../src/demo/traffic.ts";
import type { Drainer } from "../../src/drain/drainer.ts";
import type { RegistrationResult } from "../../src/drain/outcome.ts";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { World } from "../../src/simulator/world/world.ts";
import { type HeldRequest, holdMany } from "../simulator/data-plane/clients.ts";
import { ALL_CASES } from "../support/cases.ts";
import { carryInside, type MachineInside } from "../support/machine-inside.ts";
import { printedFor } from "../support/printed-policy.ts";
import { CREDENTIALS, never, VPC } from "../support/simulated-region.ts";

/** For docs/early-release.md: more slowly, so that a busy machine changes less, and printed. */
const FIGURES = process.env["FIGURES"] !== undefined;
/** So many simulated seconds pass in one. */
const SPEED = FIGURES ? 3 : 10;
/** Nodes that are let go early, and as many that are held for the whole delay. */
const OF_EACH = 3;
const DELAY_SECONDS = 300;
/** Of the group with traffic: a busy machine may take longer to see that the last connection has ended. */
const BUSY_DELAY_SECONDS = FIGURES ? DELAY_SECONDS : 3 * DELAY_SECONDS;
const HEALTH_CHECK_MS = 15_000;
/** In real milliseconds: two simulated minutes. */
const LONG_REQUEST = `/?delay=${120_000 / SPEED}`;

/** Nodes behind an ALB with the default delay, in a group with traffic and in one without. One clock for all. */
async function open() {
  const clock = new ScaledClock(SPEED);
  const world = new World({ clock });
  const nodes = Array.from({ length: 2 + 2 * OF_EACH }, (_, number) =>
    world.addInstance({ id: `i-0000000000000000${number}`, vpcId: VPC, privateIp: `10.0.0.${number + 1}` }),
  );
  const [staying, busy, ...idle] = nodes as [Instance, Instance, ...Instance[]];
  const group = (name: string, port: number, members: readonly Instance[], delaySeconds: number) => {
    const made = world.addTargetGroup({ name, vpcId: VPC, protocol: "HTTP", port, targetType: "instance" });
    made.attributes.set("deregistration_delay.timeout_seconds", String(delaySeconds));
    for (const { id } of members) world.registerTarget(made, { id }, { settled: true });
    return { groups: [{ arn: made.arn, weight: 1 }], type: "forward" } as const;
  };
  const web = group("web", 30080, [staying, busy], BUSY_DELAY_SECONDS);
  const quiet = group("quiet", 30081, [staying, ...idle], DELAY_SECONDS);
  for (const [name, action] of [
    ["web", web],
    ["quiet", quiet],
  ] as const) {
    const loadBalancer = world.addLoadBalancer({ name, type: "application", vpcId: VPC });
    // Long enough for the long requests, as their operators would set it.
    if (name === "web") loadBalancer.attributes.set("idle_timeout.timeout_seconds", "130");
    world.addListener(loadBalancer, { protocol: "HTTP", port: 80, defaultActions: [action] });
  }
  const document = printedFor({ AWS_REGION: world.region });
  const simulator = new Simulator(world, { policies: [{ accessKeyId: CREDENTIALS.accessKeyId, document }] });
  const endpoint = await simulator.listen();
  onTestFinished(() => simulator.close());
  const machines = new Map<string, MachineInside>();
  const plane = await carryInside(world, machines);
  const engine = async (options: Readonly<Record<string, string>>) => {
    const config = readConfig({ verb: "serve", environment: { ...SERVICE, AWS_REGION: world.region, ...options } });
    return (await openEngine(config, { clock, aws: { endpoint, credentials: CREDENTIALS } })).drainer;
  };
  return { clock, world, plane, machines, engine, busy, idle };
}

const SERVICE = { SECRET: "a-secret-nobody-may-see", CLOUDPROVIDER: "aws" };

/** As a load balancer's: a new connection for each, which the target closes. */
async function checkHealth(clock: ScaledClock, machines: ReadonlyMap<string, MachineInside>, stop: AbortSignal) {
  while (!stop.aborted) {
    for (const { port } of machines.values())
      get({ host: "127.0.0.1", port, agent: false }, (answer) => answer.resume()).on("error", () => {}); // It is gone.
    await clock.sleep(HEALTH_CHECK_MS, stop).catch(() => {});
  }
}

/** The agent of one machine, whose sockets are those of the process that stands for it. */
function startAgent(clock: ScaledClock, { id }: Instance, port: number, drainer: Drainer, stop: AbortController): void {
  const counter = new ConnectionCounter({
    folder: "/proc/net",
    primaryAddress: "127.0.0.1",
    ownAddresses: () => [],
    now: () => performance.now(),
  });
  const reporting = reportConnections(
    {
      clock,
      count: async (ports) => {
        const { tables, ports: counted } = await counter.count(ports.map(() => ({ port })));
        // Other programs of this machine have connections that are tracked; the simulated ones are on loopback.
        return { tables, ports: ports.map((asked, at) => ({ open: 0, seen: false, ...counted[at], ...asked })) };
      },
      exchange: async (report) => {
        const { earlyRelease } = drainer;
        if (earlyRelease === undefined) throw new Error("it is not configured");
        return earlyRelease.report(id, report);
      },
      onCounting: () => {},
      onFailure: () => {},
    },
    stop.signal,
  );
  onTestFinished(() => {
    stop.abort();
    return reporting;
  });
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

// Each count reads the connection tables of the whole machine, which are long while all tests run. What an agent counts, and
// what the service makes of it, is held by early-release-agent.test.ts and test/drain/early-release.test.ts.
const played = test.runIf(ALL_CASES || FIGURES);

played(
  "idle nodes leave an ALB long before its delay, busy ones after their requests, and nothing is lost",
  async () => {
    const { clock, world, plane, machines, engine, busy, idle } = await open();
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    const [early, full] = [await engine({ EARLY_RELEASE: "true" }), await engine({})];
    void checkHealth(clock, machines, stop.signal);
    for (const node of [busy, ...idle]) startAgent(clock, node, machines.get(node.id)?.port ?? 0, early, stop);
    const traffic = new Traffic({
      destinations: [{ name: "web", url: plane.url("web") }],
      ...{ clock, intervalMs: 1_000, timeoutMs: 60_000, waitingMax: 20, connectionLifetimeMs: 10_000 },
    });
    onTestFinished(() => void traffic.stop());
    const long: readonly HeldRequest[] = await holdMany(`${plane.url("web")}${LONG_REQUEST}`, 6);

    // Each machine goes as soon as its drain ends, as an autoscaler has it.
    const heldBy = async (drainer: Drainer, node: Instance): Promise<RegistrationResult | undefined> => {
      const outcome = await drainer.drain({ node: { by: "id", value: node.id }, dryRun: false }, never);
      world.terminateInstance(node);
      expect(outcome).toMatchObject({ status: "drained" });
      return "registrations" in outcome ? outcome.registrations[0] : undefined;
    };
    const [idleEarly, idleFull] = [idle.slice(0, OF_EACH), idle.slice(OF_EACH)];
    const [ofBusy, ofEarly, ofFull] = await Promise.all([
      heldBy(early, busy),
      Promise.all(idleEarly.map((node) => heldBy(early, node))),
      Promise.all(idleFull.map((node) => heldBy(full, node))),
    ]);
    const { sent, losses } = await traffic.stop();

    const seconds = (results: readonly (RegistrationResult | undefined)[]) =>
      results.map((result) => Math.round((result?.heldMs ?? 0) / 1_000));
    const figures = {
      early: seconds(ofEarly),
      full: seconds(ofFull),
      busy: seconds([ofBusy]),
      sent,
      lost: losses.length,
    };
    if (FIGURES) process.stderr.write(`${JSON.stringify(figures)}\n`);
    expect(losses).toEqual([]);
    expect(sent).toBeGreaterThan(100);
    expect((await Promise.all(long.map(({ answer }) => answer))).map(({ status }) => status)).toEqual(
      Array(6).fill(200),
    );
    for (const held of figures.full) expect(held).toBeGreaterThanOrEqual(DELAY_SECONDS);
    for (const result of ofEarly) expect(result).toMatchObject({ holdMs: DELAY_SECONDS * 1_000, state: "released" });
    expect(median(figures.early)).toBeGreaterThanOrEqual(35);
    expect(median(figures.early)).toBeLessThan(DELAY_SECONDS);
    expect(figures.busy[0]).toBeGreaterThanOrEqual(120);
    expect(figures.busy[0]).toBeLessThan(BUSY_DELAY_SECONDS);
  },
);
