import { describe, expect, test } from "vitest";
import type { Registration } from "../../src/drain/cloud-provider.ts";
import type { Drainer } from "../../src/drain/drainer.ts";
import type { Undoable } from "../../src/drain/undoable.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { elbError, never, SimulatedRegion, VPC } from "../support/simulated-region.ts";
import { warmEngine } from "../support/warm-engine.ts";

const OTHER_VPC = "vpc-0fedcba9876543210";
const tagOf = (cluster: string) => ({ [`kubernetes.io/cluster/${cluster}`]: "owned" });

const drainBy = (drainer: Drainer, region: SimulatedRegion, by: "id" | "ip", value: string) =>
  region.clock.run(drainer.drain({ node: { by, value }, dryRun: false }, never));

/** Every write that has reached AWS: the action, and its parameters as text. */
const writes = ({ calls }: SimulatedRegion) =>
  calls.flatMap(({ action, params }) => (/^(Der|R)egister/.test(action) ? [decodeURIComponent(String(params))] : []));

function undo(drainer: Drainer, { id, privateIp }: Instance, undoables: readonly Undoable[], region: SimulatedRegion) {
  const node = { id, name: privateIp, network: VPC };
  return region.clock.run(drainer.undo({ drainId: "d-1", node, undoables }, never));
}

describe("two clusters in one VPC", () => {
  /** A node of each, in a pool of its own cluster; each pool carries the tag. */
  function scene() {
    const region = new SimulatedRegion();
    const blue = region.node({ tags: tagOf("blue") });
    const green = region.node({ tags: tagOf("green") });
    const blueGroup = region.group({ name: "blue-web", nodes: [blue], tags: tagOf("blue"), delaySeconds: 30 });
    const greenGroup = region.group({ name: "green-web", nodes: [green], tags: tagOf("green"), delaySeconds: 30 });
    return { region, blue, green, blueGroup, greenGroup };
  }

  test.each(["id", "ip"] as const)(
    "CLUSTERNAME refuses the other cluster's node by its %s, and nothing is written",
    async (by) => {
      const { region, green } = scene();
      const drainer = region.engine({ CLUSTERNAME: "blue" });
      const outcome = await drainBy(drainer, region, by, by === "id" ? green.id : green.privateIp);
      expect(outcome).toMatchObject({ status: "failed", error: { code: "other-cluster" } });
      expect(outcome).toMatchObject({ error: { message: expect.stringContaining("'green'") } });
      expect(writes(region)).toEqual([]);
    },
  );

  test.each(["vpc", "tag"])(
    "DISCOVERY=%s drains a node, and leaves the other cluster's registrations alone",
    async (DISCOVERY) => {
      const { region, blue, green, blueGroup, greenGroup } = scene();
      // The same pool serves both in one case.
      region.world.registerTarget(blueGroup, { id: green.id }, { settled: true });
      const outcome = await drainBy(region.engine({ CLUSTERNAME: "blue", DISCOVERY }), region, "id", blue.id);
      expect(outcome.status).toBe("drained");
      expect(writes(region)).toHaveLength(1);
      expect(writes(region)[0]).toContain(blue.id);
      expect(writes(region)[0]).not.toContain(green.id);
      for (const group of [blueGroup, greenGroup])
        expect(group.listed(region.clock.now()).filter(({ id }) => id === green.id)).toHaveLength(1);
    },
  );

  test("DISCOVERY=tag leaves a node in the other cluster's pool, and reports it", async () => {
    const { region, blue, greenGroup } = scene();
    region.world.registerTarget(greenGroup, { id: blue.id }, { settled: true });
    const outcome = await drainBy(region.engine({ CLUSTERNAME: "blue", DISCOVERY: "tag" }), region, "id", blue.id);
    expect(outcome).toMatchObject({ status: "drained", elsewhere: [{ pool: { name: "green-web" } }] });
    expect(greenGroup.listed(region.clock.now()).map(({ id }) => id)).toContain(blue.id);
  });

  test.each<Readonly<Record<string, string>>>([{}, { CLUSTERNAME: "blue" }])(
    "a node with the tags of both is refused, with %j",
    async (environment) => {
      const { region, blueGroup } = scene();
      const both = region.node({ tags: { ...tagOf("blue"), ...tagOf("green") } });
      region.world.registerTarget(blueGroup, { id: both.id }, { settled: true });
      const outcome = await drainBy(region.engine(environment), region, "id", both.id);
      expect(outcome).toMatchObject({ status: "failed", error: { code: "other-cluster" } });
      expect(writes(region)).toEqual([]);
    },
  );

  test("an undo registers no node of the other cluster", async () => {
    const { region, green, greenGroup } = scene();
    const drainer = region.engine({ CLUSTERNAME: "blue", UNDO: "true" });
    const { registrations } = await undo(drainer, green, [deregistered(greenGroup, `${green.id}:30080`)], region);
    expect(registrations).toMatchObject([{ state: "failed", error: { code: "other-cluster" } }]);
    expect(writes(region)).toEqual([]);
  });

  test("nor another machine than the drained one, whatever the report of the drain says", async () => {
    const { region, blue, green, greenGroup } = scene();
    const drainer = region.engine({ CLUSTERNAME: "blue", UNDO: "true" });
    const { registrations } = await undo(drainer, blue, [deregistered(greenGroup, `${green.id}:30080`)], region);
    expect(registrations).toMatchObject([{ state: "failed", error: { code: "not-registered" } }]);
    expect(writes(region)).toEqual([]);
  });
});

describe("the same private address in two VPCs", () => {
  const IP = "10.0.0.5";

  /** A node in each VPC, both in a pool by that address, and in one by id. */
  function scene() {
    const region = new SimulatedRegion();
    const here = region.node({ privateIp: IP, tags: tagOf("blue") });
    const there = region.node({ privateIp: IP, vpcId: OTHER_VPC, tags: tagOf("green") });
    const pools = [
      region.group({ name: "pods", targetType: "ip", nodes: [here], delaySeconds: 30 }),
      region.group({ name: "web", nodes: [here], delaySeconds: 30 }),
    ];
    const foreign = [
      region.group({ name: "pods-there", targetType: "ip", nodes: [there], vpcId: OTHER_VPC, delaySeconds: 30 }),
      region.group({ name: "web-there", nodes: [there], vpcId: OTHER_VPC, delaySeconds: 30 }),
    ] as const;
    const classic = region.classic({ name: "old-there", nodes: [there], vpcId: OTHER_VPC });
    const expectForeignUntouched = () => {
      for (const group of foreign)
        expect(group.listed(region.clock.now())).toMatchObject([{ deregisteredAt: undefined }]);
      expect(classic.isRegistered(there.id)).toBe(true);
      for (const write of writes(region)) expect(write).not.toMatch(/-there/);
    };
    return { region, here, there, pools, foreign, expectForeignUntouched };
  }

  test("is refused as ambiguous, naming both nodes, and nothing is written", async () => {
    const { region, here, there } = scene();
    const outcome = await drainBy(region.engine(), region, "ip", IP);
    expect(outcome).toMatchObject({ status: "failed", error: { code: "ambiguous-node" } });
    const { message = "" } = (outcome as { error?: Error }).error ?? {};
    expect([message.includes(here.id), message.includes(there.id)]).toEqual([true, true]);
    expect(writes(region)).toEqual([]);
  });

  test.each<Readonly<Record<string, string>>>([{ VPCID: VPC }, { CLUSTERNAME: "blue" }])(
    "%j narrows it to one, and the other VPC is never touched",
    async (environment) => {
      const { region, here, expectForeignUntouched } = scene();
      const drainer = region.engine({ ...environment, OTHER_VPCS: "ignore" });
      const outcome = await drainBy(drainer, region, "ip", IP);
      expect(outcome).toMatchObject({ status: "drained", node: { id: here.id } });
      expect(writes(region)).toHaveLength(2);
      expectForeignUntouched();
    },
  );

  test("is reported where the other VPC's group has it, which may be a target over peering: the node is not said to be able to go", async () => {
    const { region, here, expectForeignUntouched } = scene();
    const outcome = await drainBy(region.engine({ VPCID: VPC }), region, "ip", IP);
    expect(outcome).toMatchObject({ status: "possibly-registered", node: { id: here.id } });
    expect(outcome).toMatchObject({ elsewhere: [{ pool: { name: "pods-there" }, doubt: expect.any(String) }] });
    expect(writes(region)).toHaveLength(2);
    expectForeignUntouched();
  });

  test.each(["ignore", "search"])(
    "is deregistered in one VPC alone from what is known beforehand, too, with OTHER_VPCS=%s",
    async (OTHER_VPCS) => {
      const { region, here, expectForeignUntouched } = scene();
      const { drainer } = await warmEngine(region, { OTHER_VPCS });
      const outcome = await drainBy(drainer, region, "id", here.id);
      const status = OTHER_VPCS === "ignore" ? "drained" : "possibly-registered";
      expect(outcome).toMatchObject({ status, registrations: [{}, {}] });
      expectForeignUntouched();
    },
  );

  test("is registered again in one VPC alone, also where the report of the drain names the other one's pool", async () => {
    const { region, here, pools, foreign } = scene();
    const drainer = region.engine({ VPCID: VPC, UNDO: "true" });
    await drainBy(drainer, region, "ip", IP);
    const [podsThere] = foreign;
    region.world.deregisterTarget(podsThere, { id: IP });
    const undoables = [...pools, podsThere].map((group) =>
      deregistered(group, `${group.targetType === "ip" ? IP : here.id}:30080`),
    );
    const { registrations } = await undo(drainer, here, undoables, region);
    expect(registrations.map(({ registration: { pool }, state }) => `${pool.name} ${state}`).sort()).toEqual([
      "pods registered",
      "pods-there failed",
      "web registered",
    ]);
    expect(podsThere.listed(region.clock.now())).toMatchObject([{ deregisteredAt: expect.any(Number) }]);
    for (const write of writes(region)) expect(write).not.toMatch(/-there/);
  });
});

describe("another account", () => {
  test("a pool that it denies is named, and nothing else is done about it", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "own", nodes: [node], delaySeconds: 30 });
    const shared = region.group({ name: "shared", nodes: [node], delaySeconds: 30 });
    region.intercept = ({ action, params }) =>
      /^(Der|R)egister/.test(action) && params.get("TargetGroupArn") === shared.arn
        ? elbError("AccessDenied", "no resource-based policy allows it", 403)
        : undefined;
    const outcome = await drainBy(region.engine(), region, "id", node.id);
    expect(outcome).toMatchObject({ status: "failed", error: { code: "access-denied" } });
    expect(shared.listed(region.clock.now())).toMatchObject([{ deregisteredAt: undefined }]);
  });

  test("a pool whose ARN is another account's is never registered in: this account's list does not have it", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    const group = region.group({ name: "web", nodes: [node], delaySeconds: 30 });
    const { pool, ...one } = deregistered(group, `${node.id}:30080`).registration;
    const id = pool.id.replace(/:\d{12}:/, ":999999999999:");
    expect(id).not.toBe(pool.id);
    const registration: Registration = { ...one, pool: { ...pool, id } };
    const drainer = region.engine({ UNDO: "true" });
    const { registrations } = await undo(drainer, node, [{ registration, deregisteredBy: "drain" }], region);
    expect(registrations).toMatchObject([
      { state: "failed", error: { message: expect.stringContaining("no longer exists") } },
    ]);
    expect(writes(region)).toEqual([]);
  });
});

function deregistered({ arn, name }: { readonly arn: string; readonly name: string }, target: string): Undoable {
  const pool = { kind: "nlb", id: arn, name } as const;
  return {
    registration: { pool, target, state: "live", detail: "", isHealthy: true },
    deregisteredBy: "drain",
  };
}
