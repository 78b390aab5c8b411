import { describe, expect, test } from "vitest";
import { ALL_CASES } from "../support/cases.ts";
import { elbError, never, SimulatedRegion } from "../support/simulated-region.ts";
import { warmEngine } from "../support/warm-engine.ts";

const TAGS = { "kubernetes.io/cluster/demo": "owned" };
/** So many groups the nodes of a wave are in: whole calls about twenty of them. */
const GROUPS = ALL_CASES ? 100 : 40;
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
  test(`twenty nodes in ${GROUPS} groups begin as soon as without tags, or half as late again`, async () => {
    const seconds = new Map<string, number>();
    for (const options of [{ DISCOVERY: "vpc" }, TAG]) {
      const { region, nodes, drain, secondsToFirst, tagCalls } = scene({ groups: GROUPS, nodes: 20 }, options);
      const outcomes = await region.clock.run(Promise.all(nodes.map(drain)));
      expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(["drained"]));
      seconds.set(options.DISCOVERY, secondsToFirst());
      // The groups and their load balancers, twenty a call.
      if (options.DISCOVERY === "tag") expect(tagCalls()).toBe((2 * GROUPS) / 20);
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

describe("the index with DISCOVERY=tag", () => {
  test("reads tags again before they are too old, so that a drain never waits for them", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    for (let group = 0; group < 30; group += 1) region.group({ name: `g${group}`, nodes: [node], tags: TAGS });
    const { drainer } = await warmEngine(region, TAG);
    await region.clock.advance(300_000);
    const before = region.calls.length;
    const drain = drainer.drain({ node: { by: "id", value: node.id }, dryRun: false }, never);
    await region.clock.advance(2_000);
    const calls = region.calls.slice(before).map(({ action }) => action);
    expect(calls).toContain("DeregisterTargets");
    expect(calls.slice(0, calls.indexOf("DeregisterTargets"))).not.toContain("DescribeTags");
    await region.clock.run(drain);
  });

  test("counts a tag that was taken away within two minutes", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    const group = region.group({ name: "web", nodes: [node], tags: TAGS });
    const { drainer } = await warmEngine(region, TAG);
    group.tags.clear();
    await region.clock.advance(121_000);
    const status = await region.clock.run(drainer.status({ by: "id", value: node.id }, never));
    expect(status.elsewhere.map(({ pool }) => pool.name)).toEqual(["web"]);
  });

  test("asks for no tags where drains need none", async () => {
    const region = new SimulatedRegion();
    region.group({ name: "web", nodes: [region.node()] });
    await warmEngine(region);
    await region.clock.advance(300_000);
    expect(region.callsOf("DescribeTags")).toEqual([]);
  });
});
