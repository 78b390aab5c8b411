import { describe, expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { Drainer } from "../../src/drain/drainer.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { GuardOptions } from "../../src/drain/guard.ts";
import { Metrics } from "../../src/observe/metrics.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { FakeCloud } from "../support/fake-cloud.ts";
import { elbError, never, SimulatedRegion } from "../support/simulated-region.ts";

/** The value of one series, undefined when there is none. Labels as in the exposition. */
async function value(metrics: Metrics, series: string): Promise<number | undefined> {
  const { body } = await metrics.text();
  const line = body.split("\n").find((each) => each.startsWith(`hasta_la_vista_${series} `));
  return line === undefined ? undefined : Number(line.split(" ").at(-1));
}

function scene(guard?: GuardOptions) {
  const clock = new VirtualClock();
  const cloud = new FakeCloud(clock);
  const metrics = new Metrics({ version: "1.2.3", now: () => clock.now() });
  const times = { deadlineMarginMs: 10_000 };
  const drainer = new Drainer({ cloud, clock, times, observers: [metrics.observe], ...(guard && { guard }) });
  const node = cloud.addNode("i-1");
  const ask = (deadlineSeconds?: number, timeoutMs?: number) => {
    const timeout = timeoutMs === undefined ? {} : { timeoutMs };
    const deadline = deadlineSeconds === undefined ? {} : { deadline: clock.now() + deadlineSeconds * 1_000 };
    return drainer.drain({ node: { by: "id", value: "i-1" }, dryRun: false, ...deadline, ...timeout }, never);
  };
  return { clock, cloud, metrics, node, drainer, ask };
}

describe("the metrics", () => {
  test("count drains by outcome, and time them and their holds", async () => {
    const { clock, cloud, metrics, node, ask } = scene();
    cloud.addPool("alb", "web", [node], { drainMs: 60_000 });
    cloud.addPool("nlb", "tcp", [node], { drainMs: 30_000 });
    await clock.run(ask());
    expect(await value(metrics, 'drains_total{outcome="drained"}')).toBe(1);
    expect(await value(metrics, 'drain_duration_seconds_sum{outcome="drained"}')).toBe(210);
    expect(await value(metrics, 'hold_duration_seconds_sum{kind="alb"}')).toBe(60);
    expect(await value(metrics, 'hold_duration_seconds_sum{kind="nlb"}')).toBe(210);
    expect(await value(metrics, "last_success_timestamp_seconds")).toBe(clock.now() / 1_000);
  });

  test("count what the guard kept waiting, and the drains that it refused, which took nobody any time", async () => {
    const guard = { minHealthy: { count: 1 }, waitMs: 10_000, maxVoluntary: { count: 9 } };
    const { clock, cloud, metrics, node, ask, drainer } = scene(guard);
    cloud.addPool("alb", "web", [node], { drainMs: 60_000 });
    const voluntary = { node: { by: "id", value: "i-1" }, dryRun: false, isVoluntary: true } as const;
    await clock.run(drainer.drain(voluntary, never));
    expect(await value(metrics, 'drains_total{outcome="refused"}')).toBe(1);
    expect(await value(metrics, 'drain_duration_seconds_sum{outcome="refused"}')).toBeUndefined();
    await clock.run(ask());
    expect(await value(metrics, 'guarded_registrations_total{verdict="waiting"}')).toBe(1);
    expect(await value(metrics, 'guarded_registrations_total{verdict="kept"}')).toBe(1);
    expect(await value(metrics, 'guarded_registrations_total{verdict="overridden"}')).toBeUndefined();
    cloud.addPool("alb", "api", [node], { drainMs: 30_000 });
    await clock.run(ask(120));
    expect(await value(metrics, 'guarded_registrations_total{verdict="kept"}')).toBe(3);
    expect(await value(metrics, "drains_running")).toBe(0);
    expect(await value(metrics, 'registrations_draining{kind="alb"}')).toBe(0);
  });

  test("show what is held now, and fall to zero when it ends, however it ends", async () => {
    const { clock, cloud, metrics, node, ask } = scene();
    cloud.addPool("alb", "web", [node]);
    cloud.addPool("nlb", "tcp", [node]);
    const drain = ask(120);
    await clock.advance(20_000);
    expect(await value(metrics, "drains_running")).toBe(1);
    expect(await value(metrics, 'registrations_draining{kind="alb"}')).toBe(1);
    expect(await value(metrics, 'registrations_draining{kind="nlb"}')).toBe(1);
    await clock.run(drain);
    expect(await value(metrics, "drains_running")).toBe(0);
    for (const kind of ["alb", "nlb", "gwlb", "classic", "unattached"]) {
      expect(await value(metrics, `registrations_draining{kind="${kind}"}`)).toBe(0);
    }
    expect(await value(metrics, 'drains_total{outcome="deadline-passed"}')).toBe(1);
  });

  test("count a drain once, when the last of its callers has lost patience, and hold nothing up after it", async () => {
    const { clock, cloud, metrics, node, ask } = scene();
    cloud.addPool("alb", "web", [node]);
    const short = ask(undefined, 20_000);
    const long = ask(undefined, 40_000);
    await clock.run(short);
    expect(await value(metrics, 'registrations_draining{kind="alb"}')).toBe(1);
    expect(await value(metrics, 'drains_total{outcome="deadline-passed"}')).toBeUndefined();
    await clock.run(long);
    expect(await value(metrics, 'registrations_draining{kind="alb"}')).toBe(0);
    expect(await value(metrics, "drains_running")).toBe(0);
    expect(await value(metrics, 'drains_total{outcome="deadline-passed"}')).toBe(1);
  });

  test("show nothing as held that a deaf cloud accepts after a drain's end", async () => {
    const { clock, cloud, metrics, node, ask } = scene();
    cloud.addPool("alb", "web", [node]);
    cloud.before = ({ method }) => (method === "deregister" ? clock.sleep(600_000, never) : undefined);
    await clock.run(ask(120));
    await clock.advance(600_000);
    expect(await value(metrics, 'registrations_draining{kind="alb"}')).toBe(0);
    expect(await value(metrics, "drains_running")).toBe(0);
  });

  test.each([
    ["drained", "drained"],
    ["failed", "failed"],
    ["deadline-passed", "deadline-passed"],
    ["abandoned", "abandoned"],
    ["gone", "drained"],
  ])("show nothing as held or running after a drain that ended as %s", async (how, status) => {
    const { clock, cloud, metrics, node, drainer } = scene();
    for (const kind of ["alb", "nlb", "gwlb", "classic", "unattached"] as const) cloud.addPool(kind, kind, [node]);
    const left = newAbort();
    const limit = how === "deadline-passed" ? { deadline: clock.now() + 100_000 } : {};
    if (how === "failed") {
      cloud.before = ({ method, pool }) => {
        if (method === "deregister" && pool === "pool/alb") throw new DrainError("access-denied", "denied");
      };
    }
    const drain = drainer.drain({ node: { by: "id", value: node.id }, dryRun: false, ...limit }, left.signal);
    await clock.advance(30_000);
    expect(await value(metrics, "drains_running")).toBe(1);
    expect(await value(metrics, 'registrations_draining{kind="nlb"}')).toBe(1);
    if (how === "abandoned") left.abort();
    if (how === "gone") cloud.terminated.add(node.id);
    expect((await clock.run(drain)).status).toBe(status);
    expect(await value(metrics, "drains_running")).toBe(0);
    for (const kind of ["alb", "nlb", "gwlb", "classic", "unattached"]) {
      expect(await value(metrics, `registrations_draining{kind="${kind}"}`)).toBe(0);
    }
    expect(await value(metrics, `drains_total{outcome="${status}"}`)).toBe(1);
  });

  test("count requests that ended before their node was found, and no others a second time", async () => {
    const { clock, cloud, metrics, node, drainer } = scene();
    cloud.addPool("alb", "web", [node], { drainMs: 60_000 });
    const ask = (value: string, more = {}) =>
      drainer.drain({ node: { by: "id", value }, dryRun: false, ...more }, never);
    metrics.countWithoutDrain(await clock.run(ask("i-1")));
    metrics.countWithoutDrain(await clock.run(ask("i-unknown")));
    cloud.before = () => clock.sleep(600_000, never);
    const deadline = clock.now() + 60_000;
    metrics.countWithoutDrain(await clock.run(ask("i-2", { deadline })), deadline);
    expect(await value(metrics, 'drains_total{outcome="drained"}')).toBe(1);
    expect(await value(metrics, 'drains_total{outcome="failed"}')).toBe(1);
    expect(await value(metrics, 'drains_total{outcome="deadline-passed"}')).toBe(1);
    expect(await value(metrics, "deadline_margin_seconds_count")).toBe(1);
  });

  test("show no drain as running that a deaf cloud lets plan after its end", async () => {
    const { clock, cloud, metrics, node, ask } = scene();
    cloud.addPool("alb", "web", [node]);
    cloud.before = ({ method }) => (method === "findRegistrations" ? clock.sleep(600_000, never) : undefined);
    await clock.run(ask(120));
    await clock.advance(600_000);
    expect(await value(metrics, "drains_running")).toBe(0);
    expect(await value(metrics, 'drains_total{outcome="deadline-passed"}')).toBe(1);
  });

  test.each([
    ["its own", [{ at: 0, deadlineSeconds: 120 }], 60],
    ["one that is far off, and not what limits the drain", [{ at: 0, deadlineSeconds: 600 }], 540],
    ["one that came with a request that joined it", [{ at: 0 }, { at: 20, deadlineSeconds: 100 }], 60],
  ] as const)("tell how much time was left before a drain's deadline: %s", async (_, requests, left) => {
    const { clock, cloud, metrics, node, ask } = scene();
    cloud.addPool("alb", "web", [node], { drainMs: 60_000 });
    const drains: Promise<unknown>[] = [];
    for (const { at, ...given } of requests) {
      await clock.advance(at * 1_000);
      drains.push(ask("deadlineSeconds" in given ? given.deadlineSeconds : undefined));
    }
    await clock.run(Promise.all(drains));
    expect(clock.elapsedMs).toBe(60_000);
    expect(await value(metrics, "deadline_margin_seconds_sum")).toBe(left);
    expect(await value(metrics, "deadline_margin_seconds_count")).toBe(1);
  });

  test("show no registration as held that has to be deregistered again", async () => {
    const { clock, cloud, metrics, node, ask } = scene();
    const web = cloud.addPool("alb", "web", [node], { drainMs: 60_000 });
    const drain = ask();
    await clock.advance(10_000);
    let refuses = true;
    cloud.before = async ({ method }) => {
      if (method === "deregister" && refuses) await clock.sleep(15_000, never);
    };
    cloud.addRegistration(web, node);
    await clock.advance(55_000);
    refuses = false;
    expect(await value(metrics, 'deregistrations_repeated_total{because="back"}')).toBe(1);
    expect(await value(metrics, 'registrations_draining{kind="alb"}')).toBe(0);
    await clock.advance(20_000);
    expect(await value(metrics, 'registrations_draining{kind="alb"}')).toBe(1);
    await clock.run(drain);
    expect(await value(metrics, 'registrations_draining{kind="alb"}')).toBe(0);
  });

  test("count what had to be deregistered again", async () => {
    const { clock, cloud, metrics, node, ask } = scene();
    const web = cloud.addPool("alb", "web", [node], { drainMs: 60_000 });
    cloud.force(web, "initial");
    const drain = ask();
    await clock.advance(10_000);
    cloud.force(web, undefined);
    await clock.run(drain);
    expect(await value(metrics, 'deregistrations_repeated_total{because="back"}')).toBe(1);
  });

  test("name the version that runs", async () => {
    expect(await value(scene().metrics, 'build_info{version="1.2.3"}')).toBe(1);
  });

  test("count every attempt to call AWS by action and result, throttled ones also apart", async () => {
    const region = new SimulatedRegion();
    const metrics = new Metrics({ version: "x", now: () => 0 });
    const node = region.node();
    region.group({ name: "web", nodes: [node], delaySeconds: 30 });
    region.intercept = ({ action, before }) =>
      action === "DescribeTargetGroups" && before === 0 ? elbError("Throttling", "Rate exceeded") : undefined;
    const { drainer } = region.wholeEngine({}, [], metrics.countCall);
    await region.clock.run(drainer.plan({ node: { by: "id", value: node.id }, dryRun: true }, never));
    expect(
      await value(metrics, 'aws_calls_total{action="elasticloadbalancing:DescribeTargetGroups",result="Throttling"}'),
    ).toBe(1);
    expect(
      await value(metrics, 'aws_calls_total{action="elasticloadbalancing:DescribeTargetGroups",result="ok"}'),
    ).toBe(1);
    expect(await value(metrics, 'aws_throttles_total{action="elasticloadbalancing:DescribeTargetGroups"}')).toBe(1);
    expect(await value(metrics, 'aws_calls_total{action="ec2:DescribeInstances",result="ok"}')).toBe(1);
  });
});
