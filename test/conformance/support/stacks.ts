import path from "node:path";
import { expect } from "vitest";
import type { Moto } from "./moto.ts";
import { RunningProgram } from "./programs.ts";

/** What the AWS CLI answers, on moto. Fails the test where it fails. */
export async function awsCli(moto: Moto, args: readonly string[]): Promise<unknown> {
  const command = ["--endpoint-url", moto.url, "--output", "json", ...args];
  const { code, stdout, stderr } = await new RunningProgram("aws", command).ended;
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
  const json = stdout.trim();
  return json.startsWith("{") || json.startsWith("[") ? JSON.parse(json) : undefined;
}

/** A stack as the documents have it made. By their names in the template, the ids of what moto has made of it. */
export async function deploy(
  moto: Moto,
  name: string,
  parameters: Readonly<Record<string, string>> = {},
): Promise<Readonly<Record<string, string>>> {
  const template = path.resolve(`deploy/cloudformation/${name}.yaml`);
  const given = Object.entries(parameters).map(([parameter, value]) => `${parameter}=${value}`);
  const overrides = given.length === 0 ? [] : ["--parameter-overrides", ...given];
  const stack = ["--stack-name", name, "--template-file", template];
  await awsCli(moto, ["cloudformation", "deploy", ...stack, "--capabilities", "CAPABILITY_IAM", ...overrides]);
  const listed = await awsCli(moto, ["cloudformation", "list-stack-resources", "--stack-name", name]);
  const { StackResourceSummaries: made } = listed as {
    readonly StackResourceSummaries: readonly {
      readonly LogicalResourceId: string;
      readonly PhysicalResourceId: string;
    }[];
  };
  return Object.fromEntries(
    made.map(({ LogicalResourceId, PhysicalResourceId }) => [LogicalResourceId, PhysicalResourceId]),
  );
}

/** The bundle for Lambda, zipped and uploaded as the documents say. */
export async function uploadCode(
  moto: Moto,
  folder: string,
): Promise<{ readonly CodeBucket: string; readonly CodeKey: string }> {
  const [CodeBucket, CodeKey] = ["code", "hasta-la-vista.zip"];
  const zip = path.join(folder, CodeKey);
  const zipped = await new RunningProgram("python", [
    "-m",
    "zipfile",
    "-c",
    zip,
    "dist/lambda.mjs",
    "dist/lambda-tracing.mjs",
  ]).ended;
  expect(zipped).toEqual({ code: 0, stdout: "", stderr: "" });
  const where = ["--create-bucket-configuration", "LocationConstraint=eu-west-1"];
  await awsCli(moto, ["s3api", "create-bucket", "--bucket", CodeBucket, ...where]);
  await awsCli(moto, ["s3api", "put-object", "--bucket", CodeBucket, "--key", CodeKey, "--body", zip]);
  return { CodeBucket, CodeKey };
}
