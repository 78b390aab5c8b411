import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

/** What checkov 3 notes about a function and its log, and would note again without an answer. */
const FUNCTION = ["CKV_AWS_115", "CKV_AWS_116", "CKV_AWS_117", "CKV_AWS_173"];
const LOG = ["CKV_AWS_158"];

describe.each([
  ["deploy/cloudformation/lambda-queue.yaml", "AWS::Lambda::Function", FUNCTION],
  ["deploy/cloudformation/lambda-queue.yaml", "AWS::Logs::LogGroup", LOG],
  ["deploy/cloudformation/lambda-rules.yaml", "AWS::Lambda::Function", FUNCTION],
  ["deploy/cloudformation/lambda-rules.yaml", "AWS::Logs::LogGroup", LOG],
  ["deploy/terraform/lambda.tf", 'resource "aws_lambda_function"', [...FUNCTION, "CKV_AWS_272", "CKV_AWS_50"]],
  ["deploy/terraform/lambda.tf", 'resource "aws_cloudwatch_log_group"', LOG],
])("in %s, each note that checkov makes about %s", (path, resource, notes) => {
  test("is answered beside it with a reason", () => {
    const text = readFileSync(path, "utf8");
    const [, after = ""] = text.split(resource);
    const answers = [...after.matchAll(/\n +# checkov:skip=(CKV_AWS_\d+):(.+)/g)];
    const own = answers.slice(0, notes.length);
    expect(own.map(([, note]) => note).sort()).toEqual([...notes].sort());
    for (const [, , reason] of own) expect(reason).toMatch(/^[A-Z].+ .+\.$/);
  });
});
