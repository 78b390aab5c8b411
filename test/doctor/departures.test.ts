import { describe, expect, test } from "vitest";
import type { Facts, HookFacts, KubernetesFacts, QueueFacts } from "../../src/doctor/facts.ts";
import { durationSeconds } from "../../src/doctor/rules/cluster.ts";
import { shellWords } from "../support/mending.ts";
import { all, facts, found, poolFacts, scalingGroup } from "./facts.ts";

const QUEUE: QueueFacts = {
  name: "departures",
  url: "https://sqs.eu-west-1.amazonaws.com/123456789012/departures",
  arn: "arn:aws:sqs:eu-west-1:123456789012:departures",
  region: "eu-west-1",
  deadLetterQueue: "arn:aws:sqs:eu-west-1:123456789012:dead",
  senders: ["events.amazonaws.com"],
  statements: [],
};
const { settings } = facts();
const withHook = (hook: Partial<HookFacts>) => [
  scalingGroup({ hooks: [{ name: "drain", heartbeatMs: 120_000, globalMs: 12_000_000, ...hook }] }),
];

describe("of hooks, doctor finds", () => {
  test("a group without a terminating one", () => {
    expect(found({ scalingGroups: [scalingGroup({ hooks: [] })] })).toEqual(["warning group-without-hook of workers"]);
  });

  test.each<[string, Partial<Omit<Facts, "machines">>, readonly string[]]>([
    [
      "one that tells nobody, where the queue lets nobody send",
      { queue: { ...QUEUE, senders: [] } },
      ["error hook-unheard of workers"],
    ],
    [
      "the same as a doubt, where accounts may send",
      { queue: { ...QUEUE, senders: ["arn:aws:iam::123456789012:root"] } },
      ["warning hook-unheard of workers"],
    ],
    ["nothing where EventBridge may send to the queue", { queue: QUEUE }, []],
    ["nothing where anybody may", { queue: { ...QUEUE, senders: ["*"] } }, []],
    ["one where no queue is configured", {}, ["warning hook-unheard of workers"]],
    ["nothing where the queue could not be read", { settings: { ...settings, hasQueue: true } }, []],
    ["nothing where the agent answers it", { settings: { ...settings, terminationHook: "drain" } }, []],
    [
      "nothing where the hook tells the queue itself",
      { scalingGroups: withHook({ notificationTarget: QUEUE.arn }), queue: { ...QUEUE, senders: [] } },
      [],
    ],
    [
      "nothing where it tells a topic, whose readers are not known",
      { scalingGroups: withHook({ notificationTarget: "arn:aws:sns:eu-west-1:1:topic" }) },
      [],
    ],
  ])("%s", (_, given, expected) => {
    expect(found({ scalingGroups: withHook({}), ...given })).toEqual(expected);
  });

  test("a rule for the queue as the mend, which keeps the statements that its policy has", () => {
    const deny = { Effect: "Deny", Principal: "*", Action: "sqs:*" };
    const [finding] = all({ scalingGroups: withHook({}), queue: { ...QUEUE, senders: [], statements: [deny] } });
    const [rule, targets, attributes] = (finding?.mend ?? []).map(shellWords);
    expect(JSON.parse(rule?.at(-1) ?? "")).toEqual({
      source: ["aws.autoscaling"],
      "detail-type": ["EC2 Instance-terminate Lifecycle Action"],
    });
    expect(JSON.parse(targets?.at(-1) ?? "")).toEqual([{ Id: "queue", Arn: QUEUE.arn }]);
    const { Statement } = JSON.parse(JSON.parse(attributes?.at(-1) ?? "").Policy);
    expect(Statement).toMatchObject([deny, { Principal: { Service: "events.amazonaws.com" }, Resource: QUEUE.arn }]);
  });
});

test("a queue without a dead-letter queue is found, and one is made", () => {
  const { deadLetterQueue: _, ...without } = QUEUE;
  expect(found({ queue: QUEUE })).toEqual([]);
  const [finding] = all({ queue: without });
  expect(finding).toMatchObject({ code: "queue-without-dead-letters", severity: "notice" });
  expect(finding?.mend).toHaveLength(2);
});

const KUBERNETES: KubernetesFacts = { autoscalers: [], nodePools: [], podTargetNamespaces: [], localServices: [] };
/** Its longest hold is 210 s, as of any NLB. */
const pools = [poolFacts("nlb")];

describe("of a Kubernetes cluster, doctor finds", () => {
  const autoscaler = (
    flags: Readonly<Record<string, string>>,
    argumentIndex: Readonly<Record<string, number>> = {},
  ) => ({
    namespace: "kube-system",
    name: "cluster-autoscaler",
    flags: new Map(Object.entries(flags)),
    containerIndex: 0,
    list: "command" as const,
    argumentIndex: new Map(Object.entries(argumentIndex)),
  });
  const FLAG = "node-deletion-delay-timeout";

  test.each([
    ["cluster-autoscaler's default of two minutes", {}, true],
    ["a delay shorter than the hold", { [FLAG]: "209s" }, true],
    ["nothing where it is as long", { [FLAG]: "3m30s" }, false],
    ["nothing in what is no duration", { [FLAG]: "soon" }, false],
  ])("%s", (_, flags: Readonly<Record<string, string>>, isFound) => {
    const kubernetes = { ...KUBERNETES, autoscalers: [autoscaler(flags)] };
    expect(found({ pools, kubernetes })).toEqual(
      isFound ? ["warning autoscaler-delay-short of cluster-autoscaler"] : [],
    );
  });

  test.each([
    ["replaces the flag", { [FLAG]: 3 }, { op: "replace", path: "/spec/template/spec/containers/0/command/3" }],
    ["adds the flag", {}, { op: "add", path: "/spec/template/spec/containers/0/command/-" }],
  ])("a patch that %s", (_, index: Readonly<Record<string, number>>, patch) => {
    const [finding] = all({ pools, kubernetes: { ...KUBERNETES, autoscalers: [autoscaler({ [FLAG]: "1m" }, index)] } });
    const words = shellWords(finding?.mend[0] ?? "");
    expect(words.slice(0, 6)).toEqual([
      "kubectl",
      "--namespace",
      "kube-system",
      "patch",
      "deployment",
      "cluster-autoscaler",
    ]);
    expect(JSON.parse(words.at(-1) ?? "")).toEqual([{ ...patch, value: `--${FLAG}=270s` }]);
  });

  test.each([
    ["a grace period of Karpenter shorter than the hold", "3m", true],
    ["nothing where it is longer", "1h", false],
    ["nothing where there is none", undefined, false],
  ])("%s", (_, terminationGracePeriod, isFound) => {
    const nodePool = { name: "default", ...(terminationGracePeriod === undefined ? {} : { terminationGracePeriod }) };
    expect(found({ pools, kubernetes: { ...KUBERNETES, nodePools: [nodePool] } })).toEqual(
      isFound ? ["warning karpenter-grace-short of default"] : [],
    );
  });

  test("namespaces with pod targets and without readiness gates", () => {
    const podTargetNamespaces = [
      { name: "shop", injectsGates: false },
      { name: "done", injectsGates: true },
    ];
    expect(found({ kubernetes: { ...KUBERNETES, podTargetNamespaces } })).toEqual([
      "warning readiness-gate-missing of shop",
    ]);
  });

  test.each([
    ["a Service with all endpoints on one node", 1, true],
    ["nothing where they are on two", 2, false],
    ["nothing where there are none", 0, false],
  ])("%s", (_, nodes, isFound) => {
    const localServices = [{ namespace: "shop", name: "web", readyEndpoints: nodes, nodes }];
    expect(found({ kubernetes: { ...KUBERNETES, localServices } })).toEqual(
      isFound ? ["warning local-policy-one-node of web"] : [],
    );
  });
});

test.each([
  ["2m", 120],
  ["1h30m", 5_400],
  ["500ms", 0.5],
  ["1.5h", 5_400],
  ["", undefined],
  ["120", undefined],
  ["-2m", undefined],
])("the duration %s is %s seconds", (text, seconds) => {
  expect(durationSeconds(text)).toBe(seconds);
});
