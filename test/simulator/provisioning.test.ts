import {
  type CreateListenerCommandInput,
  CreateRuleCommand,
  DescribeLoadBalancersCommand,
  DescribeTargetHealthCommand,
  ModifyListenerCommand,
  RegisterTargetsCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { describe, expect, test } from "vitest";
import { builder, forward } from "./builder.ts";

const SECOND_MS = 1_000;

/** An ALB that was created just now, with a listener to the group `web` of one node. */
async function scene() {
  const { region, v2, group, loadBalancer, listener } = builder();
  const node = region.node();
  const grouped = async (name: string) => {
    const TargetGroupArn = await group(name);
    await v2.send(new RegisterTargetsCommand({ TargetGroupArn, Targets: [{ Id: node.id }] }));
    return TargetGroupArn;
  };
  const web = await grouped("web");
  const LoadBalancerArn = await loadBalancer("front");
  const ListenerArn = await listener(LoadBalancerArn, web);
  const state = async () => {
    const { LoadBalancers } = await v2.send(new DescribeLoadBalancersCommand({ LoadBalancerArns: [LoadBalancerArn] }));
    return LoadBalancers?.[0]?.State?.Code;
  };
  const health = async (TargetGroupArn = web) => {
    const { TargetHealthDescriptions } = await v2.send(new DescribeTargetHealthCommand({ TargetGroupArn }));
    const { State, Reason } = TargetHealthDescriptions?.[0]?.TargetHealth ?? {};
    return Reason === undefined ? State : `${State} ${Reason}`;
  };
  const receivers = (arn = web) => region.world.targetGroup(arn).routable(region.clock.now(), 0, 1).length;
  return { clock: region.clock, v2, web, grouped, ListenerArn, state, health, receivers };
}

// https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerState.html
describe("a load balancer that was created", () => {
  test("is provisioning for two minutes, in which its targets are registered and get nothing", async () => {
    const { clock, state, health, receivers } = await scene();
    expect([await state(), await health(), receivers()]).toEqual([
      "provisioning",
      "initial Elb.RegistrationInProgress",
      0,
    ]);
    await clock.advance(120 * SECOND_MS - 1);
    expect([await state(), await health()]).toEqual(["provisioning", "initial Elb.RegistrationInProgress"]);
    await clock.advance(1);
    expect([await state(), receivers()]).toEqual(["active", 0]);
    await clock.advance(5 * SECOND_MS);
    expect([await health(), receivers()]).toEqual(["initial Elb.InitialHealthChecking", 1]);
    await clock.advance(30 * SECOND_MS);
    expect([await health(), receivers()]).toEqual(["healthy", 1]);
  });
});

describe("a target group that comes into use", () => {
  const green = (DefaultActions: CreateListenerCommandInput["DefaultActions"], ListenerArn: string) =>
    new ModifyListenerCommand({ ListenerArn, DefaultActions });

  test("when a listener moves to it is checked from then on, and the old one is unused", async () => {
    const { clock, v2, web, grouped, ListenerArn, health, receivers } = await scene();
    const other = await grouped("other");
    await clock.advance(600 * SECOND_MS);
    expect([await health(), await health(other)]).toEqual(["healthy", "unused Target.NotInUse"]);
    await v2.send(green([forward(other)], ListenerArn));
    expect([await health(), await health(other)]).toEqual([
      "unused Target.NotInUse",
      "initial Elb.RegistrationInProgress",
    ]);
    expect(receivers(other)).toBe(0);
    await clock.advance(35 * SECOND_MS);
    expect([await health(web), await health(other)]).toEqual(["unused Target.NotInUse", "healthy"]);
    expect(receivers(other)).toBe(1);
  });

  test("by a rule is not checked anew when the listener moves to it", async () => {
    const { clock, v2, grouped, ListenerArn, health } = await scene();
    const other = await grouped("other");
    const Conditions = [{ Field: "path-pattern", Values: ["/test"] }];
    await v2.send(new CreateRuleCommand({ ListenerArn, Priority: 1, Conditions, Actions: [forward(other)] }));
    await clock.advance(600 * SECOND_MS);
    await v2.send(green([forward(other)], ListenerArn));
    expect(await health(other)).toBe("healthy");
  });
});
