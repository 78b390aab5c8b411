import { expect } from "vitest";
import type { ApiName } from "../../../src/simulator/api/answer.ts";
import { RunningProgram } from "../support/programs.ts";

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [member: string]: Json;
}

/** The services whose examples are replayed, by their names in botocore, and the simulator's names for them. */
export const SERVICES = {
  elbv2: "elbv2",
  elb: "classic",
  autoscaling: "autoscaling",
  ec2: "ec2",
  sqs: undefined,
  sts: "sts",
  resourcegroupstaggingapi: "tagging",
} as const satisfies Readonly<Record<string, ApiName | undefined>>;
type ServiceName = keyof typeof SERVICES;

/** One of the calls that AWS's models show, with the answer that they show. */
export interface Example {
  readonly service: ServiceName;
  /** `DescribeTargetHealth` */
  readonly action: string;
  /** Among the examples of the action, from 0. */
  readonly index: number;
  readonly input: JsonObject;
  /** Empty where the example shows none. */
  readonly output: JsonObject;
}

/** `elbv2 DescribeTargetHealth 0` */
export function nameOf({ service, action, index }: Pick<Example, "service" | "action" | "index">): string {
  return `${service} ${action} ${index}`;
}

/** All examples of the services, as the installed botocore has them. */
export async function readExamples(): Promise<readonly Example[]> {
  return (await printedBy(["-m", "oracle.examples", ...Object.keys(SERVICES)])) as unknown as readonly Example[];
}

/** An example's call as it is sent. */
export interface Call extends Pick<Example, "service" | "action" | "input"> {
  readonly endpoint: string;
}

/** `findings`: where an answer departs from AWS's model of the operation. */
export type Answer =
  | { readonly result: JsonObject; readonly findings: readonly { readonly path: string; readonly problem: string }[] }
  | { readonly error: { readonly code: string; readonly status: number; readonly message: string } };

/** Sends the calls by botocore, in order. */
export async function replay(calls: readonly Call[]): Promise<readonly Answer[]> {
  return (await printedBy(["-m", "oracle.replay"], JSON.stringify(calls))) as unknown as readonly Answer[];
}

async function printedBy(args: readonly string[], input = ""): Promise<Json> {
  const { stdout, stderr } = await new RunningProgram("python", args, {}, input).ended;
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}
