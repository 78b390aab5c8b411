import { describe, expect, test } from "vitest";
import { ScenarioError } from "../../../src/simulator/scenario/problem.ts";
import { readScenario } from "../../../src/simulator/scenario/read-scenario.ts";

function problemsOf(text: string): readonly string[] {
  try {
    readScenario(text);
    return [];
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    return error.problems;
  }
}

const of = (scenario: unknown) => problemsOf(JSON.stringify(scenario));

const GROUP = { name: "web", protocol: "HTTP", port: 80 };
const forward = (group = "web") => ({ forward: [{ group }] });
const listener = (more = {}) => ({ protocol: "HTTP", port: 80, action: forward(), ...more });
const balancer = (more = {}) => ({ name: "front", type: "application", listeners: [listener()], ...more });
const policy = (more = {}) => ({
  accessKeyId: "narrow",
  document: { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*", ...more }] },
});
const classic = (more = {}) => ({
  name: "old",
  listeners: [{ protocol: "HTTP", port: 80, instancePort: 80 }],
  ...more,
});

test("YAML and JSON are read alike", () => {
  expect(readScenario("instances:\n  - name: a")).toEqual(readScenario('{"instances": [{"name": "a"}]}'));
});

test("an empty scenario is one", () => {
  expect(readScenario("{}")).toEqual({});
});

describe("what is wrong is said with its place", () => {
  test.each<[string, unknown, string]>([
    ["an unknown key", { faultz: [] }, "unknown key 'faultz': did you mean faults?"],
    [
      "an unknown key inside",
      { targetGroups: [{ ...GROUP, prot: 1 }] },
      "targetGroups[0]: unknown key 'prot': did you mean protocol?",
    ],
    [
      "an unknown lag",
      { timing: { slow: 1 } },
      expect.stringMatching(/^timing: unknown key 'slow': the keys here are albDeregistration, .*, dnsTtlMs$/),
    ],
    [
      "a number in place of two",
      { timing: { albDeregistration: 5 } },
      "timing.albDeregistration: 5 is not a list of two numbers, such as [4000, 18000]",
    ],
    [
      "a second zonal shift of a load balancer",
      { targetGroups: [GROUP], loadBalancers: [balancer({ shiftedZones: ["eu-west-1a", "eu-west-1b"] })] },
      "loadBalancers[0].shiftedZones: AWS allows one zonal shift of a load balancer: name one zone",
    ],
    [
      "a fault of an action that AWS does not have",
      { faults: [{ action: "DeregisterTarget", effect: { type: "hang" } }] },
      "faults[0].action: 'DeregisterTarget' is not an action of AWS: did you mean DeregisterTargets?",
    ],
    [
      "a fault of another API's action",
      { faults: [{ api: "elbv2", action: "RunScheduledInstances", effect: { type: "hang" } }] },
      "faults[0].action: 'RunScheduledInstances' is not an action of elbv2: GET /_simulator/actions lists those that are simulated",
    ],
    [
      "a condition in a policy that is not simulated",
      { policies: [policy({ Condition: { IpAddress: {} } })] },
      "policies[0].document.Statement[0].Condition: unknown key 'IpAddress': the keys here are StringEquals, StringLike",
    ],
    [
      "two policies for one access key",
      { policies: [policy(), policy()] },
      "policies[1].accessKeyId: 'narrow' is given twice",
    ],
    [
      "an access key's id that can't be one",
      { policies: [{ ...policy(), accessKeyId: "a/b" }] },
      "policies[0].accessKeyId: give letters and digits",
    ],
    ["a missing key", { instances: [{}] }, "instances[0].name: is missing: it must be a text"],
    [
      "a group that is not there, in a default action",
      { loadBalancers: [balancer({ listeners: [listener()] })] },
      "loadBalancers[0].listeners[0].action.forward[0].group: there is no target group 'web'",
    ],
    [
      "a group that is not there, in a rule",
      {
        targetGroups: [GROUP],
        loadBalancers: [
          balancer(),
          balancer({
            name: "other",
            listeners: [
              {
                ...listener(),
                action: { fixedResponse: { statusCode: "404" } },
                rules: [
                  { priority: 1, paths: ["/a"], action: { fixedResponse: { statusCode: "404" } } },
                  { priority: 2, paths: ["/b"], action: forward("nope") },
                ],
              },
            ],
          }),
        ],
      },
      "loadBalancers[1].listeners[0].rules[1].action.forward[0].group: there is no target group 'nope'",
    ],
    [
      "an instance that is not there",
      { instances: [{ name: "node", count: 2 }], targetGroups: [{ ...GROUP, targets: [{ instances: ["node-3"] }] }] },
      "targetGroups[0].targets[0].instances[0]: there is no instance 'node-3'",
    ],
    [
      "an instance that is not there, in a classic load balancer",
      { classicLoadBalancers: [classic({ instances: ["node"] })] },
      "classicLoadBalancers[0].instances[0]: there is no instance 'node'",
    ],
    [
      "a VPC that is not there",
      { vpcs: [{ id: "vpc-1" }], instances: [{ name: "node", vpc: "vpc-2" }] },
      "instances[0].vpc: there is no VPC 'vpc-2'",
    ],
    [
      "a controller's group that is not there",
      { controllers: [{ intervalSeconds: 1, targetGroups: ["web"] }] },
      "controllers[0].targetGroups[0]: there is no target group 'web'",
    ],
    [
      "a controller's classic load balancer that is not there",
      { controllers: [{ intervalSeconds: 1, classicLoadBalancers: ["old"] }] },
      "controllers[0].classicLoadBalancers[0]: there is no classic load balancer 'old'",
    ],
    [
      "an Auto Scaling group's instance that is not there",
      { autoScalingGroups: [{ name: "workers", instances: ["node"] }] },
      "autoScalingGroups[0].instances[0]: there is no instance 'node'",
    ],
    [
      "an Auto Scaling group's target group that is not there",
      { autoScalingGroups: [{ name: "workers", targetGroups: ["web"] }] },
      "autoScalingGroups[0].targetGroups[0]: there is no target group 'web'",
    ],
    [
      "an Auto Scaling group's classic load balancer that is not there",
      { autoScalingGroups: [{ name: "workers", classicLoadBalancers: ["old"] }] },
      "autoScalingGroups[0].classicLoadBalancers[0]: there is no classic load balancer 'old'",
    ],
    [
      "an Auto Scaling group's target group of addresses",
      {
        targetGroups: [{ ...GROUP, targetType: "ip" }],
        autoScalingGroups: [{ name: "workers", targetGroups: ["web"] }],
      },
      "autoScalingGroups[0].targetGroups[0]: 'web' is of type ip, but an Auto Scaling group registers instances: give a group of type instance",
    ],
    [
      "a machine of two Auto Scaling groups",
      {
        instances: [{ name: "node", count: 2 }],
        autoScalingGroups: [
          { name: "a", instances: ["node"] },
          { name: "b", instances: ["node-2"] },
        ],
      },
      "autoScalingGroups[1].instances[0]: 'node-2' belongs to another Auto Scaling group already",
    ],
    [
      "two Auto Scaling groups of one name",
      { autoScalingGroups: [{ name: "a" }, { name: "a" }] },
      "autoScalingGroups[1].name: 'a' is given twice",
    ],
    [
      "two hooks of one name",
      { autoScalingGroups: [{ name: "a", hooks: [{ name: "drain" }, { name: "drain" }] }] },
      "autoScalingGroups[0].hooks[1].name: 'drain' is given twice",
    ],
    [
      "a hook's timeout that AWS doesn't allow",
      { autoScalingGroups: [{ name: "a", hooks: [{ name: "drain", heartbeatTimeoutSeconds: 29 }] }] },
      "autoScalingGroups[0].hooks[0].heartbeatTimeoutSeconds: is 29: give at least 30",
    ],
    [
      "an Auto Scaling group above its greatest size",
      { instances: [{ name: "node", count: 2 }], autoScalingGroups: [{ name: "a", instances: ["node"], maxSize: 1 }] },
      "autoScalingGroups[0].maxSize: is less than the desired capacity, 2",
    ],
    [
      "an Auto Scaling group below its least size",
      { autoScalingGroups: [{ name: "a", minSize: 1 }] },
      "autoScalingGroups[0].minSize: is more than the desired capacity, 0",
    ],
    [
      "a name for several machines",
      { instances: [{ name: "node", count: 2, privateDnsName: "a.internal" }] },
      "instances[0].privateDnsName: only one machine can have this: remove count, or give each machine its own entry",
    ],
    [
      "a prefix that AWS doesn't give",
      { instances: [{ name: "node", ipv4Prefixes: ["10.0.0.0/24"] }] },
      "instances[0].ipv4Prefixes[0]: give a /28, as AWS does",
    ],
    [
      "an address of two machines",
      {
        instances: [
          { name: "a", firstIp: "10.0.0.1" },
          { name: "b", secondaryIps: ["10.0.0.1"] },
        ],
      },
      "instances: a and b both have the address 10.0.0.1 in vpc-0123456789abcdef0",
    ],
    ["a name given twice", { targetGroups: [GROUP, GROUP] }, "targetGroups[1].name: 'web' is given twice"],
    [
      "a name for load balancers of both APIs",
      { targetGroups: [GROUP], loadBalancers: [balancer()], classicLoadBalancers: [classic({ name: "front" })] },
      "classicLoadBalancers[0].name: 'front' is given twice",
    ],
    [
      "a name that a counted entry makes",
      { instances: [{ name: "node", count: 2 }, { name: "node-2" }] },
      "instances[1].name: 'node-2' is given twice",
    ],
    [
      "two listeners on a port",
      { targetGroups: [GROUP], loadBalancers: [balancer({ listeners: [listener(), listener()] })] },
      "loadBalancers[0].listeners[1].port: '80' is given twice",
    ],
    [
      "a group behind two load balancers",
      { targetGroups: [GROUP], loadBalancers: [balancer(), balancer({ name: "other" })] },
      "loadBalancers[1].listeners[0].action.forward[0].group: 'web' serves another load balancer already",
    ],
    [
      "overlapping ids",
      {
        instances: [
          { name: "a", count: 2, firstId: "i-00000000000000001" },
          { name: "b", firstId: "i-00000000000000002" },
        ],
      },
      "instances: a-2 and b both have the id i-00000000000000002",
    ],
    [
      "overlapping addresses",
      {
        instances: [
          { name: "a", count: 2, firstIp: "10.0.0.255" },
          { name: "b", firstIp: "10.0.1.0" },
        ],
      },
      "instances: a-2 and b both have the address 10.0.1.0 in vpc-0123456789abcdef0",
    ],
    [
      "an attribute that the group has not",
      { targetGroups: [{ ...GROUP, attributes: { "deregistration_delay.timeout": 1 } }] },
      'targetGroups[0].attributes["deregistration_delay.timeout"]: a group for HTTP has no such attribute',
    ],
    [
      "a delay above an hour",
      { targetGroups: [{ ...GROUP, attributes: { "deregistration_delay.timeout_seconds": 3_601 } }] },
      'targetGroups[0].attributes["deregistration_delay.timeout_seconds"]: give seconds from 0 to 3600',
    ],
    [
      "addresses in a group of instances",
      { targetGroups: [{ ...GROUP, targets: [{ addresses: ["10.0.0.1"] }] }] },
      "targetGroups[0].targets[0].addresses: the group takes instances: give targetType: ip",
    ],
    [
      "targets of nothing",
      { targetGroups: [{ ...GROUP, targets: [{}] }] },
      "targetGroups[0].targets[0]: give instances, addresses or both",
    ],
    [
      "two rhythms in one fault",
      { faults: [{ when: { first: 1, every: 2 }, effect: { type: "hang" } }] },
      "faults[0].when: give exactly one of first, every, probability",
    ],
    [
      "an unknown effect",
      { faults: [{ effect: { type: "explode" } }] },
      "faults[0].effect.type: 'explode' is not one of error, latency, stale, refused, reset, hang, malformed, empty",
    ],
    [
      "more processes than a machine should carry",
      { instances: [{ name: "node", count: 51 }] },
      "instances: at most 50 of 51 instances can have processes: give dataPlane: false",
    ],
  ])("%s", (_, scenario, expected) => {
    expect(of(scenario)).toEqual([expected]);
  });

  test("everything at once, also where the shape is wrong elsewhere", () => {
    expect(
      of({
        region: "nowhere",
        instances: [{ name: "node", count: 0 }],
        targetGroups: [{ ...GROUP, port: "80", targets: [{ instances: ["ghost"] }] }],
        loadBalancers: [balancer({ listeners: [listener({ rules: [{ priority: 1, action: forward("nope") }] })] })],
      }),
    ).toEqual([
      "region: give a region such as eu-west-1",
      "instances[0].count: is 0: give at least 1",
      "targetGroups[0].port: '80' is not a number",
      "loadBalancers[0].listeners[0].rules[0]: give paths, hosts or both",
      "loadBalancers[0].listeners[0].rules[0].action.forward[0].group: there is no target group 'nope'",
      "targetGroups[0].targets[0].instances[0]: there is no instance 'ghost'",
    ]);
  });

  test.each([
    ["a string", "instances: all\nloadBalancers: 3\ntargetGroups: [1, [2], null]\nfaults: { a: 1 }"],
    ["text in place of attributes", "targetGroups: [{ attributes: x, targets: [{ addresses: 1 }] }]"],
  ])("%s where a list should be is a problem, not an accident", (_, text) => {
    expect(problemsOf(text).length).toBeGreaterThan(0);
  });
});

test.each([
  [
    "an entry that is indented too far",
    "instances:\n  - name: a\n   count: 2",
    /^line 3, .* the indentation is wrong: /,
  ],
  ["a key that is indented too little", "instances:\n  - name: a\n count: 2", /^line 3, column 1: the indentation is /],
  [
    "a key under a value",
    "region: eu-west-1\n  seed: 2",
    /^line 1, column 9: .*the indentation.* The line is 'region: eu-/,
  ],
  ["the line, as it stands", "instances:\n  - name: a\n   count: 2", / The line is ' {3}count: 2'$/],
  ["a line's beginning", `instances: ["${"a".repeat(200)}`, / The line is 'instances: \["a{67}…'$/],
])("YAML that can't be read is shown: %s", (_, text, expected) => {
  expect(problemsOf(text)[0]).toMatch(expected);
});

test.each(['{"instances": [1, 2', '{"instances": [1}', '{"a": 1\n "b": 2}', '{"a" 1}'])(
  "of JSON such as %j, the missing character is said, and nothing of indentation",
  (text) => {
    expect(problemsOf(text)[0]).toMatch(/^line \d, column \d+: a comma.* missing before this: add it/);
    expect(problemsOf(text).join()).not.toContain("indent");
  },
);
