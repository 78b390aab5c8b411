import { readdirSync, readFileSync } from "node:fs";
import {
  AutoScalingClient,
  DescribeAutoScalingGroupsCommand,
  TerminateInstanceInAutoScalingGroupCommand,
} from "@aws-sdk/client-auto-scaling";
import { DescribeInstancesCommand } from "@aws-sdk/client-ec2";
import { DescribeLoadBalancersCommand as DescribeClassicsCommand } from "@aws-sdk/client-elastic-load-balancing";
import {
  DeregisterTargetsCommand,
  DescribeLoadBalancersCommand,
  DescribeTargetGroupsCommand,
  DescribeTargetHealthCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { describe, expect, onTestFinished, test } from "vitest";
import { createAwsClients } from "../../../src/aws/clients.ts";
import { type Clock, ScaledClock, VirtualClock } from "../../../src/simulator/clock.ts";
import { openRegion } from "../../../src/simulator/scenario/open-region.ts";
import { readScenario, scenarioJsonSchema } from "../../../src/simulator/scenario/read-scenario.ts";
import { CREDENTIALS } from "../../support/simulated-region.ts";
import { DatagramClient } from "../data-plane/datagrams.ts";
import { openQueue } from "../events/queue.ts";

const FOLDER = "docs/scenarios";
const EXAMPLES = readdirSync(FOLDER).filter((file) => file.endsWith(".yaml"));

/** An example's region, open until the test ends, and the SDK's clients for it. Without traffic its machines are no processes. */
async function opened(file: string, clock: Clock = new VirtualClock(), { dataPlane = false } = {}) {
  const scenario = readScenario(readFileSync(`${FOLDER}/${file}`, "utf8"));
  // Whatever listens where an example's queue would be gets nothing from a test.
  const region = await openRegion({ ...scenario, events: [], ...(!dataPlane && { dataPlane }) }, { clock });
  onTestFinished(() => region.close());
  const clients = createAwsClients({ region: region.world.region, endpoint: region.url, credentials: CREDENTIALS });
  return { scenario, region, ...clients };
}

test("there is an example for each thing that a scenario can show", () => {
  expect(EXAMPLES).toEqual([
    "auto-scaling.yaml",
    "controller.yaml",
    "faults.yaml",
    "flows.yaml",
    "permissions.yaml",
    "quick.yaml",
    "small-cluster.yaml",
    "spot.yaml",
    "throttling.yaml",
  ]);
});

test("the published schema is the one that scenarios are checked by (`npm run docs` writes it)", () => {
  expect(JSON.parse(readFileSync(`${FOLDER}/schema.json`, "utf8"))).toEqual(scenarioJsonSchema());
});

describe.each(EXAMPLES)("%s", (file) => {
  test("says on top what it is, and how to run it", () => {
    const [schema, blank, ...lines] = readFileSync(`${FOLDER}/${file}`, "utf8").split("\n");
    expect([schema, blank]).toEqual(["# yaml-language-server: $schema=schema.json", "#"]);
    expect(lines[0]).toMatch(/^# [A-Z]/);
    expect(lines).toContain(`#   hasta-la-vista simulate --scenario ${FOLDER}/${file}`);
  });

  test("is described by the SDK as it is written", async () => {
    const { scenario, region, ec2, classic, v2 } = await opened(file, new ScaledClock(100), { dataPlane: true });
    const instances = await ec2.send(new DescribeInstancesCommand({}));
    expect(instances.Reservations).toHaveLength(region.instanceIds.size);
    const { LoadBalancers = [] } = await v2.send(new DescribeLoadBalancersCommand({}));
    expect(LoadBalancers.map(({ LoadBalancerName }) => LoadBalancerName)).toEqual(
      scenario.loadBalancers?.map(({ name }) => name),
    );
    const { TargetGroups = [] } = await v2.send(new DescribeTargetGroupsCommand({}));
    expect(TargetGroups.map(({ TargetGroupName, Port, Protocol }) => [TargetGroupName, Port, Protocol])).toEqual(
      scenario.targetGroups?.map(({ name, port, protocol }) => [name, port, protocol]),
    );
    expect(TargetGroups.every(({ LoadBalancerArns = [] }) => LoadBalancerArns.length === 1)).toBe(true);
    const { LoadBalancerDescriptions = [] } = await classic.send(new DescribeClassicsCommand({ PageSize: 1 }));
    expect(LoadBalancerDescriptions.map(({ LoadBalancerName }) => LoadBalancerName)).toEqual(
      (scenario.classicLoadBalancers ?? []).map(({ name }) => name),
    );
  });
});

test("throttling.yaml refuses a client that looks at every group at once", async () => {
  const { region } = await opened("throttling.yaml");
  const statuses = [...region.world.targetGroups.keys()].map((arn) => {
    const body = `Version=2015-12-01&Action=DescribeTargetHealth&TargetGroupArn=${encodeURIComponent(arn)}`;
    return region.simulator.answer({ body }).status;
  });
  expect(statuses.filter((status) => status === 200)).toHaveLength(40);
  expect(statuses.filter((status) => status === 400)).toHaveLength(80);
});

test("controller.yaml brings back a node that drains, but not the excluded one", async () => {
  const { region } = await opened("controller.yaml");
  const { world, instanceIds } = region;
  const [group] = world.targetGroups.values();
  if (group === undefined) throw new Error("no group");
  for (const name of ["node-1", "cordoned"]) world.deregisterTarget(group, { id: instanceIds.get(name) ?? "" });
  await (world.clock as VirtualClock).advance(15_000);
  const states = group.listed(world.clock.now()).map((target) => group.apiHealth(target, world.clock.now()).state);
  expect(states).toEqual(["initial", "healthy", "healthy", "draining"]);
});

test("flows.yaml has an entrance for each listener, for connections and for datagrams", async () => {
  const { region } = await opened("flows.yaml", new ScaledClock(1), { dataPlane: true });
  const entrances = region.entrances.map(({ loadBalancer, type, port, url }) => {
    return `${loadBalancer} ${type} ${port} ${new URL(url).protocol}`;
  });
  expect(entrances).toEqual([
    "flows network 443 http:",
    "flows network 514 udp:",
    "flows network 53 http:",
    "flows network 53 udp:",
    "inspection gateway 6081 http:",
    "inspection gateway 6081 udp:",
  ]);
  for (const { url } of region.entrances.filter(({ url }) => url.startsWith("udp:"))) {
    const client = await DatagramClient.open(url);
    expect([...region.instanceIds.values()]).toContain(await client.ask());
  }
});

test("auto-scaling.yaml holds a machine for its hook, and knows addresses by their machine", async () => {
  const { region } = await opened("auto-scaling.yaml");
  const { world, url } = region;
  const scaling = new AutoScalingClient({ region: world.region, endpoint: url, credentials: CREDENTIALS });
  const InstanceId = region.instanceIds.get("node-1");
  await scaling.send(
    new TerminateInstanceInAutoScalingGroupCommand({ InstanceId, ShouldDecrementDesiredCapacity: false }),
  );
  const states = async () => {
    const { AutoScalingGroups } = await scaling.send(new DescribeAutoScalingGroupsCommand({}));
    return AutoScalingGroups?.flatMap(({ Instances }) => Instances?.map(({ LifecycleState }) => LifecycleState));
  };
  expect(await states()).toEqual(["Terminating", "InService", "InService", "InService"]);
  await (world.clock as VirtualClock).advance(20_000);
  expect(await states()).toEqual(["Terminating:Wait", "InService", "InService", "InService"]);
  await (world.clock as VirtualClock).advance(300_000);
  expect(world.instance(InstanceId ?? "")?.terminatedAt).toBe(world.clock.now());
  expect(world.machineOf("10.1.4.20")?.name).toBe("pods.scaled.internal");
});

test("spot.yaml takes machines back, tells them and a queue, and launches others, which a controller registers", async () => {
  const { url, endpoint, receive } = await openQueue();
  const scenario = readScenario(readFileSync(`${FOLDER}/spot.yaml`, "utf8"));
  const clock = new VirtualClock();
  const region = await openRegion({ ...scenario, dataPlane: false, events: [{ queue: url, endpoint }] }, { clock });
  onTestFinished(() => region.close());
  const { world, metadata, queues, instanceIds } = region;
  const [first = "", second = "", third = ""] = ["node-1", "node-2", "node-3"].map((name) => instanceIds.get(name));
  expect([queues, metadata.map(({ instanceId }) => instanceId)]).toEqual([[url], [...instanceIds.values()]]);
  const read = async (id: string, path: string) => {
    const service = metadata.find(({ instanceId }) => instanceId === id)?.url ?? "";
    const ttl = { "x-aws-ec2-metadata-token-ttl-seconds": "60" };
    const token = await (await fetch(`${service}/latest/api/token`, { method: "PUT", headers: ttl })).text();
    const headers = { "x-aws-ec2-metadata-token": token };
    return (await fetch(`${service}/latest/meta-data/${path}`, { headers })).text();
  };
  expect(await read(third, "events/maintenance/scheduled")).toContain("system-reboot");
  await clock.advance(120_000);
  expect(await read(first, "spot/instance-action")).toBe('{"action":"terminate","time":"2026-01-01T00:03:00Z"}');
  expect(await read(second, "events/recommendations/rebalance")).toBe('{"noticeTime":"2026-01-01T00:02:00Z"}');
  // The queue is no part of virtual time.
  const heard = async () => {
    const events: { readonly "detail-type": string }[] = [];
    await expect.poll(async () => events.push(...(await receive()))).toBe(3);
    return events.map((event) => event["detail-type"]).sort();
  };
  expect(await heard()).toEqual([
    "AWS Health Event",
    "EC2 Instance Rebalance Recommendation",
    "EC2 Spot Instance Interruption Warning",
  ]);
  await clock.advance(60_000 + 45_000 + 5_000 + 10_000);
  const launched = [...world.instances.keys()].filter((id) => ![...instanceIds.values()].includes(id));
  expect(launched).toHaveLength(1);
  const groupsOf = (id: string) =>
    [...world.targetGroups.values()].filter((group) => group.listed(clock.now()).some((target) => target.id === id));
  expect(groupsOf(launched[0] ?? "").map(({ name }) => name)).toEqual(["own", "web"]);
});

test("faults.yaml fails the first two looks at a group's health", async () => {
  const { region, v2 } = await opened("faults.yaml");
  const [TargetGroupArn] = region.world.targetGroups.keys();
  const look = () => v2.send(new DescribeTargetHealthCommand({ TargetGroupArn }));
  for (const _ of ["first", "second"])
    await expect(look()).rejects.toThrow("The health of the targets is not available.");
  expect((await look()).TargetHealthDescriptions).toHaveLength(2);
});

test("small-cluster.yaml carries requests by its rules", async () => {
  const { region } = await opened("small-cluster.yaml", new VirtualClock(), { dataPlane: true });
  const front = region.entrances.find(({ loadBalancer }) => loadBalancer === "front")?.url;
  expect(await (await fetch(`${front}/healthz`)).text()).toBe("well");
  expect((await fetch(`${front}/`)).headers.get("x-served-by")).toMatch(/^i-0a00000000000000[123]$/);
  expect((await fetch(`${front}/api/orders`)).headers.get("x-served-by")).toMatch(/^i-0a00000000000000[12]$/);
});

test("permissions.yaml lets its narrow access key drain the tagged group, and no other", async () => {
  const { region } = await opened("permissions.yaml");
  const credentials = { ...CREDENTIALS, accessKeyId: "narrow" };
  const { v2 } = createAwsClients({ region: region.world.region, endpoint: region.url, credentials });
  const [tagged, bare] = [...region.world.targetGroups.keys()];
  const Targets = [{ Id: region.instanceIds.get("node") }];
  await v2.send(new DeregisterTargetsCommand({ TargetGroupArn: tagged, Targets }));
  await expect(v2.send(new DeregisterTargetsCommand({ TargetGroupArn: bare, Targets }))).rejects.toThrow(
    `User: arn:aws:iam::123456789012:user/hasta-la-vista is not authorized to perform: elasticloadbalancing:DeregisterTargets on resource: ${bare}`,
  );
});
