import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { ApiName } from "../../src/simulator/api/answer.ts";
import { autoScalingActions } from "../../src/simulator/api/autoscaling.ts";
import { classicActions } from "../../src/simulator/api/classic.ts";
import { ec2Actions } from "../../src/simulator/api/ec2.ts";
import { elbv2ReadActions } from "../../src/simulator/api/elbv2-read.ts";
import { elbv2WriteActions } from "../../src/simulator/api/elbv2-write.ts";
import { securityTokenActions } from "../../src/simulator/api/sts.ts";
import { taggingActions } from "../../src/simulator/api/tagging.ts";
import { AWS_QUOTAS } from "../../src/simulator/quotas/quotas.ts";
import { endpoint } from "../support/endpoint.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";
import { describeWith, RunningProgram } from "./support/programs.ts";
import { regionOfEveryState } from "./support/region-of-every-state.ts";

const NOTHING = { tokens: 0, refillPerSecond: 0 };
/** As botocore calls the actions. */
const snake = (name: string) => name.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase();
const operations = (actions: object, code: string) => Object.keys(actions).map((name) => [snake(name), code] as const);

/** Calls what the region is to refuse: by service, the operations and their codes. */
async function refusals(
  region: SimulatedRegion,
  expected: Readonly<Record<string, readonly (readonly [string, string])[]>>,
) {
  const args = ["-m", "oracle.refusals", await endpoint(region.simulator), JSON.stringify(expected)];
  const { stdout, stderr } = await new RunningProgram("python", args).ended;
  expect(stderr).toBe("");
  const { findings, ...report }: Report = JSON.parse(stdout);
  return { ...report, findings: findings.map(({ call, path, problem }) => `${call}: ${path}: ${problem}`) };
}

interface Report {
  readonly good: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
  readonly findings: readonly { readonly call: string; readonly path: string; readonly problem: string }[];
}

const ANSWERS_MIN = 200;
const FAULTS_MIN = 36;

/** Those that have quotas. */
const LIMITED = [
  ...Object.keys({ ...elbv2ReadActions, ...elbv2WriteActions }).map((name) => `elbv2:${name}`),
  ...Object.keys(autoScalingActions).map((name) => `autoscaling:${name}`),
  ...Object.keys(classicActions).map((name) => `elb:${name}`),
  ...Object.keys(ec2Actions).map((name) => `ec2:${name}`),
];
const ACTIONS = [
  ...LIMITED,
  ...Object.keys(securityTokenActions).map((name) => `sts:${name}`),
  ...Object.keys(taggingActions).map((name) => `resourcegroupstaggingapi:${name}`),
].sort();

describeWith("python", "AWS's own service models, as botocore ships them", () => {
  test("the actions that AWS has, and the simulator has not, are those of the models", async () => {
    const { stdout, stderr } = await new RunningProgram("python", ["-m", "oracle.action_names"]).ended;
    expect(stderr).toBe("");
    expect(readFileSync("src/simulator/api/action-names.ts", "utf8")).toBe(stdout);
  });

  test("no answer of the simulator, good or bad, to any of its actions, departs from them", async () => {
    const { simulator } = await regionOfEveryState();
    const { stdout, stderr } = await new RunningProgram("python", ["-m", "oracle", await endpoint(simulator)]).ended;
    expect(stderr).toBe("");
    const report: Report = JSON.parse(stdout);
    expect(report.findings.map(({ call, path, problem }) => `${call}: ${path}: ${problem}`)).toEqual([]);
    expect(Object.keys(report.good).sort()).toEqual(ACTIONS);
    expect(Object.keys(report.refused).sort()).toEqual(ACTIONS);
    const answers = [...Object.values(report.good), ...Object.values(report.refused)].reduce((a, b) => a + b, 0);
    console.info(`${answers} answers hold against AWS's models`);
    expect(answers).toBeGreaterThanOrEqual(ANSWERS_MIN);
  });

  test.each(["Throttling", "ThrottlingException"] as const)(
    "no refusal for a quota departs from them, with the code %s",
    async (code) => {
      const region = new SimulatedRegion();
      const empty = Object.fromEntries(Object.keys(AWS_QUOTAS).map((bucket) => [bucket, NOTHING]));
      region.simulator.limit({ ...AWS_QUOTAS, ...empty, code });
      const { findings, good, refused } = await refusals(region, {
        elbv2: operations({ ...elbv2ReadActions, ...elbv2WriteActions }, code),
        elb: operations(classicActions, code),
        autoscaling: operations(autoScalingActions, code),
        ec2: operations(ec2Actions, "RequestLimitExceeded"),
      });
      expect(findings).toEqual([]);
      expect(good).toEqual({});
      expect(Object.keys(refused).sort()).toEqual(LIMITED.toSorted());
    },
  );

  test("no injected failure that AWS declares departs from them, and one that it doesn't would be found", async () => {
    const region = new SimulatedRegion();
    const fail = (api: ApiName, action: string, code: string, status = 400) =>
      region.simulator.faults.add({ api, action, effect: { type: "error", code, status } });
    fail("elbv2", "DescribeTargetHealth", "HealthUnavailable", 500);
    fail("classic", "DescribeLoadBalancers", "DependencyThrottle");
    fail("autoscaling", "CompleteLifecycleAction", "ResourceContention", 500);
    fail("ec2", "DescribeInstances", "UnauthorizedOperation", 403);
    fail("elbv2", "DeregisterTargets", "AccessDenied", 403);
    const declared = await refusals(region, {
      elbv2: [
        ["describe_target_health", "HealthUnavailable"],
        ["deregister_targets", "AccessDenied"],
      ],
      elb: [["describe_load_balancers", "DependencyThrottle"]],
      autoscaling: [["complete_lifecycle_action", "ResourceContention"]],
      ec2: [["describe_instances", "UnauthorizedOperation"]],
    });
    expect(declared.findings).toEqual([]);
    expect(Object.keys(declared.refused)).toHaveLength(5);

    fail("elbv2", "DescribeTags", "HealthUnavailable", 500);
    fail("autoscaling", "DescribeLifecycleHooks", "LifecycleHookNotFound");
    const undeclared = await refusals(region, {
      elbv2: [["describe_tags", "HealthUnavailable"]],
      autoscaling: [["describe_lifecycle_hooks", "LifecycleHookNotFound"]],
    });
    expect(undeclared.findings).toEqual([
      "elbv2:DescribeTags: Error.Code: DescribeTags fails with no such code as 'HealthUnavailable'",
      "autoscaling:DescribeLifecycleHooks: Error.Code: DescribeLifecycleHooks fails with no such code as 'LifecycleHookNotFound'",
    ]);
  });

  test("an answer with a misspelt element, a wrong value or a missing member would be found", async () => {
    const { stdout, stderr } = await new RunningProgram("python", ["-m", "oracle.doctored"]).ended;
    expect(stderr).toBe("");
    const { good, doctored }: Record<"good" | "doctored", Record<string, readonly string[]>> = JSON.parse(stdout);
    expect(Object.values(good).flat()).toEqual([]);
    const faults = Object.entries(doctored);
    expect(faults.length).toBeGreaterThanOrEqual(FAULTS_MIN);
    expect(faults.filter(([, findings]) => findings.length === 0).map(([fault]) => fault)).toEqual([]);
  });
});
