import { expect, test } from "vitest";
import { exitCodeOf } from "../../src/cli/exit-codes.ts";
import { outcomeText } from "../../src/cli/text.ts";
import { outcomeReport } from "../../src/drain/report.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

const HUB_VPC = "vpc-0fedcba9876543210";

/** A node in an ALB's group in its own VPC, and by its address in a hub VPC's group. */
function scene(zone?: string) {
  const region = new SimulatedRegion();
  const [node, other] = [region.node(), region.node()];
  const web = region.group({ name: "web", nodes: [node, other], delaySeconds: 30 });
  const hub = region.group({ name: "hub", targetType: "ip", vpcId: HUB_VPC, port: 8080, delaySeconds: 30 });
  for (const id of [node.privateIp, other.privateIp])
    region.world.registerTarget(hub, { id, ...(zone === undefined ? {} : { zone }) }, { settled: true });
  const drain = (options: Readonly<Record<string, string>> = {}) =>
    region.clock.run(region.engine(options).drain({ node: { by: "id", value: node.id }, dryRun: false }, never));
  const getsTraffic = (group: typeof web) =>
    [0, 1].some((machine) =>
      group.routable(region.clock.now(), machine, 2).some(({ id }) => id === node.id || id === node.privateIp),
    );
  return { region, node, web, hub, drain, getsTraffic };
}

test("no request reaches a node of a peered VPC once its drain has ended", async () => {
  const { node, web, hub, drain, getsTraffic } = scene();
  expect([web, hub].map(getsTraffic)).toEqual([true, true]);
  const outcome = await drain();
  expect(outcome).toMatchObject({ status: "drained", elsewhere: [] });
  expect([web, hub].map(getsTraffic)).toEqual([false, false]);
  expect(outcomeText(outcomeReport(outcome), 0)).toMatch(
    new RegExp(`^${node.id} is drained: 2 registrations .*It can be terminated`),
  );
});

test("a node that may be registered in another VPC is drained where it is known to be, and never said to be able to go", async () => {
  const { node, web, hub, drain, getsTraffic } = scene("eu-west-1a");
  const outcome = await drain();
  expect(outcome).toMatchObject({
    status: "possibly-registered",
    registrations: [{ registration: { pool: { name: "web" } }, state: "released" }],
    elsewhere: [{ pool: { name: "hub" }, target: `${node.privateIp}:8080`, doubt: expect.any(String) }],
  });
  expect([web, hub].map(getsTraffic)).toEqual([false, true]);
  const report = outcomeReport(outcome);
  expect(exitCodeOf(report)).toBe(1);
  const text = outcomeText(report, 0);
  expect(text).toContain(`${node.id} may still get traffic: do not terminate it.`);
  expect(text).toContain(`hub-lb / hub ${node.privateIp}:8080: AWS lists ${node.privateIp} with the zone eu-west-1a`);
  expect(text).not.toContain("can be terminated");
});

test("a plan says so beforehand, and not that the node can go", async () => {
  const { region, node, web } = scene("eu-west-1a");
  web.deregister({ id: node.id }, region.clock.now());
  await region.clock.advance(600_000);
  const request = { node: { by: "id", value: node.id }, dryRun: true } as const;
  const plan = await region.clock.run(region.engine().plan(request, never));
  expect(plan.warnings).toEqual([
    expect.stringMatching(/^these targets may be the node's and were not deregistered: /),
  ]);
  const planned = outcomeReport({ status: "planned", drainId: "d-1", node: plan.node, plan });
  expect(outcomeText(planned, 0)).not.toContain("can be terminated");
});

test.each<Readonly<Record<string, string>>>([{ OTHER_VPCS: "ignore" }, { DISCOVERY: "tag" }])(
  "with %j groups of other VPCs are left out, and the node can go",
  async (options) => {
    const { region, web, drain } = scene("eu-west-1a");
    web.tags.set("kubernetes.io/cluster/demo", "owned");
    expect(await drain(options)).toMatchObject({ status: "drained", elsewhere: [] });
    const asked = region.callsOf("DescribeTargetHealth").map((params) => params.get("TargetGroupArn"));
    if ("OTHER_VPCS" in options) expect(new Set(asked)).toEqual(new Set([web.arn]));
  },
);

test("a node that is registered nowhere can go, in a sentence that names what was looked through", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  const request = { node: { by: "id", value: node.id }, dryRun: false } as const;
  const report = outcomeReport(await region.clock.run(region.engine().drain(request, never)));
  expect(outcomeText(report, 0)).toBe(`No load balancer that was searched lists ${node.id}: it can be terminated.`);
});

test("groups of addresses in other VPCs cost a read each, and nothing more where the node is not in them", async () => {
  const { region, hub, drain } = scene();
  for (const target of hub.listed(region.clock.now())) hub.deregister(target, region.clock.now());
  await region.clock.advance(600_000);
  for (let number = 0; number < 10; number++) region.group({ name: `far-${number}`, targetType: "ip", vpcId: HUB_VPC });
  for (let number = 0; number < 10; number++) region.group({ name: `by-id-${number}`, vpcId: HUB_VPC });
  region.calls.splice(0);
  expect(await drain()).toMatchObject({ status: "drained" });
  const reads = region.callsOf("DescribeTargetHealth").map((params) => params.get("TargetGroupArn") ?? "");
  expect(reads.filter((arn) => /far-|hub/.test(arn))).toHaveLength(11);
  expect(reads.filter((arn) => arn.includes("by-id"))).toEqual([]);
  // By its id alone, to resolve it; and whether it is terminated, every few seconds.
  const byAddress = region
    .callsOf("DescribeInstances")
    .filter((params) => params.get("Filter.1.Name") === "network-interface.addresses.private-ip-address");
  expect(byAddress).toEqual([]);
});
