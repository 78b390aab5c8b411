import { describe, expect, test } from "vitest";
import { DrainError } from "../../src/drain/errors.ts";
import { shellWords } from "../support/mending.ts";
import { ARN, all, found, machine, poolFacts, scalingGroup, target } from "./facts.ts";

const spot = [machine(1, { isSpot: true }), machine(2)];
const draining = { holdMs: 210_000 } as const;
const COUNT = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count";
const PERCENT = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage";
const TERMINATES = "target_health_state.unhealthy.connection_termination.enabled";

test("nothing is found where nothing is wrong", () => {
  expect(found({})).toEqual([]);
});

describe("of delays, doctor finds", () => {
  test.each([
    [
      "connection draining off",
      [
        poolFacts("classic", {
          attributes: new Map([["ConnectionDraining.Enabled", "false"]]),
          terms: { ...draining, drainMs: 0 },
        }),
      ],
      ["error classic-draining-off of legacy"],
    ],
    [
      "nothing where it is on",
      [poolFacts("classic", { attributes: new Map([["ConnectionDraining.Enabled", "true"]]) })],
      [],
    ],
    ["nothing where AWS does not say", [poolFacts("classic")], []],
    [
      "a delay of 0 of an ALB",
      [poolFacts("alb", { terms: { ...draining, drainMs: 0 } })],
      ["error deregistration-delay-zero of web"],
    ],
    [
      "nothing in the same of an NLB, whose connections go on",
      [poolFacts("nlb", { terms: { ...draining, drainMs: 0 } })],
      [],
    ],
  ])("%s", (_, pools, expected) => {
    expect(found({ pools })).toEqual(expected);
  });

  test.each([
    ["an ALB", "alb", 120_001, spot, ["notice delay-longer-than-notice of web"]],
    ["a classic load balancer", "classic", 300_000, spot, ["notice delay-longer-than-notice of legacy"]],
    ["an ALB whose delay is as long as the notice", "alb", 120_000, spot, []],
    ["an ALB without spot instances", "alb", 300_000, [machine(1), machine(2)], []],
    ["an ALB of which no instance is known", "alb", 300_000, [], []],
  ] as const)("a delay longer than spot's notice of %s", (_, kind, drainMs, machines, expected) => {
    expect(found({ pools: [poolFacts(kind, { terms: { ...draining, drainMs } })], machines })).toEqual(expected);
  });

  test("a delay longer than the hook waits, with both values, and a hook that waits twice as long as the command", () => {
    const hooks = [{ name: "drain", heartbeatMs: 30_000, globalMs: 3_000_000 }];
    const given = (drainMs: number) => ({
      pools: [
        poolFacts("alb", {
          terms: { ...draining, drainMs },
          attributes: new Map([["deregistration_delay.timeout_seconds", "3600"]]),
        }),
      ],
      scalingGroups: [
        scalingGroup({
          hooks: [{ ...(hooks[0] as (typeof hooks)[0]), notificationTarget: "arn:aws:sns:eu-west-1:1:t" }],
        }),
      ],
    });
    expect(found(given(3_000_000))).toEqual([]);
    const [finding] = all(given(3_600_000));
    expect(finding).toMatchObject({
      code: "delay-longer-than-hook",
      evidence: [{ value: "3600" }, { name: "GlobalTimeout of drain of workers", value: "3000" }],
    });
    expect(finding?.mend).toEqual([
      "aws autoscaling put-lifecycle-hook --region eu-west-1 --auto-scaling-group-name workers --lifecycle-hook-name drain --heartbeat-timeout 72",
    ]);
  });
});

describe("of health checks, doctor finds", () => {
  test.each([
    ["an NLB for spot instances whose check asks the program", {}, spot, ["warning nlb-slower-than-notice of web"]],
    [
      "one whose check asks kube-proxy, and is as slow as the notice",
      { kubeProxyCheckMs: 120_000 },
      spot,
      ["warning nlb-slower-than-notice of web"],
    ],
    ["nothing where it asks kube-proxy in time", { kubeProxyCheckMs: 20_000 }, spot, []],
    ["nothing without spot instances", {}, [machine(1)], []],
  ])("%s", (_, asked, machines, expected) => {
    expect(found({ pools: [poolFacts("nlb", asked)], machines })).toEqual(expected);
  });

  test("nothing in an NLB whose targets are pods", () => {
    expect(found({ pools: [poolFacts("nlb", { targetType: "ip" })], machines: spot })).toEqual([]);
  });

  test.each([
    [
      "closed connections where the check asks kube-proxy",
      { kubeProxyCheckMs: 20_000 },
      "true",
      undefined,
      ["warning unhealthy-cuts-flows of web"],
    ],
    [
      "connections that are kept for too short a time",
      { kubeProxyCheckMs: 20_000 },
      "false",
      60_000,
      ["warning unhealthy-cuts-flows of web"],
    ],
    ["nothing where they are kept for ever", { kubeProxyCheckMs: 20_000 }, "false", Number.POSITIVE_INFINITY, []],
    ["nothing where the check asks something else", {}, "true", undefined, []],
    ["nothing where AWS has no such attribute", { kubeProxyCheckMs: 20_000 }, undefined, undefined, []],
  ])("%s", (_, asked, value, keepsUnhealthyMs, expected) => {
    const attributes = new Map(value === undefined ? [] : [[TERMINATES, value]]);
    const terms = { ...draining, drainMs: 60_000, ...(keepsUnhealthyMs === undefined ? {} : { keepsUnhealthyMs }) };
    expect(found({ pools: [poolFacts("nlb", { ...asked, attributes, terms })] })).toEqual(expected);
  });
});

describe("of targets, doctor finds", () => {
  const [a, b] = [target(1), target(2, { zone: "eu-west-1b" })];
  test.each([
    ["one node in a zone", true, [a, b, target(3)], ["warning one-node-in-zone of web"]],
    ["one healthy node in a zone", true, [a, target(3, { isHealthy: false })], ["warning one-node-in-zone of web"]],
    ["nothing where each zone has two", true, [a, target(3)], []],
    ["one where a node has two ports", true, [a, { ...a, target: "i-1:30081" }], ["warning one-node-in-zone of web"]],
    ["nothing with cross-zone load balancing", false, [a, b], []],
    ["nothing where the zone is not known", true, [{ target: "i-9", state: "live", isHealthy: true } as const], []],
  ])("%s", (_, isZonal, targets, expected) => {
    expect(found({ pools: [poolFacts("nlb", { isZonal, targets })] })).toEqual(expected);
  });

  test.each([
    ["a count that is not met when one leaves", "2", "off", [true, true], true],
    ["nothing where it is met", "2", "off", [true, true, true], false],
    ["nothing by AWS's default", "1", "off", [true, true], false],
    ["a percentage that is not met when one leaves", "1", "60", [true, true, false, false], true],
    ["nothing where a percentage is met by those that stay", "1", "100", [true, true, true], false],
    ["nothing where no target is healthy: it is open already", "2", "off", [false, false], false],
  ])("%s", (_, count, percent, healthy, isFound) => {
    const attributes = new Map([
      [COUNT, count],
      [PERCENT, percent],
    ]);
    const targets = healthy.map((isHealthy, index) => target(index + 1, { isHealthy }));
    expect(found({ pools: [poolFacts("alb", { attributes, targets })] })).toEqual(
      isFound ? ["warning fails-open of web"] : [],
    );
  });

  test.each([
    ["two clusters in a pool", undefined, [["demo"], ["other"]], true],
    ["one other cluster, with CLUSTERNAME", "demo", [["other"], ["other"]], true],
    ["nothing where all are of one cluster", "demo", [["demo"], ["demo"]], false],
    ["nothing of instances without a cluster's tag", "demo", [["demo"], []], false],
  ])("%s", (_, cluster, clusters, isFound) => {
    const machines = clusters.map((names, index) => machine(index + 1, { clusters: names }));
    expect(found({ machines, ...(cluster === undefined ? {} : { cluster }) })).toEqual(
      isFound ? ["notice several-clusters of web"] : [],
    );
  });
});

test("no load balancer at all is found, and may be the wrong region", () => {
  expect(all({ pools: [], cluster: "demo" })).toMatchObject([
    {
      code: "nothing-found",
      severity: "warning",
      resource: { name: "eu-west-1" },
      cost: expect.stringContaining("of the cluster demo"),
    },
  ]);
  // What could not be listed is not missing.
  expect(found({ pools: [], unread: [{ what: "all", why: "denied" }] })).toEqual([]);
});

test("a denied call of drains is an error", () => {
  const error = new DrainError("access-denied", "AWS denied it");
  expect(found({ denied: [{ action: "elasticloadbalancing:DescribeTargetHealth", error }] })).toEqual([
    "error permission-missing of elasticloadbalancing:DescribeTargetHealth",
  ]);
});

test("a command names the pool and its region, and no shell reads anything else into it", () => {
  const attributes = new Map([["ConnectionDraining.Enabled", "false"]]);
  const { network, targetType } = poolFacts("classic");
  const [finding] = all({
    pools: [
      {
        ...poolFacts("classic", { attributes }),
        network,
        targetType,
        pool: { kind: "classic", id: "a'b $(x)", name: "a'b $(x)" },
      },
    ],
  });
  expect(shellWords(finding?.mend[0] ?? "")).toEqual([
    ...["aws", "elb", "modify-load-balancer-attributes", "--region", "eu-west-1"],
    ...["--load-balancer-name", "a'b $(x)", "--load-balancer-attributes"],
    '{"ConnectionDraining":{"Enabled":true,"Timeout":90}}',
  ]);
});

test("where a controller owns the target group, its annotation is to be changed, because it sets the attributes again", () => {
  const tags = new Map([["service.k8s.aws/stack", "shop/web"]]);
  const [finding] = all({ pools: [poolFacts("alb", { tags, terms: { ...draining, drainMs: 0 } })] });
  expect(finding?.advice).toContain("Service shop/web");
  expect(finding?.advice).toContain("deregistration_delay.timeout_seconds=90");
  expect(finding?.mend[0]).toContain(ARN);
});

test("the worst comes first, and what is about one resource stands together", () => {
  const one = poolFacts("alb", { pool: { id: "b", name: "b" }, terms: { ...draining, drainMs: 0 } });
  const other = poolFacts("nlb", { pool: { id: "a", name: "a" }, isZonal: true, targets: [target(1)] });
  expect(found({ pools: [other, one], machines: spot })).toEqual([
    "error deregistration-delay-zero of b",
    "warning nlb-slower-than-notice of a",
    "warning one-node-in-zone of a",
  ]);
});
