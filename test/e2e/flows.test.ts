import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { carry } from "../simulator/data-plane/carried.ts";
import { Connection } from "../simulator/data-plane/clients.ts";
import { DatagramClient, served } from "../simulator/data-plane/datagrams.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

const FLOWS = 12;
const STEP_MS = 10_000;
const NEW_FLOWS_EVERY_MS = 60_000;
/** Of a client to which nothing comes back. Whatever is answered is answered sooner, on a busy machine too. */
const PATIENCE_MS = 5_000;
const TEST_TIMEOUT_MS = 120_000;
const REBALANCE = { "target_failover.on_deregistration": "rebalance", "target_failover.on_unhealthy": "rebalance" };

/**
 * When the machine goes: once the product lets go of its node, or so many milliseconds after it was deregistered by hand. It
 * vanishes then, so that nothing tells clients of it.
 */
type Departure = "released" | number;

type GroupInput = Parameters<SimulatedRegion["group"]>[0];

/** Two machines, each a process, behind a load balancer that carries flows. Time is virtual, and traffic is real. */
class FlowScene {
  readonly region: SimulatedRegion;
  readonly #leavingId: string;
  readonly #urls: readonly string[];
  #goneAfterMs: number | undefined;

  private constructor(region: SimulatedRegion, leavingId: string, urls: readonly string[]) {
    this.region = region;
    this.#leavingId = leavingId;
    this.#urls = urls;
  }

  static async open(input: Omit<GroupInput, "name" | "nodes">, attributes: Readonly<Record<string, string>> = {}) {
    const region = new SimulatedRegion();
    const [leaving, staying] = [region.node(), region.node()];
    const group = region.group({ ...input, name: "flows", nodes: [leaving, staying] });
    for (const [key, value] of Object.entries(attributes)) group.attributes.set(key, value);
    const { plane } = await carry(region.world);
    return new FlowScene(region, leaving.id, plane.urls("flows-lb", 80));
  }

  /** How long after the deregistration the machine went. Undefined: it is there. */
  get goneAfterMs(): number | undefined {
    return this.#goneAfterMs;
  }

  /** Takes a node out. */
  depart(departure: Departure, nodeId = this.#leavingId): void {
    const { world, clock } = this.region;
    const [group] = world.targetGroups.values();
    const leaving = world.instance(nodeId);
    if (group === undefined || leaving === undefined) throw new Error("no group");
    const startedAt = clock.now();
    const vanish = () => {
      this.#goneAfterMs = clock.now() - startedAt;
      world.terminateInstance(leaving, undefined, { skipOsShutdown: true });
    };
    if (departure === "released") {
      const drained = this.region.engine().drain({ node: { by: "id", value: leaving.id }, dryRun: false }, never);
      // Where it fails the machine stays, which the tests notice.
      drained.then(({ status }) => status === "drained" && vanish()).catch(() => {});
      return;
    }
    world.deregisterTarget(group, { id: leaving.id });
    world.at(startedAt + departure, vanish);
  }

  async pass(ms: number): Promise<void> {
    await this.region.clock.advance(ms);
    this.region.world.catchUp();
  }

  connections(): Promise<readonly Connection[]> {
    return Connection.openMany(this.#urls[0] ?? "", FLOWS);
  }

  clients(): Promise<readonly DatagramClient[]> {
    return DatagramClient.openMany(this.#urls.at(-1) ?? "", FLOWS);
  }

  /**
   * Lets time pass in which clients send a datagram every ten seconds, and new ones appear each minute, until the first
   * datagram is lost. Answers when that was, counted from the deregistration. Undefined: none was.
   */
  async firstLostAfterMs(departure: Departure, untilMs: number): Promise<number | undefined> {
    const clients = [...(await this.clients())];
    await served(clients);
    this.depart(departure);
    for (let passed = STEP_MS; passed <= untilMs; passed += STEP_MS) {
      await this.pass(STEP_MS);
      if (passed % NEW_FLOWS_EVERY_MS === 0) clients.push(...(await this.clients()));
      if ((await Promise.all(clients.map(isAnswered))).includes(false)) return passed;
    }
    return undefined;
  }
}

function isAnswered(client: DatagramClient): Promise<boolean> {
  return client.ask().then(
    () => true,
    () => false,
  );
}

/** Whether a request on the flow is answered. A client that waits for too long gives up. */
async function isAlive(flow: Connection): Promise<boolean> {
  const waited = new AbortController();
  const silence = sleep(PATIENCE_MS, false, { signal: waited.signal }).catch(() => false);
  const isAnsweredInTime = await Promise.race([flow.send().then(({ status }) => status === 200), silence]);
  waited.abort();
  flow.leave();
  return isAnsweredInTime;
}

async function areAlive(flows: readonly Connection[]): Promise<readonly boolean[]> {
  return [...new Set(await Promise.all(flows.map(isAlive)))];
}

describe("a flow through a GWLB that its clients come back to", { timeout: TEST_TIMEOUT_MS }, () => {
  const DELAY_SECONDS = 60;

  test.each<[string, number | undefined, number]>([
    ["the idle timeout", undefined, 340_000],
    ["the idle timeout of its listener", 600, 590_000],
  ])("within %s is answered while the product holds the node", async (_, idleTimeoutSeconds, comesBackMs) => {
    const idle = idleTimeoutSeconds === undefined ? {} : { idleTimeoutSeconds };
    const flows = await FlowScene.open({ type: "gateway", delaySeconds: DELAY_SECONDS, ...idle });
    const connections = await flows.connections();
    flows.depart("released");
    await flows.pass(comesBackMs);
    expect(flows.goneAfterMs).toBeUndefined();
    expect(await areAlive(connections)).toEqual([true]);
    await flows.pass(STEP_MS * 2);
    expect(flows.goneAfterMs).toBeGreaterThan(comesBackMs);
  });

  // What AWS says of the target, and for how long an NLB would be held: neither is enough.
  test.each([
    ["when AWS says that it is not registered any more", DELAY_SECONDS * 1_000],
    ["after the hold of an NLB", 210_000],
  ])("is lost if the node goes %s", async (_, departure) => {
    const flows = await FlowScene.open({ type: "gateway", delaySeconds: DELAY_SECONDS });
    const connections = await flows.connections();
    flows.depart(departure);
    await flows.pass(340_000);
    expect(flows.goneAfterMs).toBe(departure);
    expect([...(await areAlive(connections))].sort()).toEqual([false, true]);
  });

  test("within the default timeout is answered with stickiness too, though its listener has a shorter one", async () => {
    const stickiness = { "stickiness.enabled": "true", "stickiness.type": "source_ip_dest_ip_proto" };
    const flows = await FlowScene.open(
      { type: "gateway", delaySeconds: DELAY_SECONDS, idleTimeoutSeconds: 60 },
      stickiness,
    );
    const connections = await flows.connections();
    // All flows between two addresses have one target.
    expect(new Set(connections.map(({ servedBy }) => servedBy)).size).toBe(1);
    flows.depart("released", connections[0]?.servedBy);
    await flows.pass(340_000);
    expect(flows.goneAfterMs).toBeUndefined();
    expect(await areAlive(connections)).toEqual([true]);
  });
});

describe("datagrams through a GWLB whose flows move to another target", { timeout: TEST_TIMEOUT_MS }, () => {
  const DELAY_SECONDS = 240;
  const group = { type: "gateway", delaySeconds: DELAY_SECONDS } as const;

  test("are not lost: the product holds the node until they have moved", async () => {
    const flows = await FlowScene.open(group, REBALANCE);
    expect(await flows.firstLostAfterMs("released", 400_000)).toBeUndefined();
    expect(flows.goneAfterMs).toBeLessThan(400_000);
  });

  test("are lost if the node goes when AWS says that it is not registered any more", async () => {
    const flows = await FlowScene.open(group, REBALANCE);
    const lostAt = await flows.firstLostAfterMs(DELAY_SECONDS * 1_000, 400_000);
    expect(lostAt).toBe(DELAY_SECONDS * 1_000);
  });
});

describe("datagrams through an NLB", { timeout: TEST_TIMEOUT_MS }, () => {
  test.each([
    ["UDP", 60],
    ["UDP", 300],
    ["TCP_UDP", 60],
  ])(
    "of a %s listener with a delay of %i s are not lost: the product holds the node until they go elsewhere",
    async (protocol, delaySeconds) => {
      const flows = await FlowScene.open({ type: "network", protocol, delaySeconds, connectionTermination: true });
      const untilMs = Math.max(delaySeconds, 210) * 1_000 + 60_000;
      expect(await flows.firstLostAfterMs("released", untilMs)).toBeUndefined();
      expect(flows.goneAfterMs).toBeLessThan(untilMs);
    },
  );

  test("are lost if the node goes when AWS says that it is not registered any more", async () => {
    const input = { type: "network", protocol: "UDP", delaySeconds: 60, connectionTermination: true } as const;
    const flows = await FlowScene.open(input);
    expect(await flows.firstLostAfterMs(60_000, 300_000)).toBe(60_000);
  });

  test("are lost without connection termination, however long the product holds the node", async () => {
    const input = { type: "network", protocol: "UDP", delaySeconds: 60, connectionTermination: false } as const;
    const flows = await FlowScene.open(input);
    const lostAt = await flows.firstLostAfterMs("released", 300_000);
    expect(lostAt).toBeGreaterThanOrEqual(flows.goneAfterMs ?? Number.POSITIVE_INFINITY);
  });
});
