import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Template } from "../support/cloudformation.ts";
import { printedFor } from "../support/printed-policy.ts";
import { Moto } from "./support/moto.ts";
import { describeWith, RunningProgram } from "./support/programs.ts";
import { awsCli, deploy, uploadCode } from "./support/stacks.ts";

interface Rule {
  readonly Name: string;
  readonly EventPattern: string;
  readonly State: string;
}

interface Target {
  readonly Arn: string;
  readonly DeadLetterConfig?: { readonly Arn: string };
}

const ACCOUNT = "123456789012";
const arnOf = (url = "") => `arn:aws:sqs:eu-west-1:${ACCOUNT}:${url.split("/").at(-1)}`;

async function attributesOf(moto: Moto, url = "") {
  const answer = await awsCli(moto, ["sqs", "get-queue-attributes", "--queue-url", url, "--attribute-names", "All"]);
  return (answer as { readonly Attributes: Readonly<Record<string, string>> }).Attributes;
}

async function policyOf(moto: Moto, arn = "") {
  const answer = await awsCli(moto, ["iam", "get-policy-version", "--policy-arn", arn, "--version-id", "v1"]);
  return (answer as { readonly PolicyVersion: { readonly Document: unknown } }).PolicyVersion.Document;
}

/** The rules of the stack, as moto has them, and where each sends what it takes. */
async function rulesOf(moto: Moto) {
  const { Rules } = (await awsCli(moto, ["events", "list-rules"])) as { readonly Rules: readonly Rule[] };
  const targets: Target[] = [];
  for (const { Name, State } of Rules) {
    expect(State).toBe("ENABLED");
    const answer = await awsCli(moto, ["events", "list-targets-by-rule", "--rule", Name]);
    targets.push(...(answer as { readonly Targets: readonly Target[] }).Targets);
  }
  return { patterns: Rules.map(({ EventPattern }) => JSON.parse(EventPattern)), targets };
}

function patternsOf(name: string) {
  const rules = new Template(name).stack().ofType("AWS::Events::Rule");
  return Object.values(rules).map(({ EventPattern }) => EventPattern);
}

async function functionScene(name: string) {
  const folder = await mkdtemp(join(tmpdir(), "code-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const moto = await Moto.start();
  const made = await deploy(moto, name, { ...(await uploadCode(moto, folder)), VpcId: "vpc-0123456789abcdef0" });
  const about = ["--function-name", made["Function"] ?? ""];
  const { Configuration } = (await awsCli(moto, ["lambda", "get-function", ...about])) as {
    readonly Configuration: Readonly<Record<string, unknown>>;
  };
  const role = await awsCli(moto, ["iam", "get-role", "--role-name", made["Role"] ?? ""]);
  expect(role).toMatchObject({
    Role: { AssumeRolePolicyDocument: { Statement: [{ Principal: { Service: "lambda.amazonaws.com" } }] } },
  });
  return { moto, made, about, Configuration };
}

describeWith("cfn-lint", "cfn-lint", () => {
  test.each(["departures", "lambda-queue", "lambda-rules", "lifecycle-hook"])(
    "finds nothing in %s.yaml",
    async (name) => {
      const template = `deploy/cloudformation/${name}.yaml`;
      expect(await new RunningProgram("cfn-lint", [template]).ended).toEqual({ code: 0, stdout: "", stderr: "" });
    },
  );
});

describeWith("moto_server", "CloudFormation as moto has it", () => {
  test("makes a queue for a service of departures.yaml, with its rules and its policy", async () => {
    const moto = await Moto.start();
    const made = await deploy(moto, "departures");
    const { Queue, DeadLetterQueue, Policy } = made;
    const queue = await attributesOf(moto, Queue);
    expect(queue).toMatchObject({ VisibilityTimeout: "60", MessageRetentionPeriod: "345600" });
    const dead = { deadLetterTargetArn: arnOf(DeadLetterQueue), maxReceiveCount: 30 };
    expect(JSON.parse(queue["RedrivePolicy"] ?? "")).toEqual(dead);
    expect(await attributesOf(moto, DeadLetterQueue)).toMatchObject({ MessageRetentionPeriod: "1209600" });
    const { patterns, targets } = await rulesOf(moto);
    expect(patterns).toEqual(patternsOf("departures"));
    expect(targets.map(({ Arn }) => Arn)).toEqual(patterns.map(() => arnOf(Queue)));
    const printed = printedFor({ AWS_REGION: "eu-west-1", QUEUE: Queue ?? "" }, { for: "serve" });
    expect(await policyOf(moto, Policy)).toEqual(printed);
  });

  test("makes a function behind a queue of lambda-queue.yaml", async () => {
    const { moto, made, Configuration } = await functionScene("lambda-queue");
    expect(Configuration).toMatchObject({ Handler: "lambda.sqs", Runtime: "nodejs24.x", Timeout: 900 });
    expect(Configuration["Environment"]).toMatchObject({
      Variables: { VPCID: "vpc-0123456789abcdef0", QUEUE_FOREIGN: "delete" },
    });
    const { EventSourceMappings } = (await awsCli(moto, ["lambda", "list-event-source-mappings"])) as {
      readonly EventSourceMappings: readonly unknown[];
    };
    expect(EventSourceMappings).toMatchObject([
      {
        EventSourceArn: arnOf(made["Queue"]),
        FunctionArn: Configuration["FunctionArn"],
        FunctionResponseTypes: ["ReportBatchItemFailures"],
        BatchSize: 100,
        ScalingConfig: { MaximumConcurrency: 5 },
      },
    ]);
    const queue = await attributesOf(moto, made["Queue"]);
    expect(queue).toMatchObject({ VisibilityTimeout: "960" });
    expect(JSON.parse(queue["RedrivePolicy"] ?? "")).toMatchObject({ maxReceiveCount: 100 });
    const printed = printedFor({ AWS_REGION: "eu-west-1", QUEUE: made["Queue"] ?? "" }, { for: "lambda" });
    expect(await policyOf(moto, made["Policy"])).toEqual(printed);
  });

  test("makes a function that its rules may invoke of lambda-rules.yaml", async () => {
    const { moto, made, about, Configuration } = await functionScene("lambda-rules");
    expect(Configuration).toMatchObject({ Handler: "lambda.eventbridge", Runtime: "nodejs24.x", Timeout: 900 });
    const { patterns, targets } = await rulesOf(moto);
    expect(patterns).toEqual(patternsOf("lambda-rules"));
    const DeadLetterConfig = { Arn: arnOf(made["DeadLetterQueue"]) };
    for (const target of targets) expect(target).toMatchObject({ Arn: Configuration["FunctionArn"], DeadLetterConfig });
    const { Policy } = (await awsCli(moto, ["lambda", "get-policy", ...about])) as { readonly Policy: string };
    expect(JSON.parse(Policy).Statement).toHaveLength(patterns.length);
    const printed = printedFor({ AWS_REGION: "eu-west-1" }, { for: "lambda" });
    expect(await policyOf(moto, made["Policy"])).toEqual(printed);
  });

  test("has a hook as lifecycle-hook.yaml describes it put to a group", async () => {
    const moto = await Moto.start();
    const scaling = (...args: readonly string[]) => awsCli(moto, ["autoscaling", ...args]);
    const name = ["--auto-scaling-group-name", "workers"];
    const machine = ["--image-id", "ami-12c6146b", "--instance-type", "t3.micro"];
    await scaling("create-launch-configuration", "--launch-configuration-name", "any", ...machine);
    const size = ["--min-size", "0", "--max-size", "0", "--availability-zones", "eu-west-1a"];
    await scaling("create-auto-scaling-group", ...name, "--launch-configuration-name", "any", ...size);
    const hook = new Template("lifecycle-hook").stack({ AutoScalingGroupName: "workers" }).resource("Hook");
    await scaling("put-lifecycle-hook", "--cli-input-json", JSON.stringify(hook));
    expect(await scaling("describe-lifecycle-hooks", ...name)).toMatchObject({ LifecycleHooks: [hook] });
    await deploy(moto, "lifecycle-hook", { AutoScalingGroupName: "workers" });
  });
});
