import {
  ElasticLoadBalancingClient,
  waitUntilInstanceDeregistered,
  waitUntilInstanceInService,
} from "@aws-sdk/client-elastic-load-balancing";
import {
  CreateLoadBalancerCommand,
  ElasticLoadBalancingV2Client,
  waitUntilLoadBalancerAvailable,
  waitUntilTargetDeregistered,
  waitUntilTargetInService,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { expect, test } from "vitest";
import { CREDENTIALS, SimulatedRegion, VPC } from "../support/simulated-region.ts";
import { endpointWherePollsTake } from "./support/passing-time.ts";

/** The waiters' own delay, which passes in virtual time. Really they hardly wait. */
const POLL_MS = 15_000;
const WAITER = { minDelay: 0.001, maxDelay: 0.001, maxWaitTime: 20 };

async function scene() {
  const region = new SimulatedRegion();
  const endpoint = await endpointWherePollsTake(POLL_MS, region);
  const config = { endpoint, region: region.world.region, credentials: CREDENTIALS };
  return {
    region,
    v2: { client: new ElasticLoadBalancingV2Client(config), ...WAITER },
    classic: { client: new ElasticLoadBalancingClient(config), ...WAITER },
    polls: () => region.clock.elapsedMs / POLL_MS,
  };
}

test("the SDK's waiter ends when the deregistration delay of the simulated target group is over", async () => {
  const { region, v2, polls } = await scene();
  const node = region.node();
  const group = region.group({ name: "web", nodes: [node], delaySeconds: 60 });
  region.world.deregisterTarget(group, { id: node.id });
  const targets = { TargetGroupArn: group.arn, Targets: [{ Id: node.id }] };
  expect(await waitUntilTargetDeregistered(v2, targets)).toMatchObject({ state: "SUCCESS" });
  expect(polls()).toBe(5);
});

test("the SDK's waiter ends when a new simulated load balancer is active", async () => {
  const { region, v2, polls } = await scene();
  const command = new CreateLoadBalancerCommand({ Name: "front", Subnets: [`subnet-${VPC}-a`, `subnet-${VPC}-b`] });
  const { LoadBalancers = [] } = await region.clients().v2.send(command);
  const LoadBalancerArns = LoadBalancers.flatMap(({ LoadBalancerArn = "" }) => [LoadBalancerArn]);
  expect(await waitUntilLoadBalancerAvailable(v2, { LoadBalancerArns })).toMatchObject({ state: "SUCCESS" });
  expect(polls()).toBe(9);
});

test("the SDK's waiter ends when a new simulated target has passed its health checks", async () => {
  const { region, v2, polls } = await scene();
  const node = region.node();
  const group = region.group({ name: "web" });
  region.world.registerTarget(group, { id: node.id });
  const targets = { TargetGroupArn: group.arn, Targets: [{ Id: node.id }] };
  expect(await waitUntilTargetInService(v2, targets)).toMatchObject({ state: "SUCCESS" });
  expect(polls()).toBe(4);
});

test("the SDK's waiter doesn't take a draining instance of a simulated classic load balancer for a gone one", async () => {
  const { region, classic, polls } = await scene();
  const node = region.node();
  const web = region.classic({ name: "web", nodes: [node], drainingSeconds: 60 });
  web.requestStarted(node.id);
  region.world.deregisterClassic(web, node.id);
  const instances = { LoadBalancerName: web.name, Instances: [{ InstanceId: node.id }] };
  expect(await waitUntilInstanceDeregistered(classic, instances)).toMatchObject({ state: "SUCCESS" });
  expect(polls()).toBe(5);
});

test("the SDK's waiter ends when a new instance of a simulated classic load balancer is in service", async () => {
  const { region, classic, polls } = await scene();
  const node = region.node();
  const web = region.classic({ name: "web" });
  web.register(node.id, region.clock.now());
  const instances = { LoadBalancerName: web.name, Instances: [{ InstanceId: node.id }] };
  expect(await waitUntilInstanceInService(classic, instances)).toMatchObject({ state: "SUCCESS" });
  expect(polls()).toBe(4);
});
