import { describe, expect, test } from "vitest";
import { createEngine } from "../../src/app/engine.ts";
import { readConfig } from "../../src/config/config.ts";
import { newAbort } from "../../src/drain/abort.ts";
import type { DrainError } from "../../src/drain/errors.ts";
import type { DrainEvent } from "../../src/drain/events.ts";
import type { DrainRequest } from "../../src/drain/request.ts";
import { errorXml } from "../../src/simulator/api/answer.ts";
import { AwsError } from "../../src/simulator/aws-error.ts";
import { elbError, type InterceptedCall, SimulatedRegion } from "../support/simulated-region.ts";

/** An engine without credentials, until `give` gives it some, and a node in an ALB's group. */
function scene() {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node, region.node()], delaySeconds: 30 });
  const environment = { CLOUDPROVIDER: "aws", SECRET: "s", AWS_REGION: region.world.region, INDEX_RATE: "0" };
  const events: DrainEvent[] = [];
  const failures: DrainError[] = [];
  let given: string | undefined;
  const credentials = async () => {
    if (given === undefined)
      throw Object.assign(new Error("Could not load credentials"), { name: "CredentialsProviderError" });
    return { accessKeyId: given, secretAccessKey: "simulated" };
  };
  const { drainer } = createEngine(readConfig({ verb: "serve", environment }), {
    clock: region.clock,
    aws: region.aws(credentials),
    observers: [(event) => events.push(event)],
    onLookupFailed: (_, error) => failures.push(error),
  });
  const drain = (request: Partial<DrainRequest> = {}) =>
    drainer.drain({ node: { by: "id", value: node.id }, dryRun: false, ...request }, newAbort().signal);
  const give = (accessKeyId: string) => {
    given = accessKeyId;
  };
  return { region, node, drain, give, events, failures };
}

/** Every call with other credentials than these is refused. */
function accepting(valid: string) {
  return ({ action, accessKeyId }: InterceptedCall) => {
    if (accessKeyId === valid) return undefined;
    if (action !== "DescribeInstances") return elbError("ExpiredToken", "it has expired", 403);
    const headers = { "content-type": "text/xml" };
    const error = new AwsError("RequestExpired", "it has expired", 400);
    return { status: 400, headers, body: errorXml(error, { namespace: "", protocol: "ec2" }, "r") };
  };
}

describe("credentials that are absent when a drain begins, and come half a minute later", () => {
  test.each<[string, (now: number) => Partial<DrainRequest>]>([
    ["a deadline", (now) => ({ deadline: now + 300_000 })],
    ["a timeout", () => ({ timeoutMs: 120_000 })],
    ["no limit", () => ({})],
  ])("are waited for by a request with %s", async (_, limits) => {
    const { region, drain, give, failures } = scene();
    const outcome = drain(limits(region.clock.now()));
    await region.clock.advance(30_000);
    give("simulated");
    expect(await region.clock.run(outcome)).toMatchObject({ status: "drained" });
    expect(new Set(failures.map(({ code }) => code))).toEqual(new Set(["no-credentials"]));
  });
});

describe("credentials that never come", () => {
  test.each<[string, (now: number) => Partial<DrainRequest>, number]>([
    ["before its deadline", (now) => ({ deadline: now + 300_000 }), 300_000],
    ["before its timeout", () => ({ timeoutMs: 120_000 }), 120_000],
    ["after a minute, where it has neither", () => ({}), 60_000],
  ])("end a request %s, and the answer says what to do", async (_, limits, withinMs) => {
    const { region, drain } = scene();
    const startedAt = region.clock.now();
    const outcome = await region.clock.run(drain(limits(startedAt)));
    expect(outcome).toMatchObject({
      status: "failed",
      error: {
        code: "no-credentials",
        message: expect.stringMatching(/^no valid AWS credentials for ec2:DescribeInstances: give the pod .* a role/),
      },
    });
    expect(region.clock.now() - startedAt).toBeLessThanOrEqual(withinMs);
    expect(region.clock.now() - startedAt).toBeGreaterThan(withinMs / 2);
  });
});

describe("credentials that AWS refuses", () => {
  test("when a drain begins are looked up again at the next attempt", async () => {
    const { region, drain, give } = scene();
    give("expired");
    region.intercept = accepting("renewed");
    const outcome = drain();
    await region.clock.advance(10_000);
    give("renewed");
    expect(await region.clock.run(outcome)).toMatchObject({ status: "drained" });
  });

  test("while a node is held are replaced before the hold ends", async () => {
    const { region, drain, give, events } = scene();
    give("first");
    const outcome = drain();
    await region.clock.advance(2_000);
    expect(events.map(({ type }) => type)).toContain("deregistered");
    region.intercept = accepting("second");
    await region.clock.advance(15_000);
    give("second");
    expect(await region.clock.run(outcome)).toMatchObject({ status: "drained" });
  });
});
