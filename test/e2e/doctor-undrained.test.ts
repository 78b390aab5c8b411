import { afterAll, describe, expect, test } from "vitest";
import type { FindingCode } from "../../src/doctor/finding.ts";
import type { DoctorReport } from "../../src/doctor/report.ts";
import { newAbort } from "../../src/drain/abort.ts";
import { EventDelivery } from "../../src/simulator/events/event-delivery.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import type { TargetGroup } from "../../src/simulator/world/target-group.ts";
import { allowIdle } from "../simulator/data-plane/carried.ts";
import { holdMany, statusesOf } from "../simulator/data-plane/clients.ts";
import { codesOf, doctorOf, mendAll } from "../support/doctor.ts";
import { CarriedInside } from "../support/machine-inside.ts";
import { printedFor } from "../support/printed-policy.ts";
import { queueOnRegion } from "../support/queue-on-region.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";

/** Drains of nodes that nothing waits for. */
const over = newAbort();
afterAll(() => over.abort());

interface Scene {
  readonly region: SimulatedRegion;
  readonly group: TargetGroup;
  readonly nodes: readonly [leaving: Instance, other: Instance];
}

function sceneOf(tags: Readonly<Record<string, string>>, delaySeconds = 60): Scene {
  const region = new SimulatedRegion();
  const nodes = [region.node({ tags }), region.node()] as const;
  const group = region.group({ name: "web", nodes, delaySeconds });
  allowIdle(region.world, 4_000);
  return { region, group, nodes };
}

/** How many requests are cut that are in flight when `leave` begins, and last for `lastMs`. */
async function cutInFlight(
  { region, nodes }: Scene,
  { leave, lastMs }: { readonly leave: () => unknown; readonly lastMs: number },
): Promise<number> {
  const carried: CarriedInside = await CarriedInside.open(region.world);
  for (const { id } of nodes) carried.freeze(id);
  const held = await holdMany(carried.plane.url("web-lb"), 14);
  await leave();
  await region.clock.advance(lastMs);
  for (const { id } of nodes) carried.thaw(id);
  await Promise.all(held.map(({ answer }) => answer));
  return statusesOf(held).filter((status) => status !== 200).length;
}

/** A departure that does not wait for more than the service: the machine goes when the drain has ended, whatever its result. */
function cutWhenTheDrainEnds(
  scene: Scene,
  options: Readonly<Record<string, string>>,
  denied?: string,
): Promise<number> {
  const { region, nodes } = scene;
  const [leaving] = nodes;
  const drainer = region.engine(options);
  if (denied !== undefined) deny(region, options, denied);
  const leave = () =>
    void drainer
      .drain({ node: { by: "id", value: leaving.id }, dryRun: false }, over.signal)
      .catch(() => {})
      .then(() => region.world.terminateInstance(leaving));
  return cutInFlight(scene, { leave, lastMs: 25_000 });
}

/** The role of the scene's only engine lacks one of the actions that are printed for it. */
function deny(region: SimulatedRegion, options: Readonly<Record<string, string>>, denied: string): void {
  const { Version, Statement } = printedFor({ AWS_REGION: region.world.region, ...options });
  const allowed = Statement.map((one) => ({ ...one, Action: one.Action.filter((action) => action !== denied) }));
  const document = { Version, Statement: allowed.filter(({ Action }) => Action.length > 0) };
  region.simulator.access.restrict({ accessKeyId: "restricted1", document });
}

const has = (report: DoctorReport, code: FindingCode) => codesOf(report).includes(code);
const some = expect.toSatisfy((lost: number) => lost > 0);

describe("requests in flight are cut, because the node is not drained", () => {
  const OTHER = { "kubernetes.io/cluster/other": "owned" };
  const DEMO = { CLUSTERNAME: "demo" };

  test("where a service of one cluster is asked for the node of another; not by a service of that cluster, nor once the pool has nodes of one cluster alone", async () => {
    const shared = sceneOf(OTHER);
    expect(has(await doctorOf(shared.region, DEMO), "several-clusters")).toBe(true);
    expect(await cutWhenTheDrainEnds(shared, DEMO)).toEqual(some);

    expect(await cutWhenTheDrainEnds(sceneOf(OTHER), { CLUSTERNAME: "other" })).toBe(0);

    const apart = sceneOf(OTHER);
    apart.region.world.deregisterTarget(apart.group, { id: apart.nodes[0].id });
    await apart.region.clock.advance(120_000);
    expect(has(await doctorOf(apart.region, DEMO), "several-clusters")).toBe(false);
    expect(await cutWhenTheDrainEnds(apart, DEMO)).toBe(0);
  });

  test("where the name of the cluster is another one, with which doctor judges nothing; not with the right one", async () => {
    const results = [];
    for (const CLUSTERNAME of ["dmeo", "demo"]) {
      const scene = sceneOf({ "kubernetes.io/cluster/demo": "owned" });
      const isFound = has(await doctorOf(scene.region, { CLUSTERNAME }), "nothing-found");
      results.push([isFound, await cutWhenTheDrainEnds(scene, { CLUSTERNAME })]);
    }
    expect(results).toEqual([
      [true, some],
      [false, 0],
    ]);
  });

  test("where AWS denies a call of drains; not with the printed policy", async () => {
    const results = [];
    for (const denied of ["elasticloadbalancing:DescribeTargetHealth", undefined]) {
      const scene = sceneOf({ "kubernetes.io/cluster/demo": "owned" });
      const report = await doctorOf(scene.region, {}, undefined, denied);
      results.push([has(report, "permission-missing"), await cutWhenTheDrainEnds(scene, {}, denied)]);
    }
    expect(results).toEqual([
      [true, some],
      [false, 0],
    ]);
  });
});

test("a termination hook that ends before the deregistration delay cuts a request that the delay would let end; one that waits longer cuts none", async () => {
  const results = [];
  for (const isMended of [false, true]) {
    const scene = sceneOf({ "kubernetes.io/cluster/demo": "owned" }, 3_600);
    const { region, nodes } = scene;
    const hook = {
      name: "drain",
      transition: "autoscaling:EC2_INSTANCE_TERMINATING",
      heartbeatTimeoutSeconds: 30,
      defaultResult: "CONTINUE",
    } as const;
    const workers = region.world.addAutoScalingGroup({
      name: "workers",
      instanceIds: nodes.map(({ id }) => id),
      hooks: [hook],
    });
    if (isMended) await mendAll(region, await doctorOf(region), "delay-longer-than-hook");
    const isFound = has(await doctorOf(region), "delay-longer-than-hook");
    const { queue } = await queueOnRegion(region);
    const faults: Error[] = [];
    new EventDelivery(region.world, [{ send: async (body) => void queue.put(body) }], {
      onGivenUp: (error) => faults.push(error),
    });
    const leave = () => region.world.beginScaleIn(workers, nodes[0]);
    // Longer than 100 heartbeats of 30 seconds, shorter than the delay.
    results.push([isFound, await cutInFlight(scene, { leave, lastMs: 3_300_000 })]);
    expect(faults).toEqual([]);
  }
  expect(results).toEqual([
    [true, some],
    [false, 0],
  ]);
});
