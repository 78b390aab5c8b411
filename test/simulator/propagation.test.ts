import {
  DescribeLoadBalancersCommand as DescribeClassicsCommand,
  DescribeInstanceHealthCommand,
} from "@aws-sdk/client-elastic-load-balancing";
import { describe, expect, test } from "vitest";
import { SimulatedRegion } from "../support/simulated-region.ts";
import { DRAINING, HEALTHY, NOT_REGISTERED, pool } from "./pool.ts";

/** A region whose API shows a change two seconds late, and a group with one node in it. */
function late() {
  const region = new SimulatedRegion({ apiPropagationMs: 2_000, albDeregistration: [0, 1_000] });
  const node = region.node();
  const group = region.group({ name: "web", nodes: [node], delaySeconds: 60 });
  return { region, node, group, ...pool(region, group) };
}

describe("with a lag of the API", () => {
  test("a deregistration shows after the lag, and its end as much later", async () => {
    const { region, node, deregister, name, list } = late();
    await deregister({ Id: node.id });
    await region.clock.advance(1_999);
    expect(await name({ Id: node.id })).toEqual([HEALTHY]);
    await region.clock.advance(1);
    expect(await name({ Id: node.id })).toEqual([DRAINING]);
    await region.clock.advance(59_999);
    expect(await list()).toHaveLength(1);
    await region.clock.advance(1);
    expect(await name({ Id: node.id })).toEqual([NOT_REGISTERED]);
    expect(await list()).toEqual([]);
  });

  test("traffic obeys the deregistration at once all the same", async () => {
    const { region, node, group, deregister, name } = late();
    const other = region.node();
    region.world.registerTarget(group, { id: other.id }, { settled: true });
    await deregister({ Id: node.id });
    await region.clock.advance(1_000);
    expect(await name({ Id: node.id })).toEqual([HEALTHY]);
    expect(group.routable(region.clock.now(), 1, 2).map(({ id }) => id)).toEqual([other.id]);
  });

  test("a registration shows after the lag", async () => {
    const { region, register, states } = late();
    await register({ Id: region.node().id });
    await region.clock.advance(1_999);
    expect(await states()).toEqual(["healthy"]);
    await region.clock.advance(1);
    expect(await states()).toEqual(["healthy", "initial"]);
  });

  test("a target that was registered again shows as draining until that shows", async () => {
    const { region, node, register, deregister, states } = late();
    await deregister({ Id: node.id });
    await region.clock.advance(5_000);
    await register({ Id: node.id });
    await region.clock.advance(1_999);
    expect(await states()).toEqual(["draining"]);
    await region.clock.advance(1);
    expect(await states()).toEqual(["initial"]);
  });

  test("a classic load balancer shows changes late too, in both of its calls", async () => {
    const { region, node } = late();
    const classic = region.classic({ name: "old", nodes: [node], drainingSeconds: 60 });
    classic.requestStarted(node.id);
    const { classic: client } = region.clients();
    const shown = async () => {
      const Instances = [{ InstanceId: node.id }];
      const command = new DescribeInstanceHealthCommand({ LoadBalancerName: "old", Instances });
      const { InstanceStates } = await client.send(command);
      const { LoadBalancerDescriptions } = await client.send(new DescribeClassicsCommand({}));
      return [InstanceStates?.[0]?.Description, LoadBalancerDescriptions?.[0]?.Instances?.length];
    };
    region.world.deregisterClassic(classic, node.id);
    await region.clock.advance(1_999);
    expect(await shown()).toEqual(["N/A", 1]);
    await region.clock.advance(1);
    expect(await shown()).toEqual(["Instance deregistration currently in progress.", 0]);
    region.world.registerClassic(classic, node.id);
    await region.clock.advance(1_999);
    expect(await shown()).toEqual(["Instance deregistration currently in progress.", 0]);
    await region.clock.advance(1);
    expect(await shown()).toEqual(["Instance registration is still in progress.", 1]);
  });
});
