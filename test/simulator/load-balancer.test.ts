import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Action, actionFor, chooseGroup, type Listener } from "../../src/simulator/world/load-balancer.ts";
import type { Condition, RuleRequest } from "../../src/simulator/world/rule-conditions.ts";

const forward = (arn: string): Action => ({ type: "forward", groups: [{ arn, weight: 1 }] });

function listener(
  ...rules: { readonly priority: number; readonly to: string; readonly conditions: readonly Condition[] }[]
): Listener {
  return {
    arn: "listener",
    protocol: "HTTP",
    port: 80,
    defaultRuleArn: "default",
    defaultActions: [forward("default")],
    tags: new Map(),
    attributes: new Map(),
    certificateArns: [],
    sslPolicy: undefined,
    alpnPolicy: undefined,
    rules: rules.map(({ priority, to, conditions }) => ({
      arn: `rule-${priority}`,
      priority,
      conditions,
      actions: [forward(to)],
      tags: new Map(),
    })),
  };
}

const path = (...values: string[]): Condition => ({ field: "path-pattern", values });
const host = (...values: string[]): Condition => ({ field: "host-header", values });

function groupFor(of: Listener, request: Partial<RuleRequest>): string | undefined {
  const action = actionFor(of, { host: "example.com", path: "/", ...request });
  return action?.type === "forward" ? action.groups[0]?.arn : undefined;
}

describe("a listener", () => {
  test("takes its default action when no rule holds", () => {
    expect(groupFor(listener(), {})).toBe("default");
    expect(groupFor(listener({ priority: 1, to: "api", conditions: [path("/api")] }), {})).toBe("default");
  });

  test("tries its rules by priority, not in the order in which they were made", () => {
    const rules = listener(
      { priority: 30, to: "last", conditions: [path("*")] },
      { priority: 2, to: "first", conditions: [path("/a*")] },
      { priority: 10, to: "second", conditions: [path("/*")] },
    );
    expect(groupFor(rules, { path: "/abc" })).toBe("first");
    expect(groupFor(rules, { path: "/xyz" })).toBe("second");
  });

  test("wants every condition of a rule, and one value of each", () => {
    const rules = listener({
      priority: 1,
      to: "both",
      conditions: [path("/a", "/b"), host("one.example.com", "two.example.com")],
    });
    expect(groupFor(rules, { path: "/b", host: "one.example.com" })).toBe("both");
    expect(groupFor(rules, { path: "/a", host: "two.example.com" })).toBe("both");
    expect(groupFor(rules, { path: "/c", host: "two.example.com" })).toBe("default");
    expect(groupFor(rules, { path: "/a", host: "example.com" })).toBe("default");
  });

  test("takes the last of several actions: those before it only authenticate", () => {
    const action = actionFor(
      { ...listener(), defaultActions: [{ type: "redirect", statusCode: "HTTP_302" }, forward("web")] },
      { host: "", path: "/" },
    );
    expect(action).toEqual(forward("web"));
  });
});

test.each([
  { pattern: "/img/*", path: "/img/", holds: true },
  { pattern: "/img/*", path: "/img/a/b.png", holds: true },
  { pattern: "/img/*", path: "/img", holds: false },
  { pattern: "/img/?.png", path: "/img/a.png", holds: true },
  { pattern: "/img/?.png", path: "/img/ab.png", holds: false },
  { pattern: "/img/?.png", path: "/img/.png", holds: false },
  { pattern: "/a.c", path: "/abc", holds: false },
  { pattern: "/Case", path: "/case", holds: false },
  { pattern: "*/[x]+(y)|$", path: "/[x]+(y)|$", holds: true },
  { pattern: "/a*c", path: "/a\nc", holds: true },
  { pattern: "/", path: "/a", holds: false },
])("the path pattern $pattern and $path: $holds", ({ pattern, path: asked, holds }) => {
  const rules = listener({ priority: 1, to: "rule", conditions: [path(pattern)] });
  expect(groupFor(rules, { path: asked })).toBe(holds ? "rule" : "default");
});

test.each([
  { pattern: "*.example.com", host: "www.example.com", holds: true },
  { pattern: "*.example.com", host: "example.com", holds: false },
  { pattern: "WWW.example.com", host: "www.EXAMPLE.com", holds: true },
  { pattern: "www?.example.com", host: "www2.example.com", holds: true },
  { pattern: "www.example.com", host: "wwwxexample.com", holds: false },
])("the host $pattern and $host: $holds", ({ pattern, host: asked, holds }) => {
  const rules = listener({ priority: 1, to: "rule", conditions: [host(pattern)] });
  expect(groupFor(rules, { host: asked })).toBe(holds ? "rule" : "default");
});

const byHeader = (name: string, ...values: string[]): Condition => ({ field: "http-header", name, values });
const byMethod = (...values: string[]): Condition => ({ field: "http-request-method", values });
const byAddress = (...values: string[]): Condition => ({ field: "source-ip", values });
const byQuery = (value: string, key?: string): Condition => ({
  field: "query-string",
  pairs: [{ value, ...(key === undefined ? {} : { key }) }],
});

// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
test.each<[what: string, condition: Condition, request: Partial<RuleRequest>, holds: boolean]>([
  ["a header in any case", byHeader("User-Agent", "*chrome*"), { headers: { "user-agent": ["Chrome 1"] } }, true],
  ["one of several headers", byHeader("X-A", "b"), { headers: { "x-a": ["a", "b"] } }, true],
  ["another header", byHeader("X-A", "b"), { headers: { "x-b": ["b"] } }, false],
  ["a method", byMethod("GET", "HEAD"), { method: "HEAD" }, true],
  ["a method in another case", byMethod("get"), { method: "GET" }, false],
  ["a key and its value", byQuery("v?", "version"), { query: "a=b&VERSION=V1" }, true],
  ["another key", byQuery("v1", "version"), { query: "v=v1" }, false],
  ["a value of any key", byQuery("*example*"), { query: "a=1&b=an-example" }, true],
  ["a literal asterisk", byQuery("\\*", "a"), { query: "a=*" }, true],
  ["a literal asterisk and another text", byQuery("\\*", "a"), { query: "a=b" }, false],
  ["a block of addresses", byAddress("10.0.0.0/8", "2001:db8::/32"), { address: "10.1.2.3" }, true],
  ["a block of IPv6 addresses", byAddress("10.0.0.0/8", "2001:db8::/32"), { address: "2001:db8::1" }, true],
  ["another address", byAddress("10.0.0.0/8"), { address: "11.0.0.1" }, false],
  ["no address", byAddress("0.0.0.0/0"), {}, false],
])("a condition for %s", (_, condition, request, holds) => {
  const rules = listener({ priority: 1, to: "rule", conditions: [condition] });
  expect(groupFor(rules, request)).toBe(holds ? "rule" : "default");
});

describe("a weighted forward", () => {
  test("shares consecutive tickets out exactly by the weights", () => {
    const weights = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(weights, fc.nat(), (chosenWeights, start) => {
        const groups = chosenWeights.map((weight, index) => ({ arn: String(index), weight }));
        const total = chosenWeights.reduce((sum, weight) => sum + weight, 0);
        const tickets = Array.from({ length: total }, (_, index) => chooseGroup(groups, start + index));
        for (const { arn, weight } of groups) expect(tickets.filter((chosen) => chosen === arn)).toHaveLength(weight);
      }),
    );
  });

  test.each([
    {
      what: "every weight is 0",
      groups: [
        { arn: "a", weight: 0 },
        { arn: "b", weight: 0 },
      ],
    },
    { what: "there is no group", groups: [] },
  ])("chooses nobody when $what", ({ groups }) => {
    expect(chooseGroup(groups, 7)).toBeUndefined();
  });
});
