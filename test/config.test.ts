import { describe, expect, test } from "vitest";
import { ConfigError, drainTimes, OPTIONS, type OptionName, readConfig } from "../src/config.ts";

const SERVE = { SECRET: "s", CLOUDPROVIDER: "aws" };

function problems(environment: Record<string, string>, verb: "serve" | "drain" | "plan" = "serve"): readonly string[] {
  try {
    readConfig({ verb, environment });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

describe("the configuration", () => {
  test("of the service needs a secret and a cloud provider, and has defaults for the rest", () => {
    expect(readConfig({ verb: "serve", environment: SERVE })).toMatchObject({
      secret: "s",
      cloudProvider: "aws",
      port: 8_080,
      host: "0.0.0.0",
      discovery: "vpc",
      logLevel: "info",
      dryRun: false,
      timeoutMs: undefined,
    });
  });

  test("of the other verbs needs nothing", () => {
    expect(problems({}, "drain")).toEqual([]);
    expect(problems({}, "plan")).toEqual([]);
  });

  test("reports all its problems together, each with its variable and what was given", () => {
    expect(
      problems({ CLOUDPROVIDER: "gcp", TIMEOUT: "soon", LOGLEVEL: "loud", PORT: "70000", DRYRUN: "perhaps" }),
    ).toEqual([
      "CLOUDPROVIDER is 'gcp': give aws",
      "TIMEOUT is 'soon': give seconds from 1 to 86400, such as 60",
      "DRYRUN is 'perhaps': give true or false",
      "LOGLEVEL is 'loud': give one of debug, info, warn, error",
      "PORT is '70000': give a whole number from 0 to 65535",
      "SECRET is not set: give the secret that callers must send, or SECRET_FILE",
    ]);
  });

  test.each<[string, Record<string, string>, string]>([
    ["no secret", { CLOUDPROVIDER: "aws" }, "SECRET is not set"],
    ["two secrets", { ...SERVE, SECRET_FILE: "/x" }, "SECRET and SECRET_FILE are both set: keep one"],
    ["no cloud", { SECRET: "s" }, "CLOUDPROVIDER is not set"],
    ["a region with a typing error", { ...SERVE, AWS_REGION: "eu west" }, "AWS_REGION is 'eu west': give a region"],
    ["a VPC with a typing error", { ...SERVE, VPCID: "vpc" }, "VPCID is 'vpc': give a VPC id"],
    ["a discovery that there is not", { ...SERVE, DISCOVERY: "all" }, "DISCOVERY is 'all': give one of vpc, tag"],
    ["a negative allowance", { ...SERVE, NLB_PROPAGATION: "-1" }, "NLB_PROPAGATION is '-1'"],
  ])("with %s is refused", (_, environment, problem) => {
    expect(problems(environment)).toEqual([expect.stringContaining(problem)]);
  });

  test("never shows a secret in a problem", () => {
    expect(problems({ SECRET: "hush", SECRET_FILE: "/x", TIMEOUT: "x", CLOUDPROVIDER: "aws" }).join()).not.toContain(
      "hush",
    );
  });

  test.each([
    ["true", true],
    ["1", true],
    ["TRUE", true],
    ["false", false],
    ["0", false],
    ["", false],
  ])("takes DRYRUN=%s, as it always did", (DRYRUN, expected) => {
    expect(readConfig({ verb: "serve", environment: { ...SERVE, DRYRUN } }).dryRun).toBe(expected);
  });

  test.each(["debug", "DEBUG", "Info", "warn", "ERROR"])("takes LOGLEVEL=%s in either case", (LOGLEVEL) => {
    expect(readConfig({ verb: "serve", environment: { ...SERVE, LOGLEVEL } }).logLevel).toBe(LOGLEVEL.toLowerCase());
  });

  test.each(["eu-west-1", "us-gov-west-1", "cn-north-1", "ap-southeast-4", "us-iso-east-1"])(
    "takes the region %s",
    (AWS_REGION) => {
      expect(readConfig({ verb: "plan", environment: { AWS_REGION } }).region).toBe(AWS_REGION);
    },
  );

  test("counts an empty variable as unset", () => {
    expect(readConfig({ verb: "drain", environment: { TIMEOUT: "", CLUSTERNAME: " " } })).toMatchObject({
      timeoutMs: undefined,
      clusterName: undefined,
    });
  });

  test.each<[string, string, boolean]>([
    ["TIMEOUT", "1", true],
    ["TIMEOUT", "0", false],
    ["TIMEOUT", "86400", true],
    ["TIMEOUT", "86401", false],
    ["PORT", "0", true],
    ["PORT", "65535", true],
    ["PORT", "65536", false],
    ["ALB_PROPAGATION", "0", true],
    ["ALB_PROPAGATION", "0.5", true],
    ["ALB_PROPAGATION", "3600", true],
    ["ALB_PROPAGATION", "3601", false],
    ["DEADLINE_MARGIN", "600", true],
    ["DEADLINE_MARGIN", "601", false],
    ["GWLB_IDLE", "7200", true],
    ["GWLB_IDLE", "7201", false],
    ["QUOTA_SHARE", "0.01", true],
    ["QUOTA_SHARE", "0", false],
    ["QUOTA_SHARE", "-0.5", false],
    ["QUOTA_SHARE", "2.5", true],
    ["QUOTA_SHARE", "101", false],
    ["INDEX_RATE", "0", true],
    ["INDEX_RATE", "0.5", true],
    ["INDEX_RATE", "-1", false],
    ["INDEX_RATE", "101", false],
    ["TIMEOUT", "1e3", false],
    ["TIMEOUT", "Infinity", false],
  ])("has a bound: %s=%s is taken: %s", (name, value, taken) => {
    const found = problems({ ...SERVE, [name]: value });
    expect(found).toEqual(taken ? [] : [expect.stringContaining(`${name} is '${value}'`)]);
  });

  test("lets a flag win over its variable, and names the flag when it is wrong", () => {
    const environment = { TIMEOUT: "60" };
    expect(readConfig({ verb: "drain", environment, flags: { timeoutMs: "90" } }).timeoutMs).toBe(90_000);
    expect(() => readConfig({ verb: "drain", environment, flags: { timeoutMs: "x" } })).toThrow("--timeout is 'x'");
  });

  test("is frozen once it is read", () => {
    expect(Object.isFrozen(readConfig({ verb: "drain", environment: {} }))).toBe(true);
  });

  test("ignores what its verb does not use", () => {
    expect(problems({ PORT: "none", SECRET: "" }, "drain")).toEqual([]);
  });

  test("gives every option but the secret itself a flag", () => {
    const flagless = (Object.keys(OPTIONS) as OptionName[]).filter((name) => OPTIONS[name].flag === undefined);
    expect(flagless).toEqual(["secret"]);
  });

  test("hands its times to the core in milliseconds", () => {
    const config = readConfig({ verb: "drain", environment: { TIMEOUT: "60", NLB_PROPAGATION: "1.5" } });
    expect(drainTimes(config)).toEqual({
      allowances: { albPropagationMs: 30_000, nlbPropagationMs: 1_500, gwlbIdleMs: 350_000, classicMinimumMs: 10_000 },
      timeoutMs: 60_000,
      deadlineMarginMs: 10_000,
    });
  });
});
