import { DescribeInstancesCommand } from "@aws-sdk/client-ec2";
import {
  DeregisterInstancesFromLoadBalancerCommand,
  DescribeLoadBalancersCommand as DescribeClassicsCommand,
  DescribeInstanceHealthCommand,
} from "@aws-sdk/client-elastic-load-balancing";
import {
  DeregisterTargetsCommand,
  DescribeLoadBalancersCommand,
  DescribeTagsCommand,
  DescribeTargetHealthCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { describe, expect, onTestFinished, test } from "vitest";
import { createAwsClients } from "../../src/aws/clients.ts";
import type { Params } from "../../src/simulator/api/params.ts";
import { type Fault, type FaultEffect, faultFor } from "../../src/simulator/faults/fault.ts";
import { AWS_QUOTAS } from "../../src/simulator/quotas/quotas.ts";
import { CREDENTIALS, SimulatedRegion } from "../support/simulated-region.ts";
import { oneAttempt } from "./one-attempt.ts";

const call = { api: "elbv2", action: "DescribeTags", params: {} } as const;
const effect: FaultEffect = { type: "hang" };
const DEREGISTERING = "Instance deregistration currently in progress.";

/** Which of the first `calls` calls a fault strikes, counted from 1. */
function struck(fault: Fault, calls: number): readonly number[] {
  return Array.from({ length: calls }, (_, before) => before)
    .filter((before) => faultFor([fault], call, new Map([[fault, before]])) !== undefined)
    .map((before) => before + 1);
}

describe("a fault strikes", () => {
  test("every call, when it is not told when", () => {
    expect(struck({ effect }, 3)).toEqual([1, 2, 3]);
  });

  test("the first ones", () => {
    expect(struck({ effect, when: { first: 2 } }, 5)).toEqual([1, 2]);
  });

  test("every third", () => {
    expect(struck({ effect, when: { every: 3 } }, 10)).toEqual([3, 6, 9]);
  });

  test("at random as often as it was told to, and the same calls for the same seed", () => {
    const random = (seed: number, probability = 0.25) => struck({ effect, when: { probability, seed } }, 1_000);
    expect(random(1).length).toBeGreaterThan(200);
    expect(random(1).length).toBeLessThan(300);
    expect(random(1)).toEqual(random(1));
    expect(random(1)).not.toEqual(random(2));
    expect(random(1, 0)).toEqual([]);
    expect(random(1, 1)).toHaveLength(1_000);
  });

  test.each<[Pick<Fault, "api" | "action">, boolean]>([
    [{}, true],
    [{ api: "elbv2" }, true],
    [{ api: "classic" }, false],
    [{ action: "DescribeTags" }, true],
    [{ action: "DescribeListeners" }, false],
    [{ api: "classic", action: "DescribeTags" }, false],
  ])("calls that it is about alone: %o", (about, expected) => {
    expect(struck({ ...about, effect }, 1)).toHaveLength(expected ? 1 : 0);
  });

  test("calls that name one thing among others, however deep", () => {
    const targets = (...ids: readonly string[]) => ({
      Targets: { member: Object.fromEntries(ids.map((Id, at) => [at + 1, { Id }])) },
    });
    const fault: Fault = { naming: "i-2", effect };
    const isStruck = (params: Params) => faultFor([fault], { ...call, params }, new Map()) !== undefined;
    expect(isStruck(targets("i-1", "i-2"))).toBe(true);
    expect(isStruck(targets("i-1", "i-22"))).toBe(false);
    expect(isStruck({})).toBe(false);
  });

  test("before those that were added after it", () => {
    const [first, second] = [{ effect, when: { first: 1 } }, { effect }];
    expect(faultFor([first, second], call, new Map())).toBe(first);
    expect(faultFor([first, second], call, new Map([[first, 1]]))).toBe(second);
  });
});

/** A region that fails in one way, whose answers the SDK gets without retries. */
function failing(fault: Omit<Fault, "effect">, failure: FaultEffect) {
  const region = new SimulatedRegion();
  region.simulator.faults.add({ ...fault, effect: failure });
  return { region, ...oneAttempt(region) };
}

const error = { type: "error", code: "HealthUnavailable", status: 500, message: "not now" } as const;

describe("an injected error", () => {
  test("is an answer in the form of each API", async () => {
    const { v2, classic, ec2 } = failing({}, { ...error, code: "Custom" });
    const expected = { name: "Custom", message: "not now", $metadata: { httpStatusCode: 500 } };
    await expect(v2.send(new DescribeLoadBalancersCommand({}))).rejects.toMatchObject(expected);
    await expect(classic.send(new DescribeClassicsCommand({}))).rejects.toMatchObject(expected);
    await expect(ec2.send(new DescribeInstancesCommand({}))).rejects.toMatchObject(expected);
  });

  test("of one version leaves the other alone", async () => {
    const { v2, classic } = failing({ api: "classic", action: "DescribeLoadBalancers" }, error);
    await expect(classic.send(new DescribeClassicsCommand({}))).rejects.toMatchObject({ Code: error.code });
    expect((await v2.send(new DescribeLoadBalancersCommand({}))).LoadBalancers).toEqual([]);
  });

  test("has status 400 unless it is told otherwise, and changes nothing", async () => {
    const { region, v2 } = failing({ when: { first: 1 } }, { type: "error", code: "Custom" });
    const node = region.node();
    const group = region.group({ name: "web", nodes: [node] });
    const command = new DeregisterTargetsCommand({ TargetGroupArn: group.arn, Targets: [{ Id: node.id }] });
    await expect(v2.send(command)).rejects.toMatchObject({ $metadata: { httpStatusCode: 400 } });
    expect(group.named(node, 0)?.deregisteredAt).toBeUndefined();
    await v2.send(command);
    expect(group.listed(region.clock.now())[0]?.deregisteredAt).toBeDefined();
  });

  test("is counted for the calls it is about, not for others", async () => {
    const { v2 } = failing({ action: "DescribeLoadBalancers", when: { every: 2 } }, error);
    const read = () =>
      v2.send(new DescribeLoadBalancersCommand({})).then(
        () => "read",
        () => "failed",
      );
    const outcomes: string[] = [];
    for (let time = 0; time < 4; time++) {
      await v2.send(new DescribeTagsCommand({ ResourceArns: [] })).catch(() => {});
      outcomes.push(await read());
    }
    expect(outcomes).toEqual(["read", "failed", "read", "failed"]);
  });

  test("goes when it is taken away", async () => {
    const region = new SimulatedRegion();
    const { v2 } = oneAttempt(region);
    const remove = region.simulator.faults.add({ effect: error });
    region.simulator.faults.add({ effect: { type: "error", code: "Second" } });
    await expect(v2.send(new DescribeLoadBalancersCommand({}))).rejects.toMatchObject({ Code: error.code });
    remove();
    await expect(v2.send(new DescribeLoadBalancersCommand({}))).rejects.toMatchObject({ name: "Second" });
    region.simulator.faults.clear();
    await v2.send(new DescribeLoadBalancersCommand({}));
  });
});

describe("a stale answer", () => {
  /** A node that was deregistered everywhere, and reads that are a minute old. */
  async function minuteOld() {
    const { region, v2, classic } = failing({}, { type: "stale", ms: 60_000 });
    const node = region.node();
    const group = region.group({ name: "web", nodes: [node] });
    const old = region.classic({ name: "old", nodes: [node], drainingSeconds: 300 });
    await v2.send(new DeregisterTargetsCommand({ TargetGroupArn: group.arn, Targets: [{ Id: node.id }] }));
    const Instances = [{ InstanceId: node.id }];
    const LoadBalancerName = old.name;
    await classic.send(new DeregisterInstancesFromLoadBalancerCommand({ LoadBalancerName, Instances }));
    const seen = async () => {
      const health = await v2.send(new DescribeTargetHealthCommand({ TargetGroupArn: group.arn }));
      const listed = await classic.send(new DescribeClassicsCommand({}));
      const asked = await classic.send(new DescribeInstanceHealthCommand({ LoadBalancerName, Instances }));
      return [
        health.TargetHealthDescriptions?.[0]?.TargetHealth?.State,
        listed.LoadBalancerDescriptions?.[0]?.Instances?.length,
        asked.InstanceStates?.[0]?.Description,
      ];
    };
    return { region, group, old, node, seen };
  }

  test("knows nothing that is younger", async () => {
    const { region, seen } = await minuteOld();
    await region.clock.advance(59_999);
    expect(await seen()).toEqual(["healthy", 1, "N/A"]);
    await region.clock.advance(1);
    expect(await seen()).toEqual(["draining", 0, DEREGISTERING]);
  });

  test("changes nothing: writes take effect at once, and the next read is up to date", async () => {
    const { region, group, old, node, seen } = await minuteOld();
    expect(group.listed(region.clock.now())[0]?.deregisteredAt).toBe(region.clock.now());
    expect(old.isRegistered(node.id)).toBe(false);
    expect(await seen()).toEqual(["healthy", 1, "N/A"]);
    region.simulator.faults.clear();
    expect(await seen()).toEqual(["draining", 0, DEREGISTERING]);
  });
});

/** The same failures without a socket and over one: what is acted upon in two places must look the same. */
const carriers = {
  "without a socket": async (region: SimulatedRegion) => oneAttempt(region),
  "over a socket": async (region: SimulatedRegion) => {
    const endpoint = await region.simulator.listen();
    onTestFinished(() => region.simulator.close());
    const { v2 } = createAwsClients({ region: region.world.region, endpoint, credentials: CREDENTIALS });
    v2.config.retryStrategy = oneAttempt(region).v2.config.retryStrategy;
    return { v2 };
  },
};

describe.each(Object.entries(carriers))("%s", (_, carry) => {
  /** A deregistration under a fault. */
  async function deregistration(failure: FaultEffect) {
    const { region } = failing({}, failure);
    const node = region.node();
    const group = region.group({ name: "web", nodes: [node] });
    const { v2 } = await carry(region);
    const send = (abortSignal?: AbortSignal) =>
      v2.send(
        new DeregisterTargetsCommand({ TargetGroupArn: group.arn, Targets: [{ Id: node.id }] }),
        abortSignal && { abortSignal },
      );
    const isCarriedOut = () => group.listed(region.clock.now())[0]?.deregisteredAt !== undefined;
    return { region, send, isCarriedOut };
  }

  test("a reset connection breaks after the call was carried out", async () => {
    const { send, isCarriedOut } = await deregistration({ type: "reset" });
    await expect(send()).rejects.toThrow(/ECONNRESET|aborted/);
    expect(isCarriedOut()).toBe(true);
  });

  test("a refused connection breaks before the call arrives: nothing is carried out, and nothing counted", async () => {
    const { region, send, isCarriedOut } = await deregistration({ type: "refused" });
    region.simulator.limit({ ...AWS_QUOTAS, registration: { tokens: 1, refillPerSecond: 0 } });
    await expect(send()).rejects.toThrow(/ECONNREFUSED|ECONNRESET|hang up/);
    expect(isCarriedOut()).toBe(false);
    expect(region.simulator.calls).toEqual(new Map());
    region.simulator.faults.clear();
    await send();
    expect(isCarriedOut()).toBe(true);
  });

  test("malformed XML is no answer, though the call was carried out", async () => {
    const { send, isCarriedOut } = await deregistration({ type: "malformed" });
    await expect(send()).rejects.toThrow();
    expect(isCarriedOut()).toBe(true);
  });

  test("an empty answer has status 200 and nothing in it, and the call was carried out", async () => {
    const { send, isCarriedOut } = await deregistration({ type: "empty" });
    const outcome = await send().catch((failure: unknown) => failure);
    expect(outcome).toMatchObject({ $metadata: { httpStatusCode: 200 } });
    expect(isCarriedOut()).toBe(true);
  });

  test("a late answer comes once its time has passed on the world's clock", async () => {
    const { region, send, isCarriedOut } = await deregistration({ type: "latency", ms: 800 });
    const before = region.clock.now();
    let done = false;
    const sent = send().then(() => {
      done = true;
    });
    while (!isCarriedOut()) await new Promise((resolve) => setImmediate(resolve));
    await region.clock.advance(799);
    expect(done).toBe(false);
    await region.clock.advance(1);
    await sent;
    expect(region.clock.now() - before).toBe(800);
  });

  test("a call that hangs hangs until its caller gives up, and was carried out", async () => {
    const { region, send, isCarriedOut } = await deregistration({ type: "hang" });
    const leave = new AbortController();
    const sent = send(leave.signal);
    sent.catch(() => {});
    while (!isCarriedOut()) await new Promise((resolve) => setImmediate(resolve));
    await region.clock.advance(3_600_000);
    leave.abort();
    await expect(sent).rejects.toMatchObject({ name: "AbortError" });
  });
});
