import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Template } from "../support/cloudformation.ts";
import { printedFor } from "../support/printed-policy.ts";

const FOLDER = "deploy/terraform";
const QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/departures";

const json = (file: string) => JSON.parse(readFileSync(`${FOLDER}/${file}`, "utf8"));
const actions: Readonly<Record<"writes" | "undo" | "serve" | "lambda", readonly string[]>> =
  json("policy-actions.json");

/** What `templatefile` makes of a template that has nothing but names in it. */
function rendered(scope: "vpc" | "tag", writes: readonly string[], receives: readonly string[]): unknown {
  const values: Readonly<Record<string, string>> = {
    partition: "aws",
    region: "eu-west-1",
    queue_arn: "arn:aws:sqs:eu-west-1:123456789012:departures",
    cluster_name: "demo",
    writes: JSON.stringify(writes),
    receives: JSON.stringify(receives),
  };
  const text = readFileSync(`${FOLDER}/policy-${scope}.json.tftpl`, "utf8");
  return JSON.parse(
    text.replace(/\$\{([^}]*)\}/g, (_, name: string) => {
      const { [name]: value } = values;
      if (value === undefined) throw new Error(`nobody gives ${name}`);
      return value;
    }),
  );
}

describe("the Terraform module", () => {
  test.each(["vpc", "tag"] as const)("has the policies that the program prints, with the scope %s", (scope) => {
    const { writes, undo, serve, lambda } = actions;
    const options = { AWS_REGION: "eu-west-1", QUEUE, POLICY_SCOPE: scope, CLUSTERNAME: "demo" };
    expect(rendered(scope, writes, serve)).toEqual(printedFor(options, { for: "serve" }));
    expect(rendered(scope, [...writes, ...undo], serve)).toEqual(
      printedFor({ ...options, UNDO: "true" }, { for: "serve" }),
    );
    expect(rendered(scope, writes, lambda)).toEqual(printedFor(options, { for: "lambda" }));
  });

  test("has the templates' rules, which name the hook besides", () => {
    const rules = new Template("departures").stack().ofType("AWS::Events::Rule");
    const [scaling, ...others] = Object.values(rules).map(({ EventPattern }) => EventPattern);
    const { detail: _, ...anyHook } = scaling;
    expect(Object.values(json("event-patterns.json"))).toEqual([anyHook, ...others]);
  });
});
