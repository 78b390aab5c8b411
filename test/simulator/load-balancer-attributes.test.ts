import {
  DescribeLoadBalancerAttributesCommand,
  DescribeTargetHealthCommand,
  ModifyLoadBalancerAttributesCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { describe, expect, test } from "vitest";
import type { LoadBalancerType } from "../../src/simulator/world/load-balancer.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";

const CROSS_ZONE = "load_balancing.cross_zone.enabled";

function regionWith(type: LoadBalancerType) {
  const region = new SimulatedRegion();
  const nodes = ["a", "b"].map((zone) => region.node({ zone: `eu-west-1${zone}` }));
  const group = region.group({ name: "web", type, nodes });
  const loadBalancer = region.world.loadBalancerOf(group.arn);
  if (loadBalancer === undefined) throw new Error("the group has a load balancer");
  return { region, group, loadBalancer, v2: region.clients().v2 };
}

describe("the attributes of a load balancer", () => {
  // https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
  test.each<[LoadBalancerType, string]>([
    ["application", "true"],
    ["network", "false"],
    ["gateway", "false"],
  ])("of type %s begin with cross-zone load balancing %s, and can be changed", async (type, before) => {
    const { v2, loadBalancer } = regionWith(type);
    const LoadBalancerArn = loadBalancer.arn;
    const read = async () => {
      const { Attributes = [] } = await v2.send(new DescribeLoadBalancerAttributesCommand({ LoadBalancerArn }));
      return Attributes.find(({ Key }) => Key === CROSS_ZONE)?.Value;
    };
    expect(await read()).toBe(before);
    const Attributes = [{ Key: CROSS_ZONE, Value: "true" }];
    await v2.send(new ModifyLoadBalancerAttributesCommand({ LoadBalancerArn, Attributes }));
    expect(await read()).toBe("true");
  });

  test("that its type does not have are refused", async () => {
    const { v2, loadBalancer } = regionWith("gateway");
    const Attributes = [{ Key: "idle_timeout.timeout_seconds", Value: "60" }];
    const command = new ModifyLoadBalancerAttributesCommand({ LoadBalancerArn: loadBalancer.arn, Attributes });
    await expect(v2.send(command)).rejects.toMatchObject({ Code: "InvalidConfigurationRequest" });
  });
});

test("targets in a zone that traffic was shifted away from stay healthy, say so, and get no traffic", async () => {
  const { region, group, loadBalancer, v2 } = regionWith("application");
  loadBalancer.zonalShifts.begin("eu-west-1b");
  const { TargetHealthDescriptions = [] } = await v2.send(
    new DescribeTargetHealthCommand({ TargetGroupArn: group.arn }),
  );
  expect(
    TargetHealthDescriptions.map(({ TargetHealth, AdministrativeOverride }) => [
      TargetHealth?.State,
      AdministrativeOverride?.State,
    ]),
  ).toEqual([
    ["healthy", "no_override"],
    ["healthy", "zonal_shift_active"],
  ]);
  const [first] = group.listed(region.clock.now());
  expect(group.routable(region.clock.now(), 0, 1).map(({ id }) => id)).toEqual([first?.id]);
});
