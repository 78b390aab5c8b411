import {
  DescribeTargetGroupAttributesCommand,
  ModifyTargetGroupAttributesCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { describe, expect, test } from "vitest";
import { carryInside } from "../support/machine-inside.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";
import { Connection, tally } from "./data-plane/clients.ts";
import { DRAINING, HEALTHY, pool } from "./pool.ts";

const TERMINATION = "target_health_state.unhealthy.connection_termination.enabled";
const INTERVAL = "target_health_state.unhealthy.draining_interval_seconds";
/** The time of two failed checks. */
const UNHEALTHY_AFTER_MS = 60_000;
const UNHEALTHY_DRAINING = { State: "unhealthy.draining" };
const UNHEALTHY = { State: "unhealthy", Reason: "Target.Timeout", Description: "Request timed out" };

/** An NLB's group of two nodes, of which the first one does not answer. */
async function failing(attributes: Readonly<Record<string, string>> = { [TERMINATION]: "false", [INTERVAL]: "300" }) {
  const region = new SimulatedRegion();
  const [node, other] = [region.node(), region.node()];
  const group = region.group({ name: "tcp", type: "network", nodes: [node, other] });
  for (const [key, value] of Object.entries(attributes)) group.attributes.set(key, value);
  region.world.setAnswering(node, false);
  const api = pool(region, group);
  const health = async () => (await api.name({ Id: node.id }))[0];
  const receivers = () => group.routable(region.clock.now(), 0, 2).map(({ id }) => id);
  return { region, node, other, group, health, receivers, ...api };
}

// https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html
describe("an unhealthy target of an NLB with an interval for its connections to end", () => {
  test("is unhealthy.draining for that interval, and then unhealthy", async () => {
    const { region, health } = await failing();
    await region.clock.advance(UNHEALTHY_AFTER_MS - 1);
    expect(await health()).toEqual(HEALTHY);
    await region.clock.advance(1);
    expect(await health()).toEqual(UNHEALTHY_DRAINING);
    await region.clock.advance(299_999);
    expect(await health()).toEqual(UNHEALTHY_DRAINING);
    await region.clock.advance(1);
    expect(await health()).toEqual(UNHEALTHY);
  });

  test("is healthy again once it passes its checks, and has the whole interval the next time", async () => {
    const { region, node, health } = await failing();
    await region.clock.advance(UNHEALTHY_AFTER_MS + 200_000);
    region.world.setAnswering(node, true);
    await region.clock.advance(5 * 30_000);
    expect(await health()).toEqual(HEALTHY);
    region.world.setAnswering(node, false);
    await region.clock.advance(UNHEALTHY_AFTER_MS + 299_999);
    expect(await health()).toEqual(UNHEALTHY_DRAINING);
  });

  test("is draining when it is deregistered", async () => {
    const { region, node, health, deregister } = await failing();
    await region.clock.advance(UNHEALTHY_AFTER_MS);
    await deregister({ Id: node.id });
    expect(await health()).toEqual(DRAINING);
  });

  test("gets no new flows, also when no target is healthy, and keeps those that it has", async () => {
    const { region, node, other, receivers } = await failing();
    region.world.setAnswering(node, true);
    const plane = await carryInside(region.world);
    const flows = await Connection.openMany(plane.url("tcp-lb"), 40);
    const own = flows.filter(({ servedBy }) => servedBy === node.id);
    expect(own).not.toHaveLength(0);
    region.world.setAnswering(node, false);
    await region.clock.advance(UNHEALTHY_AFTER_MS);
    expect(await tally(plane.url("tcp-lb"), 40)).toEqual({ [other.id]: 40 });
    for (const flow of own) expect(await flow.send()).toMatchObject({ status: 200, servedBy: node.id });
    region.world.setAnswering(other, false);
    await region.clock.advance(UNHEALTHY_AFTER_MS);
    expect(receivers()).toEqual([]);
    await region.clock.advance(300_000);
    expect(receivers()).toEqual([node.id, other.id]);
  });

  test.each([
    ["its connections are terminated", { [INTERVAL]: "300" }],
    ["the interval is 0", { [TERMINATION]: "false" }],
  ])("is unhealthy at once where %s", async (_, attributes) => {
    const { region, health } = await failing(attributes);
    await region.clock.advance(UNHEALTHY_AFTER_MS);
    expect(await health()).toEqual(UNHEALTHY);
  });
});

describe("the interval", () => {
  const settings = (region: SimulatedRegion, TargetGroupArn: string) => {
    const { v2 } = region.clients();
    return {
      read: async () => {
        const { Attributes = [] } = await v2.send(new DescribeTargetGroupAttributesCommand({ TargetGroupArn }));
        return new Map(Attributes.map(({ Key, Value }) => [Key, Value]));
      },
      set: (Value: string) =>
        v2.send(new ModifyTargetGroupAttributesCommand({ TargetGroupArn, Attributes: [{ Key: INTERVAL, Value }] })),
    };
  };

  // https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
  test.each([
    ["TCP", "true", "0"],
    ["UDP", "false", "0"],
    ["HTTP", undefined, undefined],
    ["GENEVE", undefined, undefined],
  ])("of a group for %s: termination is %s and the interval %s at first", async (protocol, termination, interval) => {
    const region = new SimulatedRegion();
    const type = protocol === "HTTP" ? "application" : protocol === "GENEVE" ? "gateway" : "network";
    const attributes = await settings(region, region.group({ name: "web", type, protocol }).arn).read();
    expect([attributes.get(TERMINATION), attributes.get(INTERVAL)]).toEqual([termination, interval]);
  });

  test("is 0 to 360000 seconds", async () => {
    const region = new SimulatedRegion();
    const group = region.group({ name: "tcp", type: "network" });
    group.attributes.set(TERMINATION, "false");
    const { set, read } = settings(region, group.arn);
    await set("360000");
    expect((await read()).get(INTERVAL)).toBe("360000");
    for (const wrong of ["360001", "-1", "1.5", "soon"])
      await expect(set(wrong)).rejects.toMatchObject({ name: "ValidationError" });
  });
});
