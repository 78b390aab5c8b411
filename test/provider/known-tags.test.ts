import { describe, expect, test } from "vitest";
import { elbError, never, SimulatedRegion } from "../support/simulated-region.ts";

const TAGS = { "kubernetes.io/cluster/demo": "owned" };
const TAG = { DISCOVERY: "tag", CLUSTERNAME: "demo" };

/** So many groups of the cluster, with the same nodes in each. */
function scene({ groups, nodes: count }: { groups: number; nodes: number }, options: Readonly<Record<string, string>>) {
  const region = new SimulatedRegion();
  const nodes = Array.from({ length: count }, () => region.node());
  for (let group = 0; group < groups; group += 1)
    region.group({ name: `g${group}`, nodes, tags: TAGS, delaySeconds: 30 });
  const { drainer } = region.wholeEngine({ QUOTA_SHARE: "0.8", ...options });
  const drain = ({ id }: { readonly id: string }) =>
    drainer.drain({ node: { by: "id", value: id }, dryRun: false }, never);
  const secondsToFirst = () => (region.calls.find(({ action }) => action === "DeregisterTargets")?.at ?? 0) / 1_000;
  const tagCalls = () => region.callsOf("DescribeTags").length;
  return { region, nodes, drain, secondsToFirst, tagCalls };
}

describe("the nodes of a wave share what AWS says of their pools' tags", () => {
  test("twenty nodes in a hundred groups begin as soon as without tags, or half as late again", async () => {
    const seconds = new Map<string, number>();
    for (const options of [{ DISCOVERY: "vpc" }, TAG]) {
      const { region, nodes, drain, secondsToFirst, tagCalls } = scene({ groups: 100, nodes: 20 }, options);
      const outcomes = await region.clock.run(Promise.all(nodes.map(drain)));
      expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(["drained"]));
      seconds.set(options.DISCOVERY, secondsToFirst());
      // A hundred groups and their load balancers, twenty a call.
      if (options.DISCOVERY === "tag") expect(tagCalls()).toBe(10);
    }
    expect(seconds.get("tag")).toBeLessThanOrEqual(1.5 * (seconds.get("vpc") ?? 0));
  });

  test("also those that come one by one, while the first one's answer is awaited", async () => {
    const { region, nodes, drain, tagCalls } = scene({ groups: 20, nodes: 5 }, TAG);
    region.simulator.faults.add({ action: "DescribeTags", effect: { type: "latency", ms: 3_000 } });
    const drains: Promise<unknown>[] = [];
    for (const node of nodes) {
      drains.push(drain(node));
      await region.clock.advance(700);
    }
    await region.clock.run(Promise.all(drains));
    expect(tagCalls()).toBe(2);
  });
});

describe("a pool's tags are remembered for two minutes", () => {
  test("and then asked for again", async () => {
    const { region, nodes, drain, tagCalls } = scene({ groups: 20, nodes: 3 }, TAG);
    const [one, two, three] = nodes as [never, never, never];
    await region.clock.run(drain(one));
    await region.clock.advance(60_000);
    await region.clock.run(drain(two));
    expect(tagCalls()).toBe(2);
    await region.clock.advance(121_000);
    await region.clock.run(drain(three));
    expect(tagCalls()).toBe(4);
  });

  test("but a pool that is new is asked about for the next drain, and it alone", async () => {
    const { region, nodes, drain } = scene({ groups: 20, nodes: 2 }, TAG);
    const [one, two] = nodes as [never, never];
    await region.clock.run(drain(one));
    const added = region.group({ name: "added", nodes: [two], tags: TAGS, delaySeconds: 30 });
    const outcome = await region.clock.run(drain(two));
    expect(outcome).toMatchObject({ status: "drained", elsewhere: [] });
    expect(added.listed(region.clock.now())).toEqual([]);
    const asked = [...(region.callsOf("DescribeTags").at(-1) ?? [])].filter(([name]) =>
      name.startsWith("ResourceArns"),
    );
    expect(asked).toHaveLength(2);
  });

  test("and one drain's failure to learn them is no other's", async () => {
    const { region, nodes, drain } = scene({ groups: 20, nodes: 2 }, TAG);
    const [one, two] = nodes as [never, never];
    region.intercept = ({ action, before }) =>
      action === "DescribeTags" && before < 2 ? elbError("AccessDenied", "no", 403) : undefined;
    expect((await region.clock.run(drain(one))).status).toBe("failed");
    expect((await region.clock.run(drain(two))).status).toBe("drained");
  });
});
