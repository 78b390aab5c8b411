import { describe, expect, test } from "vitest";
import { judge } from "../../../src/simulator/iam/judge.ts";
import { type PolicyStatement, readPolicy } from "../../../src/simulator/iam/policy.ts";

const GROUP = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/0123456789abcdef";
const DEREGISTER = "elasticloadbalancing:DeregisterTargets";

const allow = (more: Partial<PolicyStatement> = {}): PolicyStatement => ({
  Effect: "Allow",
  Action: DEREGISTER,
  Resource: "*",
  ...more,
});

function verdict(statements: readonly PolicyStatement[], tags: Readonly<Record<string, string>> = {}, arn = GROUP) {
  const resources = [{ arn, tags: new Map(Object.entries(tags)) }];
  return judge(statements, { action: DEREGISTER, resources }).type;
}

describe("a policy allows", () => {
  test.each<[string, Partial<PolicyStatement>, boolean]>([
    ["an action by its name", { Action: DEREGISTER }, true],
    ["an action in other letters", { Action: "ElasticLoadBalancing:deregistertargets" }, true],
    ["an action by a wildcard", { Action: "elasticloadbalancing:Deregister*" }, true],
    ["an action in a list", { Action: ["ec2:DescribeInstances", DEREGISTER] }, true],
    ["every action", { Action: "*" }, true],
    ["no other action", { Action: "elasticloadbalancing:RegisterTargets" }, false],
    ["no action of another service", { Action: "elb:*" }, false],
    ["a resource by its ARN", { Resource: GROUP }, true],
    ["a resource by wildcards", { Resource: "arn:aws:elasticloadbalancing:*:*:targetgroup/*/*" }, true],
    ["a resource in a list", { Resource: ["arn:aws:s3:::x", GROUP] }, true],
    ["no resource of another kind", { Resource: "arn:aws:elasticloadbalancing:*:*:loadbalancer/*" }, false],
    ["none in another region", { Resource: "arn:aws:elasticloadbalancing:us-east-1:*:targetgroup/*/*" }, false],
    ["none in another partition", { Resource: "arn:aws-cn:elasticloadbalancing:*:*:targetgroup/*/*" }, false],
    ["none by a wildcard that would span parts", { Resource: "arn:aws:elasticloadbalancing:*:x:y" }, false],
  ])("%s", (_, statement, expected) => {
    expect(verdict([allow(statement)])).toBe(expected ? "allowed" : "denied");
  });

  test("an action without resources by * alone", () => {
    const describe = { action: "ec2:DescribeInstances", resources: [] };
    expect(judge([allow({ Action: "ec2:*" })], describe)).toEqual({ type: "allowed", by: [0] });
    const narrow = allow({ Action: "ec2:*", Resource: "arn:aws:ec2:*:*:instance/*" });
    expect(judge([narrow], describe)).toEqual({ type: "denied", explicit: false });
  });

  test("a call only where every resource of it is allowed, and names the first that is not", () => {
    const resources = ["a", "b", "c"].map((name) => ({ arn: `arn:aws:ec2:r:1:instance/${name}`, tags: new Map() }));
    const statements = [allow({ Action: "ec2:*", Resource: "arn:aws:ec2:r:1:instance/a" })];
    expect(judge(statements, { action: "ec2:StopInstances", resources })).toEqual({
      type: "denied",
      explicit: false,
      resource: resources[1],
    });
  });

  test("nothing that a statement denies, wherever it stands", () => {
    const deny: PolicyStatement = { ...allow(), Effect: "Deny" };
    expect(verdict([deny, allow()])).toBe("denied");
    expect(verdict([allow(), deny])).toBe("denied");
    expect(verdict([allow(), { ...deny, Condition: { StringEquals: { "aws:ResourceTag/a": "1" } } }])).toBe("allowed");
  });

  test("and tells which statements did", () => {
    const statements = [allow({ Action: "ec2:*" }), allow(), allow({ Resource: GROUP })];
    const resources = [{ arn: GROUP, tags: new Map() }];
    expect(judge(statements, { action: DEREGISTER, resources })).toEqual({ type: "allowed", by: [1, 2] });
  });
});

describe("a condition on a tag holds", () => {
  const equals = (conditions: Record<string, string | string[]>) => ({ Condition: { StringEquals: conditions } });
  test.each<[string, Partial<PolicyStatement>, Readonly<Record<string, string>>, boolean]>([
    ["for its value", equals({ "aws:ResourceTag/k": "v" }), { k: "v" }, true],
    ["for any of its values", equals({ "aws:ResourceTag/k": ["u", "v"] }), { k: "v" }, true],
    ["for a key with slashes", equals({ "aws:ResourceTag/kubernetes.io/x": "v" }), { "kubernetes.io/x": "v" }, true],
    ["for a key in other letters", equals({ "aws:ResourceTag/K": "v" }), { k: "v" }, true],
    [
      "not for keys that differ by letters' size alone",
      equals({ "aws:ResourceTag/k": "v" }),
      { k: "v", K: "v" },
      false,
    ],
    ["not for a value in other letters", equals({ "aws:ResourceTag/k": "V" }), { k: "v" }, false],
    ["not for another value", equals({ "aws:ResourceTag/k": "v*" }), { k: "vw" }, false],
    ["not where there is no such tag", equals({ "aws:ResourceTag/k": "" }), {}, false],
    ["only with every other key", equals({ "aws:ResourceTag/k": "v", "aws:ResourceTag/l": "w" }), { k: "v" }, false],
    ["by wildcards", { Condition: { StringLike: { "aws:ResourceTag/k": "v?*" } } }, { k: "vw" }, true],
    [
      "only with every other operator",
      { Condition: { StringLike: { "aws:ResourceTag/k": "*" }, StringEquals: { "aws:ResourceTag/k": "w" } } },
      { k: "v" },
      false,
    ],
  ])("%s", (_, statement, tags, expected) => {
    expect(verdict([allow(statement)], tags)).toBe(expected ? "allowed" : "denied");
  });
});

describe("a policy that is not simulated whole is refused", () => {
  const problem = (document: unknown) => {
    try {
      return `read: ${JSON.stringify(readPolicy(document))}`;
    } catch (error) {
      return (error as Error).message;
    }
  };
  const of = (more: object) => problem({ Version: "2012-10-17", Statement: [{ ...allow(), ...more }] });

  test.each<[string, object, string]>([
    [
      "another operator",
      { Condition: { StringNotEquals: { "aws:ResourceTag/k": "v" } } },
      "Statement[0].Condition: unknown key 'StringNotEquals'",
    ],
    [
      "another key",
      { Condition: { StringEquals: { "aws:RequestedRegion": "eu-west-1" } } },
      'Statement[0].Condition.StringEquals["aws:RequestedRegion"]: only aws:ResourceTag/… keys are simulated',
    ],
    [
      "a variable",
      { Condition: { StringEquals: { "aws:ResourceTag/k": "$" + "{aws:username}" } } },
      'Statement[0].Condition.StringEquals["aws:ResourceTag/k"]: give a text; variables are not simulated',
    ],
    ["another element", { NotAction: "*" }, "Statement[0]: unknown key 'NotAction'"],
    ["a malformed action", { Action: "DeregisterTargets" }, "Statement[0].Action: give an action such as"],
    ["a malformed resource", { Resource: ["*", "targetgroup/x"] }, "Statement[0].Resource[1]: give * or an ARN"],
    ["an effect in other letters", { Effect: "allow" }, "Statement[0].Effect: "],
  ])("for %s, with its place", (_, more, expected) => {
    expect(of(more)).toContain(expected);
  });

  test("for the older language", () => {
    expect(problem({ Version: "2008-10-17", Statement: [allow()] })).toContain("Version: ");
  });

  test("with all its problems at once", () => {
    expect(of({ NotAction: "*", Effect: "x" }).split("\n")).toHaveLength(3);
  });
});
