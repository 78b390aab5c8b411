import { expect, test } from "vitest";
import { Template } from "../support/cloudformation.ts";
import { describeWith, RunningProgram } from "./support/programs.ts";

type Attributes = Readonly<Record<string, unknown>>;
type Named = Readonly<Record<string, Attributes>>;

interface File {
  readonly resource?: readonly Readonly<Record<string, Named>>[];
  readonly data?: readonly Readonly<Record<string, Named>>[];
  readonly variable?: readonly Named[];
  readonly output?: readonly Named[];
  readonly locals?: readonly Attributes[];
}

async function parsed() {
  const { code, stdout, stderr } = await new RunningProgram("python", ["test/conformance/hcl.py", "deploy/terraform"])
    .ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const files: readonly File[] = Object.values(JSON.parse(stdout));
  const together = <T>(of: (file: File) => readonly Readonly<Record<string, T>>[] | undefined): [string, T][] =>
    files.flatMap((file) => of(file) ?? []).flatMap((each) => Object.entries(each));
  const resources = together(({ resource }) => resource).flatMap(([type, named]) =>
    Object.entries(named).map(([name, attributes]) => ({ type, name, attributes })),
  );
  return {
    text: stdout,
    resources,
    variables: Object.fromEntries(together(({ variable }) => variable)),
    outputs: Object.fromEntries(together(({ output }) => output)),
    data: together(({ data }) => data).flatMap(([type, named]) => Object.keys(named).map((name) => `${type}.${name}`)),
    locals: together<unknown>(({ locals }) => locals).map(([name]) => name),
    attributesOf: (address: string) =>
      resources.find(({ type, name }) => `${type}.${name}` === address)?.attributes ?? {},
  };
}

const references = (text: string, pattern: RegExp) =>
  new Set([...text.matchAll(pattern)].map(([, name]) => name ?? ""));

describeWith("python", "the Terraform module, as python-hcl2 parses it", () => {
  test("refers to nothing but what it declares, and declares nothing without use", async () => {
    const { text, resources, variables, data, locals } = await parsed();
    expect([...references(text, /\bvar\.(\w+)/g)].sort()).toEqual(Object.keys(variables).sort());
    expect([...references(text, /\blocal\.(\w+)/g)].sort()).toEqual([...locals].sort());
    expect([...references(text, /\bdata\.(\w+\.\w+)/g)].sort()).toEqual([...data].sort());
    const declared = resources.map(({ type, name }) => `${type}.${name}`);
    expect(declared.length).toBeGreaterThan(10);
    const named = references(text, /(?<!data\.)\b(aws_\w+\.\w+)/g);
    expect([...named].filter((address) => !declared.includes(address) && !data.includes(address))).toEqual([]);
  });

  test("describes each variable and output", async () => {
    const { variables, outputs } = await parsed();
    for (const [name, { description }] of [...Object.entries(variables), ...Object.entries(outputs)])
      expect([name, description]).toEqual([name, expect.stringMatching(/\.$/)]);
  });

  test("has the templates' defaults", async () => {
    const { variables, text } = await parsed();
    const { parameters } = new Template("departures");
    const queue = new Template("lambda-queue").parameters;
    const hook = new Template("lifecycle-hook").parameters;
    expect(variables["lifecycle_hook_name"]?.["default"]).toBe(parameters["LifecycleHookName"]?.Default);
    expect(variables["retention_seconds"]?.["default"]).toBe(parameters["RetentionSeconds"]?.Default);
    expect(variables["policy_scope"]?.["default"]).toBe(parameters["PolicyScope"]?.Default);
    expect(variables["heartbeat_timeout_seconds"]?.["default"]).toBe(hook["HeartbeatTimeout"]?.Default);
    const counts = [parameters, queue].map(({ MaxReceiveCount }) => MaxReceiveCount?.Default).join(" : ");
    expect(text).toContain(`coalesce(var.max_receive_count, var.lambda == null ? ${counts})`);
    const optional = [
      `runtime = optional(string, \\"${queue["Runtime"]?.Default}\\")`,
      `architecture = optional(string, \\"${queue["Architecture"]?.Default}\\")`,
      `batch_size = optional(number, ${queue["BatchSize"]?.Default})`,
      `maximum_concurrency = optional(number, ${queue["MaximumConcurrency"]?.Default})`,
    ];
    for (const each of optional) expect(JSON.stringify(variables["lambda"]?.["type"])).toContain(each);
  });

  test("has the templates' function, mapping, queues and hook", async () => {
    const { attributesOf } = await parsed();
    const { Handler, Timeout, MemorySize, Environment } = new Template("lambda-queue").stack().resource("Function");
    const own = attributesOf("aws_lambda_function.drains");
    expect(own).toMatchObject({ handler: Handler, timeout: Timeout, memory_size: MemorySize });
    const [{ variables }] = own["environment"] as [{ readonly variables: Attributes }];
    expect(Object.keys(variables).sort()).toEqual(Object.keys(Environment.Variables).sort());
    const { FunctionResponseTypes, MaximumBatchingWindowInSeconds } = new Template("lambda-queue")
      .stack()
      .resource("Mapping");
    expect(attributesOf("aws_lambda_event_source_mapping.queue")).toMatchObject({
      function_response_types: FunctionResponseTypes,
      maximum_batching_window_in_seconds: MaximumBatchingWindowInSeconds,
    });
    const { LifecycleTransition, DefaultResult } = new Template("lifecycle-hook").stack().resource("Hook");
    expect(attributesOf("aws_autoscaling_lifecycle_hook.drain")).toMatchObject({
      lifecycle_transition: LifecycleTransition,
      default_result: DefaultResult,
    });
    for (const queue of ["departures", "dead_letters"]) {
      expect(attributesOf(`aws_sqs_queue.${queue}`)["sqs_managed_sse_enabled"]).toMatch(
        /kms_key_arn == null \? true : null/,
      );
      expect(attributesOf(`aws_sqs_queue_policy.${queue}`)["policy"]).toMatch(
        /"Deny".*"aws:SecureTransport" = "false"/s,
      );
    }
  });
});
