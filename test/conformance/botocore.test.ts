import { expect, test } from "vitest";
import { classicActions } from "../../src/simulator/api/classic.ts";
import { ec2Actions } from "../../src/simulator/api/ec2.ts";
import { elbv2ReadActions } from "../../src/simulator/api/elbv2-read.ts";
import { elbv2WriteActions } from "../../src/simulator/api/elbv2-write.ts";
import { endpoint } from "../support/endpoint.ts";
import { describeWith, RunningProgram } from "./support/programs.ts";
import { regionOfEveryState } from "./support/region-of-every-state.ts";

interface Report {
  readonly good: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
  readonly findings: readonly { readonly call: string; readonly path: string; readonly problem: string }[];
}

const ANSWERS_MIN = 200;
const FAULTS_MIN = 28;

const ACTIONS = [
  ...Object.keys({ ...elbv2ReadActions, ...elbv2WriteActions }).map((name) => `elbv2:${name}`),
  ...Object.keys(classicActions).map((name) => `elb:${name}`),
  ...Object.keys(ec2Actions).map((name) => `ec2:${name}`),
].sort();

describeWith("python", "AWS's own service models, as botocore ships them", () => {
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
