import { expect, test } from "vitest";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

/** ELB calls by action, both APIs apart, in the order of their first call. */
function callsByAction(region: SimulatedRegion): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { action, params } of region.calls) {
    if (params.get("Version") === "2016-11-15") continue;
    const name = `${params.get("Version") === "2012-06-01" ? "classic" : "v2"} ${action}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

test("a cold drain among 50 groups and 5 classic load balancers, with 12 registrations and a delay of 30 s, costs so many calls", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  for (let number = 0; number < 50; number++) {
    region.group({ name: `g${number}`, nodes: number < 10 ? [node] : [], delaySeconds: 30 });
  }
  for (let number = 0; number < 5; number++) {
    region.classic({ name: `c${number}`, nodes: number < 2 ? [node] : [], drainingSeconds: 30 });
  }

  const request = { node: { by: "id", value: node.id }, dryRun: false } as const;
  expect(await region.clock.run(region.engine().drain(request, never))).toMatchObject({ status: "drained" });

  expect(region.clock.elapsedMs).toBe(30_000);
  expect(callsByAction(region)).toEqual({
    "v2 DescribeTargetGroups": 1,
    "classic DescribeLoadBalancers": 1,
    // One a group to find the node; then, for each of its ten, one that reads back and one at the end.
    "v2 DescribeTargetHealth": 50 + 10 + 10,
    "v2 DescribeTargetGroupAttributes": 10,
    "classic DescribeLoadBalancerAttributes": 2,
    // The three that don't list the node are asked by name; then one look each at the other two.
    "classic DescribeInstanceHealth": 3 + 2,
    "v2 DeregisterTargets": 10,
    "classic DeregisterInstancesFromLoadBalancer": 2,
  });
});

test("a drain that finds nothing costs no call more than the search", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "g" });
  const request = { node: { by: "id", value: node.id }, dryRun: false } as const;
  expect(await region.clock.run(region.engine().drain(request, never))).toMatchObject({ status: "nothing-registered" });
  expect(callsByAction(region)).toEqual({
    "v2 DescribeTargetGroups": 1,
    "classic DescribeLoadBalancers": 1,
    "v2 DescribeTargetHealth": 1,
  });
});

test("nodes in one group are held by the same looks: ten cost one read a look", async () => {
  const region = new SimulatedRegion();
  const nodes = Array.from({ length: 10 }, () => region.node());
  region.group({ name: "tcp", type: "network", nodes, delaySeconds: 30 });
  const engine = region.engine();
  const drains = nodes.map(({ id }) => engine.drain({ node: { by: "id", value: id }, dryRun: false }, never));
  const outcomes = await region.clock.run(Promise.all(drains));
  expect(outcomes.every(({ status }) => status === "drained")).toBe(true);
  // One to find them all, and looks at 7, 67, 127, 187 and 210 s.
  expect(callsByAction(region)["v2 DescribeTargetHealth"]).toBe(1 + 5);
  expect(callsByAction(region)["v2 DeregisterTargets"]).toBe(1);
});
