import { describe, expect, test } from "vitest";
import { type PolicyNeeds, policyFor } from "../../src/aws/policy.ts";
import { queueAddress } from "../../src/aws/queue-address.ts";

const DRAIN: PolicyNeeds = { writes: true, discovery: "vpc", scope: "vpc" };
const TAGGED: PolicyNeeds = { ...DRAIN, scope: "tag", clusterName: "demo" };

const actions = (needs: PolicyNeeds) => policyFor(needs).Statement.flatMap(({ Action }) => Action);
const writes = (needs: PolicyNeeds) => policyFor(needs).Statement.slice(1);

describe("the printed policy", () => {
  test("lets a plan read, and nothing else", () => {
    expect(policyFor({ ...DRAIN, writes: false }).Statement).toHaveLength(1);
    const all = (["vpc", "tag"] as const).flatMap((discovery) => actions({ ...TAGGED, discovery, writes: false }));
    expect(all.filter((action) => !/^(ec2|elasticloadbalancing):Describe[A-Z]/.test(action))).toEqual([]);
  });

  test.each<[Partial<PolicyNeeds>, boolean]>([
    [{}, false],
    [{ discovery: "tag" }, true],
    [{ scope: "tag", clusterName: "demo" }, true],
    [{ scope: "tag", clusterName: "demo", writes: false }, true],
  ])("with %j lets tags be read: %s", (needs, expected) => {
    expect(actions({ ...DRAIN, ...needs }).includes("elasticloadbalancing:DescribeTags")).toBe(expected);
  });

  test("has one prefix for both versions of Elastic Load Balancing, and no wildcard in an action", () => {
    const all = actions({ ...TAGGED, discovery: "tag" });
    expect(new Set(all.map((action) => action.split(":")[0]))).toEqual(new Set(["ec2", "elasticloadbalancing"]));
    expect(all.filter((action) => action.includes("*"))).toEqual([]);
  });

  test("lets classic load balancers and target groups be written, and nothing else, whatever their tags", () => {
    expect(writes(DRAIN)).toEqual([
      {
        Effect: "Allow",
        Action: ["elasticloadbalancing:DeregisterInstancesFromLoadBalancer", "elasticloadbalancing:DeregisterTargets"],
        Resource: [
          "arn:aws:elasticloadbalancing:*:*:loadbalancer/*",
          "arn:aws:elasticloadbalancing:*:*:targetgroup/*/*",
        ],
      },
    ]);
  });

  test.each([DRAIN, TAGGED])(
    "lets the same pools be written again with undo, and without it nothing be registered: %j",
    (needs) => {
      const withUndo = writes({ ...needs, undo: true });
      expect(withUndo.map(({ Resource, Condition }) => ({ Resource, Condition }))).toEqual(
        writes(needs).map(({ Resource, Condition }) => ({ Resource, Condition })),
      );
      const added = actions({ ...needs, undo: true }).filter((action) => !actions(needs).includes(action));
      expect(new Set(added)).toEqual(
        new Set(["elasticloadbalancing:RegisterInstancesWithLoadBalancer", "elasticloadbalancing:RegisterTargets"]),
      );
      expect(actions({ ...needs, undo: true, writes: false })).toEqual(actions({ ...needs, writes: false }));
    },
  );

  test("for the tag has a statement for the tag of each controller, because conditions of one must all hold", () => {
    expect(writes(TAGGED).map(({ Condition }) => Condition)).toEqual([
      { StringEquals: { "aws:ResourceTag/kubernetes.io/cluster/demo": ["owned", "shared"] } },
      { StringEquals: { "aws:ResourceTag/elbv2.k8s.aws/cluster": "demo" } },
      { StringEquals: { "aws:ResourceTag/eks:eks-cluster-name": "demo" } },
      { StringEquals: { "aws:ResourceTag/ingress.k8s.aws/cluster": "demo" } },
      { StringEquals: { "aws:ResourceTag/KubernetesCluster": "demo" } },
    ]);
  });

  test.each<[string, Partial<PolicyNeeds>, string]>([
    ["neither region nor partition", {}, "arn:aws:elasticloadbalancing:*:*:"],
    ["a region", { region: "eu-west-1" }, "arn:aws:elasticloadbalancing:eu-west-1:*:"],
    ["a region in China", { region: "cn-north-1" }, "arn:aws-cn:elasticloadbalancing:cn-north-1:*:"],
    ["a region of GovCloud", { region: "us-gov-west-1" }, "arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:*:"],
    ["a sovereign region", { region: "eusc-de-east-1" }, "arn:aws-eusc:elasticloadbalancing:eusc-de-east-1:*:"],
    ["an isolated region", { region: "us-isob-east-1" }, "arn:aws-iso-b:elasticloadbalancing:us-isob-east-1:*:"],
    ["a partition", { partition: "aws-cn" }, "arn:aws-cn:elasticloadbalancing:*:*:"],
    ["both", { region: "cn-north-1", partition: "aws-cn" }, "arn:aws-cn:elasticloadbalancing:cn-north-1:*:"],
  ])("for %s names it in every ARN", (_, where, start) => {
    const arns = [DRAIN, TAGGED].flatMap((needs) => writes({ ...needs, ...where }).flatMap(({ Resource }) => Resource));
    expect(arns.every((arn) => arn.startsWith(start))).toBe(true);
  });

  test("for the machine's own hook lets it be found and answered, and no queue be read", () => {
    const needs = { ...DRAIN, region: "eu-west-1", ownHook: true };
    const [read, , ...others] = policyFor(needs).Statement;
    const without = policyFor(DRAIN).Statement[0]?.Action ?? [];
    expect(read?.Action).toEqual([
      "autoscaling:DescribeAutoScalingInstances",
      "autoscaling:DescribeLifecycleHooks",
      ...without,
    ]);
    expect(others).toEqual([
      {
        Effect: "Allow",
        Action: ["autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"],
        Resource: "arn:aws:autoscaling:eu-west-1:*:autoScalingGroup:*:autoScalingGroupName/*",
      },
    ]);
  });

  test("for a queue lets its messages be received, and hooks be answered, and nothing else", () => {
    const queue = queueAddress("https://sqs.eu-west-1.amazonaws.com/123456789012/departures");
    const needs = { ...DRAIN, region: "eu-west-1", queue };
    expect(policyFor(needs).Statement[0]?.Action).toContain("autoscaling:DescribeLifecycleHooks");
    expect(writes(needs).slice(1)).toEqual([
      {
        Effect: "Allow",
        Action: ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage", "sqs:SendMessage"],
        Resource: "arn:aws:sqs:eu-west-1:123456789012:departures",
      },
      {
        Effect: "Allow",
        Action: ["autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"],
        Resource: "arn:aws:autoscaling:eu-west-1:*:autoScalingGroup:*:autoScalingGroupName/*",
      },
    ]);
  });

  test.each<[string, string, Partial<PolicyNeeds>, string]>([
    ["its name", "departures", {}, "arn:aws:sqs:*:*:departures"],
    ["its name, in a region", "departures", { region: "cn-north-1" }, "arn:aws-cn:sqs:cn-north-1:*:departures"],
    [
      "a URL of another region",
      "https://sqs.us-gov-west-1.amazonaws.com/123456789012/departures",
      { region: "eu-west-1" },
      "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:departures",
    ],
  ])("for a queue by %s names that queue alone", (_, given, where, arn) => {
    const statement = writes({ ...DRAIN, ...where, queue: queueAddress(given) })[1];
    expect(statement?.Resource).toBe(arn);
    expect(statement?.Action.includes("sqs:GetQueueUrl")).toBe(!given.includes("/"));
  });

  test("for a function lets Lambda look at the queue as well, which it names to the function", () => {
    for (const given of ["departures", "https://sqs.eu-west-1.amazonaws.com/123456789012/departures"]) {
      const [, receive] = writes({ ...DRAIN, queue: queueAddress(given), lambda: true });
      expect(receive?.Action).toEqual([
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
      ]);
    }
  });

  test("for a function that rules invoke lets hooks be answered, and no queue be read", () => {
    const all = actions({ ...DRAIN, lambda: true });
    expect(all.filter((action) => action.startsWith("autoscaling:"))).toEqual([
      "autoscaling:DescribeAutoScalingInstances",
      "autoscaling:DescribeLifecycleHooks",
      "autoscaling:CompleteLifecycleAction",
      "autoscaling:RecordLifecycleActionHeartbeat",
    ]);
    expect(all.filter((action) => action.startsWith("sqs:"))).toEqual([]);
  });

  test("fits into an inline policy of a role, however long the cluster's name is", () => {
    const longest = {
      ...TAGGED,
      clusterName: "c".repeat(100),
      region: "ap-southeast-1",
      discovery: "tag",
      undo: true,
    } as const;
    expect(JSON.stringify(policyFor(longest)).length).toBeLessThan(10_240);
  });

  test.each<[string, PolicyNeeds, string]>([
    [
      "a region of another partition",
      { ...DRAIN, region: "us-gov-west-1", partition: "aws-cn" },
      "the region us-gov-west-1 is in the partition aws-us-gov, not in aws-cn: leave one out",
    ],
    ["a tag of no cluster", { ...DRAIN, scope: "tag" }, "a policy for the cluster's tag needs the cluster's name"],
    [
      "a cluster's name that IAM would take for a variable",
      { ...TAGGED, clusterName: "$" + "{aws:username}" },
      "CLUSTERNAME is '$" + "{aws:username}', which no tag on AWS can be",
    ],
  ])("can't be for %s, and says so", (_, needs, message) => {
    expect(() => policyFor(needs)).toThrow(message);
  });
});
