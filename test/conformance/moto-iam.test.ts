import { RegisterInstancesWithLoadBalancerCommand } from "@aws-sdk/client-elastic-load-balancing";
import { RegisterTargetsCommand } from "@aws-sdk/client-elastic-load-balancing-v2";
import { expect, test } from "vitest";
import { PLAN_ACTIONS } from "../../src/aws/actions.ts";
import { awsProvider } from "../support/provider-calls.ts";
import { Moto } from "./support/moto.ts";
import { describeWith } from "./support/programs.ts";

/** Both kinds of pool, and a classic load balancer that must be asked about the node because it doesn't list it. */
async function scene() {
  const moto = await Moto.start();
  const node = await moto.node();
  const group = await moto.group("web", node.vpcId);
  await moto.loadBalancer("web", "application", group);
  const { v2, classic } = moto.clients;
  await v2.send(new RegisterTargetsCommand({ TargetGroupArn: group, Targets: [{ Id: node.id }] }));
  const Instances = [{ InstanceId: node.id }];
  const LoadBalancerName = await moto.classic("classic");
  await classic.send(new RegisterInstancesWithLoadBalancerCommand({ LoadBalancerName, Instances }));
  await moto.classic("other");
  const clients = moto.clientsOf(await moto.user("planner"));
  const provider = awsProvider(clients, { discovery: "tag", clusterName: "demo" });

  const findWith = async (actions: readonly string[]) => {
    await moto.allow("planner", actions);
    await moto.enforce(true);
    try {
      return await moto.find(node, provider);
    } finally {
      await moto.enforce(false);
    }
  };
  return { findWith };
}

describeWith("moto_server", "With moto checking signatures and policies", () => {
  test("a plan needs no action but those of the documented policy", async () => {
    const { findWith } = await scene();
    const { registrations } = await findWith(PLAN_ACTIONS);
    expect(registrations.map(({ pool }) => pool.name)).toEqual(expect.arrayContaining(["web", "classic"]));
  });

  test("a plan needs each action of the documented policy", async () => {
    const { findWith } = await scene();
    for (const missing of PLAN_ACTIONS) {
      const others = PLAN_ACTIONS.filter((action) => action !== missing);
      await expect(findWith(others)).rejects.toMatchObject({
        code: "access-denied",
        message: expect.stringContaining(`AWS denied ${missing}: `),
      });
    }
  });
});
