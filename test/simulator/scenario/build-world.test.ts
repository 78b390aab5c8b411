import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../../src/simulator/clock.ts";
import { buildWorld } from "../../../src/simulator/scenario/build-world.ts";
import { readScenario } from "../../../src/simulator/scenario/read-scenario.ts";

function built(text: string) {
  const { world, ...others } = buildWorld(readScenario(text), new VirtualClock());
  const now = world.clock.now();
  return { world, now, instances: [...world.instances.values()], groups: [...world.targetGroups.values()], ...others };
}

describe("instances", () => {
  test("count on from the first one's id and address, and take the zones in turn", () => {
    const { instances, instanceIds } = built(`
instances:
  - { name: node, count: 3, firstId: i-0000000000000000f, firstIp: 10.0.0.254, zones: [x, y], tags: { team: web } }
`);
    expect(instances.map(({ id, privateIp, zone }) => [id, privateIp, zone])).toEqual([
      ["i-0000000000000000f", "10.0.0.254", "x"],
      ["i-00000000000000010", "10.0.0.255", "y"],
      ["i-00000000000000011", "10.0.1.0", "x"],
    ]);
    expect([...instanceIds.keys()]).toEqual(["node-1", "node-2", "node-3"]);
    expect(instances.every(({ tags }) => tags.get("team") === "web")).toBe(true);
  });

  test("have ids, addresses, zones and a VPC without being told", () => {
    const { instances } = built("instances: [{ name: a }, { name: b, count: 2 }]");
    expect(new Set(instances.map(({ id }) => id)).size).toBe(3);
    expect(instances.map(({ privateIp, zone }) => [privateIp, zone])).toEqual([
      ["10.0.0.10", "eu-west-1a"],
      ["10.1.0.10", "eu-west-1a"],
      ["10.1.0.11", "eu-west-1b"],
    ]);
    expect(instances.every(({ vpcId }) => vpcId === "vpc-0123456789abcdef0")).toBe(true);
  });

  test("may be stopped long ago, and excluded", () => {
    const { world, now, instances } = built("instances: [{ name: a, state: stopped }, { name: b, excluded: true }]");
    expect(instances.map((instance) => instance.state(now, world.timing))).toEqual(["stopped", "running"]);
    expect([...world.excluded]).toEqual([instances[1]?.id]);
  });
});

test("a machine has the name and the further addresses that it is given", () => {
  const { world, instances } = built(`
instances:
  - name: a
    privateDnsName: a.example.internal
    secondaryIps: [10.0.9.1]
    ipv6Addresses: ["2001:db8::1"]
    ipv4Prefixes: [10.0.10.16/28]
    ipv6Prefixes: ["2001:db8:1::/80"]
  - name: b
`);
  const [a] = instances;
  expect(a).toMatchObject({ name: "a.example.internal", secondaryIps: ["10.0.9.1"], ipv6Addresses: ["2001:db8::1"] });
  const addresses = ["10.0.0.10", "10.0.9.1", "2001:db8:0:0::1", "10.0.10.31", "2001:db8:1::f00"];
  expect(addresses.map((address) => world.machineOf(address)?.id)).toEqual(addresses.map(() => a?.id));
  expect(["10.0.10.32", "2001:db8:1:0:1::", "pod"].map((address) => world.machineOf(address))).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test("Auto Scaling groups have their members, what is their own, and their hooks", () => {
  const { world, now, groups, instances } = built(`
instances: [{ name: node, count: 2, zones: [x, y] }, { name: other }]
targetGroups: [{ name: web, protocol: HTTP, port: 80 }]
classicLoadBalancers: [{ name: old, listeners: [{ protocol: HTTP, port: 80, instancePort: 80 }] }]
autoScalingGroups:
  - name: workers
    instances: [node, node-2]
    targetGroups: [web]
    classicLoadBalancers: [old]
    minSize: 1
    maxSize: 7
    hooks:
      - { name: drain }
      - { name: boot, transition: launching, heartbeatTimeoutSeconds: 30, defaultResult: CONTINUE }
    tags: { team: shop }
  - name: empty
`);
  const [workers, empty] = world.autoScalingGroups.values();
  expect(workers?.members(now).map(({ instance }) => instance)).toEqual(instances.slice(0, 2));
  expect(workers).toMatchObject({
    minSize: 1,
    maxSize: 7,
    desiredCapacity: 2,
    zones: ["x", "y"],
    targetGroups: groups,
  });
  expect(workers?.classics).toEqual([...world.classics.values()]);
  expect(workers?.hooks).toEqual([
    {
      name: "drain",
      transition: "autoscaling:EC2_INSTANCE_TERMINATING",
      heartbeatTimeoutSeconds: 3_600,
      defaultResult: "ABANDON",
    },
    {
      name: "boot",
      transition: "autoscaling:EC2_INSTANCE_LAUNCHING",
      heartbeatTimeoutSeconds: 30,
      defaultResult: "CONTINUE",
    },
  ]);
  expect([...(workers?.tags ?? [])]).toEqual([["team", "shop"]]);
  expect(empty).toMatchObject({ desiredCapacity: 0, maxSize: 0, zones: ["eu-west-1a", "eu-west-1b", "eu-west-1c"] });
});

describe("target groups", () => {
  test("hold their targets on every port, healthy unless they are new", () => {
    const { now, groups, instances } = built(`
instances: [{ name: node, count: 2 }]
targetGroups:
  - name: web
    protocol: HTTP
    port: 80
    attributes: { deregistration_delay.timeout_seconds: 5, stickiness.enabled: true }
    healthCheck: { intervalSeconds: 5 }
    targets:
      - { instances: [node], ports: [81, 82] }
      - { instances: [node-1], settled: false }
`);
    const [web] = groups;
    const [first, second] = instances.map(({ id }) => id);
    expect(web?.listed(now).map((target) => [target.id, target.port, web.health(target, now)])).toEqual([
      [first, 81, "healthy"],
      [first, 82, "healthy"],
      [second, 81, "healthy"],
      [second, 82, "healthy"],
      [first, 80, "initial"],
    ]);
    expect(web?.deregistrationDelayMs).toBe(5_000);
    expect(web?.attributes.get("stickiness.enabled")).toBe("true");
    expect(web?.healthCheck).toEqual({ intervalMs: 5_000, healthyThreshold: 5, unhealthyThreshold: 2 });
  });

  test("of type ip hold their instances' addresses, and others", () => {
    const { now, groups } = built(`
instances: [{ name: node, firstIp: 10.0.0.1 }]
targetGroups:
  - { name: web, protocol: TCP, port: 80, targetType: ip, targets: [{ instances: [node], addresses: [10.9.9.9] }] }
`);
    expect(groups[0]?.listed(now).map(({ id, zone }) => [id, zone])).toEqual([
      ["10.0.0.1", "eu-west-1a"],
      ["10.9.9.9", undefined],
    ]);
  });
});

test("load balancers have their listeners, rules and actions", () => {
  const { world, groups } = built(`
targetGroups: [{ name: a, protocol: HTTP, port: 80 }, { name: b, protocol: HTTP, port: 80 }]
loadBalancers:
  - name: front
    type: application
    listeners:
      - protocol: HTTP
        port: 80
        action: { forward: [{ group: a, weight: 3 }, { group: b }] }
        rules:
          - { priority: 1, paths: [/x], hosts: [y], action: { redirect: { statusCode: HTTP_301, host: z } } }
          - { priority: 2, paths: [/x], action: { fixedResponse: { statusCode: "404" } } }
`);
  const [loadBalancer] = world.loadBalancers.values();
  const [a, b] = groups.map(({ arn }) => arn);
  expect(loadBalancer?.listeners).toMatchObject([
    {
      defaultActions: [
        {
          type: "forward",
          groups: [
            { arn: a, weight: 3 },
            { arn: b, weight: 1 },
          ],
        },
      ],
      rules: [
        {
          priority: 1,
          conditions: [
            { field: "path-pattern", values: ["/x"] },
            { field: "host-header", values: ["y"] },
          ],
          actions: [{ type: "redirect", statusCode: "HTTP_301", host: "z" }],
        },
        { priority: 2, actions: [{ type: "fixed-response", statusCode: "404", body: "" }] },
      ],
    },
  ]);
});

test("classic load balancers drain as long as they are told to, and not at all otherwise", () => {
  const { world, now, instances } = built(`
instances: [{ name: node, count: 2 }]
classicLoadBalancers:
  - name: one
    listeners: [{ protocol: HTTP, port: 80, instancePort: 30080 }]
    connectionDrainingSeconds: 7
    healthCheck: { intervalSeconds: 6 }
    instances: [node, node-1]
  - { name: two, listeners: [{ protocol: TCP, port: 443, instancePort: 30443 }] }
`);
  const [one, two] = world.classics.values();
  expect([one?.drainingMs, two?.drainingMs]).toEqual([7_000, 0]);
  expect(one?.registered(now)).toEqual(instances.map(({ id }) => id));
  expect(one?.healthCheck).toEqual({ intervalMs: 6_000, healthyThreshold: 10, unhealthyThreshold: 2 });
  expect(two?.listeners).toEqual([{ protocol: "TCP", port: 443, instanceProtocol: "TCP", instancePort: 30_443 }]);
});

test("region, account and lags are the scenario's", () => {
  const { world } = built(
    'region: us-east-2\naccountId: "111122223333"\ntiming: { albDeregistration: [1, 2], stoppingMs: 3 }',
  );
  expect([world.region, world.accountId]).toEqual(["us-east-2", "111122223333"]);
  expect(world.timing).toMatchObject({ albDeregistration: [1, 2], stoppingMs: 3, pendingMs: 5_000 });
});

describe("Auto Scaling groups that launch", () => {
  test("do so after the time that they are given, and their hooks pass on what they are given", () => {
    const { world } = built(`
instances: [{ name: node }]
autoScalingGroups:
  - { name: launches, launchSeconds: 30.5, instances: [node], hooks: [{ name: drain, notificationMetadata: more }] }
  - { name: does-not }
`);
    const [launches, doesNot] = [...world.autoScalingGroups.values()];
    expect([launches?.launchMs, doesNot?.launchMs]).toEqual([30_500, undefined]);
    expect(launches?.hooks).toMatchObject([{ name: "drain", notificationMetadata: "more" }]);
  });
});
