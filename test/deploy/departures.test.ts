import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import { readEvent } from "../../src/sources/events/read-event.ts";
import { Template } from "../support/cloudformation.ts";
import { matches } from "../support/event-pattern.ts";
import { printedFor } from "../support/printed-policy.ts";

const CLUSTER = "demo";
const BODIES = "test/sources/events/bodies";
const TEMPLATES = readdirSync("deploy/cloudformation").map((file) => file.replace(".yaml", ""));
const WITH_RULES = ["departures", "lambda-queue", "lambda-rules"];
const WITH_A_QUEUE = ["departures", "lambda-queue"];
const KEY = "arn:aws:kms:eu-west-1:123456789012:key/12345678-1234-1234-1234-123456789012";
const CODE = { CodeBucket: "code", CodeKey: "hasta-la-vista.zip" };

const parse = (document: unknown) => (typeof document === "string" ? JSON.parse(document) : document);
const patterns = (name: string, hook = "hasta-la-vista") =>
  Object.values(new Template(name).stack({ LifecycleHookName: hook }).ofType("AWS::Events::Rule")).map(
    ({ EventPattern }) => EventPattern,
  );

describe.each(TEMPLATES)("the parameters of %s.yaml", (name) => {
  const template = new Template(name);
  const named = Object.entries(template.parameters);

  test.each(named)("%s is described, used, and bounded, its default within the bounds", (parameter, declared) => {
    const { Description, Type, Default, AllowedPattern, AllowedValues, MinValue, MaxValue, MaxLength } = declared;
    expect(Description).toMatch(/\.$|\)\.$/);
    const body = template.text.slice(
      template.text.indexOf("\nConditions:") + 1 || template.text.indexOf("\nResources:"),
    );
    expect(body).toMatch(new RegExp(`!Ref ${parameter}\\b|\\$\\{${parameter}\\}`));
    const bounds =
      Type === "Number"
        ? [AllowedValues ?? (MinValue !== undefined && MaxValue)]
        : [AllowedPattern, AllowedValues, MaxLength];
    expect(bounds.some(Boolean)).toBe(true);
    if (Default === undefined) return;
    if (AllowedPattern !== undefined) expect(Default).toMatch(new RegExp(`^(?:${AllowedPattern})$`));
    if (AllowedValues !== undefined) expect(AllowedValues).toContain(Default);
    if (MinValue !== undefined) expect(Default).toBeGreaterThanOrEqual(MinValue);
    if (MaxValue !== undefined) expect(Default).toBeLessThanOrEqual(MaxValue);
  });
});

describe("the policies of the templates are what the program prints", () => {
  const scopes: readonly Readonly<Record<string, string>>[] = [{}, { POLICY_SCOPE: "tag", CLUSTERNAME: CLUSTER }];
  const cases = ["eu-west-1", "cn-north-1"].flatMap((region) => scopes.map((scope) => [region, scope] as const));
  const stackOf = (name: string, region: string, scope: object, given = {}) =>
    new Template(name).stack(
      { ...CODE, ...("CLUSTERNAME" in scope ? { PolicyScope: "tag", ClusterName: CLUSTER } : {}), ...given },
      region,
    );

  test.each(cases)("for a service and its queue, in %s, with %j", (region, scope) => {
    for (const Undo of ["true", "false"]) {
      const stack = stackOf("departures", region, scope, { Undo });
      const QUEUE = String((stack.outputs["QueueUrl"] as { readonly Value: string }).Value);
      const printed = printedFor({ AWS_REGION: region, QUEUE, UNDO: Undo, ...scope }, { for: "serve" });
      expect(parse(stack.resource("Policy")["PolicyDocument"])).toEqual(printed);
    }
  });

  test.each(cases)("for a function behind a queue, in %s, with %j", (region, scope) => {
    const stack = stackOf("lambda-queue", region, scope);
    const QUEUE = String((stack.outputs["QueueUrl"] as { readonly Value: string }).Value);
    const printed = printedFor({ AWS_REGION: region, QUEUE, ...scope }, { for: "lambda" });
    expect(parse(stack.resource("Policy")["PolicyDocument"])).toEqual(printed);
  });

  test.each(cases)("for a function that rules invoke, in %s, with %j", (region, scope) => {
    const printed = printedFor({ AWS_REGION: region, ...scope }, { for: "lambda" });
    expect(parse(stackOf("lambda-rules", region, scope).resource("Policy")["PolicyDocument"])).toEqual(printed);
  });
});

describe("the rules", () => {
  const bodies = readdirSync(BODIES).filter((file) => file.endsWith(".eventbridge.json") && !file.includes(".sns-"));

  test("are the same in every template", () => {
    for (const name of WITH_RULES) expect(patterns(name)).toEqual(patterns("departures"));
    expect(patterns("departures")).toHaveLength(5);
  });

  test.each(bodies)("take %s if it announces a departure that is heeded", (file) => {
    const text = readFileSync(`${BODIES}/${file}`, "utf8");
    const reading = readEvent(text);
    const isHeeded = reading.reading === "announced" && !file.startsWith("rebalance");
    const taken = patterns("departures", "my-lifecycle-hook").filter((pattern) => matches(pattern, JSON.parse(text)));
    // Which of AWS Health's codes take the machine is for the reader alone to say.
    expect(taken).toHaveLength(isHeeded || file.startsWith("scheduled-change") ? 1 : 0);
  });

  test("bring a service recommendations too where it heeds them", () => {
    const stack = new Template("departures").stack({ RebalanceRecommendations: "true" });
    const event = JSON.parse(readFileSync(`${BODIES}/rebalance-recommendation.eventbridge.json`, "utf8"));
    const taking = Object.values(stack.ofType("AWS::Events::Rule")).filter((rule) =>
      matches(rule["EventPattern"], event),
    );
    expect(taking).toHaveLength(1);
    const [send] = stack.resource("QueuePolicy")["PolicyDocument"].Statement;
    expect(send.Condition.ArnEquals["aws:SourceArn"]).toHaveLength(
      Object.keys(stack.ofType("AWS::Events::Rule")).length,
    );
  });

  test("take no word of a hook that is somebody else's to complete", () => {
    const event = JSON.parse(readFileSync(`${BODIES}/autoscaling-terminate.eventbridge.json`, "utf8"));
    expect(patterns("departures", "another").filter((pattern) => matches(pattern, event))).toEqual([]);
  });

  test("name the hook that the hook's own template makes", () => {
    const hook = new Template("lifecycle-hook").stack({ AutoScalingGroupName: "workers" }).resource("Hook");
    expect(patterns("departures")[0].detail).toEqual({ LifecycleHookName: [hook["LifecycleHookName"]] });
    expect(hook).toMatchObject({
      LifecycleTransition: "autoscaling:EC2_INSTANCE_TERMINATING",
      DefaultResult: "CONTINUE",
    });
  });
});

describe.each(WITH_A_QUEUE)("the queue of %s.yaml", (name) => {
  const template = new Template(name);
  const stack = template.stack(CODE);

  test.each<[string, Record<string, string>, object]>([
    ["SQS's own key", {}, { SqsManagedSseEnabled: true }],
    ["the key that is given", { KmsKeyArn: KEY }, { KmsMasterKeyId: KEY }],
  ])("is encrypted by %s, and its dead-letter queue too", (_, given, expected) => {
    for (const queue of Object.values(template.stack({ ...CODE, ...given }).ofType("AWS::SQS::Queue"))) {
      const { SqsManagedSseEnabled, KmsMasterKeyId } = queue;
      expect({ SqsManagedSseEnabled, KmsMasterKeyId }).toEqual(expected);
    }
  });

  test("takes messages from the stack's rules alone, and nothing that is not over TLS", () => {
    const [send, deny] = stack.resource("QueuePolicy")["PolicyDocument"].Statement;
    const rules = Object.keys(stack.ofType("AWS::Events::Rule")).sort();
    const arns: readonly string[] = send.Condition.ArnEquals["aws:SourceArn"];
    expect(arns.map((arn) => arn.replace("arn:aws:events:eu-west-1:123456789012:rule/", "")).sort()).toEqual(rules);
    expect(send.Principal).toEqual({ Service: "events.amazonaws.com" });
    for (const policy of Object.values(stack.ofType("AWS::SQS::QueuePolicy")))
      expect(policy["PolicyDocument"].Statement.at(-1)).toMatchObject({
        Effect: "Deny",
        Principal: "*",
        Action: "sqs:*",
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      });
    expect(deny.Resource).toBe(send.Resource);
    expect(Object.keys(stack.ofType("AWS::SQS::QueuePolicy"))).toHaveLength(2);
  });

  test("is every rule's target, and keeps what nobody could do anything with", () => {
    const { RedrivePolicy } = stack.resource("Queue");
    expect(RedrivePolicy.deadLetterTargetArn).toContain(":DeadLetterQueue");
    for (const rule of Object.values(stack.ofType("AWS::Events::Rule")))
      expect(rule["Targets"]).toEqual([{ Id: "queue", Arn: "arn:aws:sqs:eu-west-1:123456789012:Queue" }]);
    // A message's age counts on there.
    const { MessageRetentionPeriod } = stack.resource("DeadLetterQueue");
    expect(MessageRetentionPeriod).toBeGreaterThanOrEqual(template.parameters["RetentionSeconds"]?.MaxValue ?? 0);
  });
});

describe.each(["lambda-queue", "lambda-rules"])("the function of %s.yaml", (name) => {
  const template = new Template(name);
  const stack = template.stack(CODE);
  const { Handler, Environment, Timeout } = stack.resource("Function");
  const variables: Readonly<Record<string, unknown>> = Environment.Variables;

  test("has a handler that the bundle exports", async () => {
    const [file, handler] = Handler.split(".");
    const handlers = await import(`${process.cwd()}/dist/${file}.mjs`);
    expect(handlers[handler]).toBeTypeOf("function");
  });

  test("is configured by variables that a function reads", () => {
    const environment = Object.fromEntries(Object.entries(variables).map(([key, value]) => [key, String(value)]));
    const config = readConfig({ verb: "lambda", environment });
    expect(config.quotaShare).toBe(variables["QUOTA_SHARE"]);
    expect(config.clusterName).toBeUndefined();
    const broken = Object.keys(environment).filter((key) => {
      // What is read says so when it can't be.
      const value = `\u0000${"x".repeat(300)}`;
      try {
        readConfig({ verb: "lambda", environment: { ...environment, [key]: value } });
        return false;
      } catch {
        return true;
      }
    });
    expect(broken).toEqual(Object.keys(environment));
  });

  test("may do what is printed, write its log, and no more", () => {
    const { ManagedPolicyArns, Policies } = stack.resource("Role");
    expect(ManagedPolicyArns).toEqual(["arn:aws:iam::123456789012:policy/Policy"]);
    const own = Policies.flatMap(({ PolicyDocument }: never) => (PolicyDocument as { Statement: object[] }).Statement);
    const [logs, ...more] = own;
    expect(logs.Action).toEqual(["logs:CreateLogStream", "logs:PutLogEvents"]);
    const dead = "arn:aws:sqs:eu-west-1:123456789012:DeadLetterQueue";
    const failures = { Effect: "Allow", Action: "sqs:SendMessage", Resource: dead };
    expect(more).toEqual(name === "lambda-rules" ? [failures] : []);
    const withKey = template.stack({ ...CODE, KmsKeyArn: KEY }).resource("Role");
    expect(withKey["ManagedPolicyArns"]).toHaveLength(2);
  });

  test("has the longest timeout that there is", () => {
    expect(Timeout).toBe(900);
  });
});

describe("the function behind a queue", () => {
  const stack = new Template("lambda-queue").stack(CODE);

  test("is done before its messages are anybody else's", () => {
    expect(stack.resource("Queue")["VisibilityTimeout"]).toBeGreaterThanOrEqual(stack.resource("Function")["Timeout"]);
    const hook = new Template("lifecycle-hook").parameters["HeartbeatTimeout"];
    // A hook outlasts the wait for what a function has left that died.
    expect(hook?.Default).toBeGreaterThan(stack.resource("Queue")["VisibilityTimeout"]);
  });

  test("gets its messages back one by one, often enough for a day of drains", () => {
    expect(stack.resource("Mapping")["FunctionResponseTypes"]).toEqual(["ReportBatchItemFailures"]);
    const { maxReceiveCount } = stack.resource("Queue")["RedrivePolicy"];
    expect(maxReceiveCount * stack.resource("Function")["Timeout"]).toBeGreaterThanOrEqual(86_400);
  });

  test("keeps within the quota with all that run at once", () => {
    const { MaximumConcurrency } = stack.resource("Mapping")["ScalingConfig"];
    const share = stack.resource("Function")["Environment"].Variables.QUOTA_SHARE;
    expect(share * MaximumConcurrency).toBeLessThanOrEqual(0.8);
  });

  test("has a window where a batch may have more than ten messages", () => {
    expect(stack.resource("Mapping")).toMatchObject({ BatchSize: 100, MaximumBatchingWindowInSeconds: 1 });
  });
});

describe("the function that rules invoke", () => {
  const stack = new Template("lambda-rules").stack(CODE);
  const dead = "arn:aws:sqs:eu-west-1:123456789012:DeadLetterQueue";

  test("may be invoked by each of them, and by nobody else", () => {
    const sources = Object.values(stack.ofType("AWS::Lambda::Permission")).map(({ SourceArn }) => SourceArn);
    const rules = Object.keys(stack.ofType("AWS::Events::Rule"));
    expect(sources.sort()).toEqual(rules.map((rule) => `arn:aws:events:eu-west-1:123456789012:rule/${rule}`).sort());
  });

  test("loses no event: what can't be delivered, and what fails three times, is kept", () => {
    for (const { Targets } of Object.values(stack.ofType("AWS::Events::Rule")))
      expect(Targets).toMatchObject([{ DeadLetterConfig: { Arn: dead } }]);
    expect(stack.resource("Retries")).toMatchObject({
      MaximumRetryAttempts: 2,
      DestinationConfig: { OnFailure: { Destination: dead } },
    });
    const [send] = stack.resource("DeadLetterQueuePolicy")["PolicyDocument"].Statement;
    expect(send.Condition.ArnEquals["aws:SourceArn"]).toHaveLength(5);
  });
});
