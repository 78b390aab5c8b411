import { createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import { World } from "../../src/simulator/world/world.ts";
import { startService } from "../support/child-process.ts";
import { endpoint } from "../support/endpoint.ts";
import { FastClock } from "../support/fast-clock.ts";
import type { Environment } from "../support/program-run.ts";
import { serveHere } from "../support/run-here.ts";
import { RANDOM_SECRET } from "../support/secret-search.ts";
import { elbError, type Intercept, VPC } from "../support/simulated-region.ts";

const SECRET = RANDOM_SECRET;
const bearer = { authorization: `Bearer ${SECRET}` };
const ID = "i-00000000000000001";

/** The service, without a guard, before a region with one node in an NLB's group, which is held for ten minutes. */
async function service(environment: Environment = {}, intercept?: Intercept, speed = 1) {
  const clock = new ScaledClock(speed);
  const world = new World({ clock });
  world.addInstance({ id: ID, vpcId: VPC, privateIp: "10.0.0.1", tags: { "kubernetes.io/cluster/demo": "owned" } });
  const group = world.addTargetGroup({ name: "tcp", vpcId: VPC, protocol: "TCP", port: 30080, targetType: "instance" });
  const nlb = world.addLoadBalancer({ name: "tcp-lb", type: "network", vpcId: VPC });
  const defaultActions = [{ type: "forward", groups: [{ arn: group.arn, weight: 1 }] }] as const;
  world.addListener(nlb, { protocol: "TCP", port: 80, defaultActions });
  world.registerTarget(group, { id: ID, port: 30081 }, { settled: true });
  const AWS_ENDPOINT_URL = await endpoint(new Simulator(world), intercept);
  const defaults = { SECRET, NLB_PROPAGATION: "600", MIN_HEALTHY: "0", AWS_ENDPOINT_URL };
  return serveHere({ ...defaults, ...environment }, [], { clock: new FastClock(clock) });
}

describe("a caller who does not wait", () => {
  test("is told which drain has begun, and sees at GET /nodes how it fares and why", async () => {
    const { child, url } = await service();
    const accepted = await fetch(`${url}/drain?id=${ID}&wait=false&reason=spot%20warning%0a`, {
      method: "POST",
      headers: bearer,
    });
    expect(accepted.status).toBe(202);
    const { drainId } = (await accepted.json()) as { drainId: string };
    await child.line(/"drain planned"/);
    const drain = await fetch(new URL(accepted.headers.get("location") ?? "", url), { headers: bearer });
    expect(await drain.json()).toMatchObject({ drainId });
    const status = await fetch(`${url}/nodes/${ID}`, { headers: bearer });
    expect(await status.json()).toMatchObject({
      node: { id: ID, cluster: "demo" },
      registrations: [{ pool: "tcp", state: expect.stringMatching(/^draining/) }],
      drain: {
        drainId,
        reasons: ["spot warning"],
        limit: { reason: "timeout" },
        registrations: [{ kind: "nlb", pool: "tcp", state: "holding", holdSeconds: 600 }],
      },
    });
    expect(JSON.parse(await child.line(/"drain started"/))).toMatchObject({
      drain: drainId,
      node: ID,
      reason: "spot warning",
    });
  });

  test("may come back with a timeout of its own, which ends nobody else's wait", async () => {
    const { child, url } = await service();
    const ask = (query: string) => fetch(`${url}/drain?id=${ID}&${query}`, { method: "POST", headers: bearer });
    expect((await ask("wait=false")).status).toBe(202);
    const hasty = await ask("timeout=1&reason=hasty");
    expect(hasty.status).toBe(504);
    expect(await hasty.json()).toMatchObject({
      outcome: { status: "deadline-passed", limit: { reason: "timeout" }, registrations: [{ state: "holding" }] },
    });
    expect(JSON.parse(await child.line(/"drain joined"/))).toMatchObject({ reason: "hasty" });
    const status = await fetch(`${url}/nodes/10.0.0.1`, { headers: bearer });
    expect(await status.json()).toMatchObject({ drain: { reasons: ["hasty"], registrations: [{ state: "holding" }] } });
    expect(child.output).not.toContain('"outcome":"deadline-passed"');
  });
});

describe("the service's readiness", () => {
  test("comes with the first check, and goes with SIGTERM, while the service is still alive", async () => {
    const { child, url } = await service();
    await child.line(/"access check passed"/);
    const ready = await fetch(`${url}/ready`);
    expect([ready.status, await ready.json()]).toEqual([200, { status: "ready", checkedAt: expect.any(String) }]);

    const running = fetch(`${url}/drain?id=${ID}`, { method: "POST", headers: bearer });
    await child.line(/"target deregistered"/);
    child.signal("SIGTERM");
    await child.line(/"shutdown started"/);
    const stopping = await fetch(`${url}/ready`);
    expect([stopping.status, await stopping.json()]).toEqual([503, expect.objectContaining({ reason: "stopping" })]);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    const refused = await fetch(`${url}/drain?id=${ID}`, { method: "POST", headers: bearer });
    expect([refused.status, await refused.json()]).toEqual([
      503,
      expect.objectContaining({ detail: "the service is stopping" }),
    ]);
    child.signal("SIGTERM");
    expect((await running).status).toBe(503);
    expect((await child.finished).code).toBe(0);
  });

  test.each<[string, Environment, Intercept | undefined, string, RegExp]>([
    [
      "a denied action",
      {},
      ({ action }) =>
        action === "DescribeTargetHealth"
          ? elbError("AccessDenied", "User: arn:aws:iam::123456789012:role/x is not authorized", 403)
          : undefined,
      "AWS denies elasticloadbalancing:DescribeTargetHealth: allow it in the IAM policy",
      /"AWS denied elasticloadbalancing:DescribeTargetHealth: allow it in the IAM policy \(AWS says: User: arn:aws/,
    ],
    [
      "missing credentials",
      { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined },
      undefined,
      "the service has no valid AWS credentials: give its pod or instance a role, or set AWS_PROFILE or AWS_ACCESS_KEY_ID",
      /"no valid AWS credentials for ec2:DescribeInstances/,
    ],
    [
      "a missing region",
      { AWS_REGION: undefined },
      undefined,
      "the service has no AWS region: set AWS_REGION, or --region",
      /"no AWS region: set AWS_REGION, or --region"/,
    ],
    [
      "an AWS that can't be reached",
      { AWS_ENDPOINT_URL: "http://127.0.0.1:9" },
      undefined,
      "the service can't reach AWS: check AWS_REGION, AWS_ENDPOINT_URL and the network",
      /"could not reach 127.0.0.1:9 for ec2:DescribeInstances/,
    ],
  ])(
    "does not come with %s: the service stays up, says why to anybody, and in more words in its log",
    async (_, environment, intercept, detail, logged) => {
      const { child, url } = await service(environment, intercept, 20);
      const line = await child.line(/"access check failed"/);
      expect(line).toMatch(logged);
      expect(JSON.parse(line)).toMatchObject({ level: "warn" });
      const response = await fetch(`${url}/ready`);
      expect([response.status, await response.json()]).toEqual([503, expect.objectContaining({ detail })]);
      expect((await fetch(`${url}/health`)).status).toBe(200);
    },
  );
});

test("a bad request is logged with what is wrong, and without what was sent", async () => {
  const { child, url } = await service();
  const mistyped = "another-thing-that-nobody-may-see";
  await fetch(`${url}/drain?id=${mistyped}&pw=${encodeURIComponent(SECRET)}`, { method: "POST" });
  expect(JSON.parse(await child.line(/"request answered"/))).toMatchObject({
    status: 400,
    problem: "id: malformed",
  });
  expect(child.output).not.toContain(mistyped);
  await fetch(`${url}/drain?node=${SECRET}&pw=${encodeURIComponent(SECRET)}`, { method: "POST" });
  expect(await child.line(/the secret is in a part of the request that is logged/)).toContain('"request answered"');
});

test("SIGTERM ends the service at once though a check of AWS hangs", async () => {
  const { child } = await startService({ SECRET, AWS_ENDPOINT_URL: await silent() });
  child.signal("SIGTERM");
  expect((await child.finished).code).toBe(0);
});

/** Takes connections and says nothing. */
async function silent(): Promise<string> {
  // Read, so that the end of a connection is noticed.
  const server = createServer((socket) => void socket.on("error", () => {}).resume());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  return `http://127.0.0.1:${port}`;
}
