import { expect, onTestFinished, test } from "vitest";
import { RemoteSimulator } from "../../bench/process/remote-simulator.ts";
import { deregisterTargets, describeTargetHealth, elements, queryBody } from "../../bench/query.ts";
import { buildRegion, nodeId } from "../../bench/region.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { never } from "../support/simulated-region.ts";

const PLAN = { nodes: 2, groups: 1, classics: 0, memberGroups: 1, memberClassics: 0, delaySeconds: 30 };

test("a simulator in another process answers as one in this, and its time is the caller's", async () => {
  const clock = new VirtualClock();
  const remote = await RemoteSimulator.start(PLAN, clock);
  onTestFinished(() => remote.close());
  const [group = ""] = buildRegion(PLAN, clock).groupArns;
  const states = async () => {
    const listed = elements(await remote.call(queryBody(describeTargetHealth(group))), "State");
    return listed.filter((state) => state !== "no_override");
  };

  const work = async () => {
    expect(await states()).toEqual(["healthy", "healthy", "healthy"]);
    await remote.call(queryBody(deregisterTargets(group, [nodeId(0)])));
    await clock.sleep(29_999, never);
    expect(await states()).toEqual(["draining", "healthy", "healthy"]);
    await clock.sleep(1, never);
    expect(await states()).toEqual(["healthy", "healthy"]);
  };
  await clock.run(Promise.all([work(), clock.sleep(60_000, never)]));
  expect(clock.elapsedMs).toBe(60_000);
});

test("calls to a simulator whose process has ended fail, and say so", async () => {
  const clock = new VirtualClock();
  const remote = await RemoteSimulator.start(PLAN, clock);
  // It is ended first: a call that is made before may be answered.
  const closed = remote.close();
  const call = remote.call(queryBody(describeTargetHealth("none")));
  await expect(call).rejects.toThrow("process ended");
  await closed;
});
