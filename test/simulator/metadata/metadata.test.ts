import { describe, expect, onTestFinished, test } from "vitest";
import { MetadataListeners } from "../../../src/simulator/metadata/metadata-listeners.ts";
import type { MetadataOptions } from "../../../src/simulator/metadata/metadata-service.ts";
import { SimulatedRegion, VPC } from "../../support/simulated-region.ts";

const TTL_HEADER = "x-aws-ec2-metadata-token-ttl-seconds";
const TOKEN_HEADER = "x-aws-ec2-metadata-token";
const SECOND_MS = 1_000;

/** A node's metadata service on a port of its own, asked over HTTP. */
async function scene(options: MetadataOptions = {}) {
  const region = new SimulatedRegion();
  const { world, clock } = region;
  const node = region.node();
  const listeners = new MetadataListeners(world);
  onTestFinished(() => listeners.close());
  const url = await listeners.open(node, options);
  const request = (path: string, headers: Record<string, string> = {}, method = "GET") =>
    fetch(url + path, { method, headers });
  const newToken = async (ttlSeconds = 21_600) =>
    (await request("/latest/api/token", { [TTL_HEADER]: String(ttlSeconds) }, "PUT")).text();
  /** With a token of its own: the text, or the status where there is none. */
  const read = async (path: string) => {
    const response = await request(`/latest/${path}`, { [TOKEN_HEADER]: await newToken() });
    return response.ok ? response.text() : response.status;
  };
  return { region, world, clock, node, listeners, url, request, newToken, read };
}

describe("the metadata service's tokens", () => {
  test("are given for a PUT that says for how long, and say for how long they are still good", async () => {
    const { clock, url, request } = await scene();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const given = await request("/latest/api/token", { [TTL_HEADER]: "60" }, "PUT");
    expect([given.status, given.headers.get(TTL_HEADER)]).toEqual([200, "60"]);
    const token = await given.text();
    await clock.advance(20 * SECOND_MS);
    const answer = await request("/latest/meta-data/instance-id", { [TOKEN_HEADER]: token });
    expect([answer.status, answer.headers.get(TTL_HEADER), answer.headers.get("content-type")]).toEqual([
      200,
      "40",
      "text/plain",
    ]);
  });

  test("are good until their time has passed, and no longer", async () => {
    const { clock, request, newToken } = await scene();
    const headers = { [TOKEN_HEADER]: await newToken(60) };
    await clock.advance(59_999);
    expect((await request("/latest/meta-data/instance-id", headers)).status).toBe(200);
    await clock.advance(1);
    expect((await request("/latest/meta-data/instance-id", headers)).status).toBe(401);
  });

  test.each(["0", "21601", "-1", "1.5", "soon", ""])("are not given for '%s' seconds", async (seconds) => {
    const { request } = await scene();
    expect((await request("/latest/api/token", { [TTL_HEADER]: seconds }, "PUT")).status).toBe(400);
  });

  test.each(["1", "21600"])("are given for %s seconds", async (seconds) => {
    const { request } = await scene();
    expect((await request("/latest/api/token", { [TTL_HEADER]: seconds }, "PUT")).status).toBe(200);
  });

  test("are not given without a time, through a proxy, or on another version's path", async () => {
    const { request } = await scene();
    const ttl = { [TTL_HEADER]: "60" };
    const statuses = [
      await request("/latest/api/token", {}, "PUT"),
      await request("/latest/api/token", { ...ttl, "x-forwarded-for": "10.0.0.1" }, "PUT"),
      await request("/2021-03-23/api/token", ttl, "PUT"),
      await request("/latest/meta-data/instance-id", ttl, "PUT"),
    ].map(({ status }) => status);
    expect(statuses).toEqual([400, 403, 403, 405]);
  });

  test("are needed to read anything, and must be this instance's", async () => {
    const { region, listeners, request, newToken } = await scene();
    const other = await listeners.open(region.node());
    const token = await newToken();
    const path = "/latest/meta-data/instance-id";
    expect((await request(path)).status).toBe(401);
    expect((await request(path, { [TOKEN_HEADER]: "made-up" })).status).toBe(401);
    expect((await fetch(other + path, { headers: { [TOKEN_HEADER]: token } })).status).toBe(401);
  });

  test("need not be sent where they are optional, but must be good where they are", async () => {
    const { node, request } = await scene({ httpTokens: "optional" });
    const path = "/latest/meta-data/instance-id";
    expect(await (await request(path)).text()).toBe(node.id);
    expect((await request(path, { [TOKEN_HEADER]: "made-up" })).status).toBe(401);
  });
});

describe("what an instance learns of itself", () => {
  test("is who it is, and where", async () => {
    const { node, read } = await scene();
    expect(await read("meta-data/instance-id")).toBe(node.id);
    expect(await read("/meta-data/placement/availability-zone")).toBe("eu-west-1a");
    expect(await read("meta-data/local-ipv4")).toBe("10.0.0.1");
    expect(JSON.parse(String(await read("dynamic/instance-identity/document")))).toMatchObject({
      accountId: "123456789012",
      instanceId: node.id,
      region: "eu-west-1",
      availabilityZone: "eu-west-1a",
      privateIp: "10.0.0.1",
      pendingTime: "2026-01-01T00:00:00Z",
    });
    expect(await read("meta-data/nothing")).toBe(404);
  });

  test("is listed, as far as it is there", async () => {
    const { world, node, read } = await scene();
    expect(String(await read("meta-data/")).split("\n")).not.toContain("spot/");
    world.interruptions.interrupt(node);
    expect(String(await read("meta-data/")).split("\n")).toEqual(expect.arrayContaining(["instance-id", "spot/"]));
    expect(await read("meta-data/spot")).toBe("instance-action\ntermination-time");
  });

  test("is that it is taken back, from the warning until its end", async () => {
    const { world, clock, node, read, request } = await scene();
    expect(await read("meta-data/spot/instance-action")).toBe(404);
    expect(await read("meta-data/events/recommendations/rebalance")).toBe(404);
    world.interruptions.interrupt(node, { rebalanceLeadMs: 600 * SECOND_MS });
    expect(await read("meta-data/spot/instance-action")).toBe(404);
    expect(await read("meta-data/events/recommendations/rebalance")).toBe('{"noticeTime":"2026-01-01T00:00:00Z"}');
    await clock.advance(600 * SECOND_MS);
    expect(await read("meta-data/spot/instance-action")).toBe('{"action":"terminate","time":"2026-01-01T00:12:00Z"}');
    expect(await read("meta-data/spot/termination-time")).toBe("2026-01-01T00:12:00Z");
    await clock.advance(120 * SECOND_MS);
    await expect(request("/latest/meta-data/instance-id")).rejects.toThrow("fetch failed");
  });

  test.each(["stop", "hibernate"] as const)("has no time of termination where it is to %s", async (action) => {
    const { world, node, read } = await scene();
    world.interruptions.interrupt(node, { action });
    if (action === "stop") expect(await read("meta-data/spot/instance-action")).toContain('"stop"');
    if (action === "stop") expect(await read("meta-data/spot/termination-time")).toBe(404);
    else await expect(read("meta-data/spot/instance-action")).rejects.toThrow("fetch failed");
  });

  test("is not that its Capacity Reservation is taken back: that is no spot", async () => {
    const { world, node, read } = await scene();
    world.interruptions.interruptReservation(node);
    expect(await read("meta-data/spot/instance-action")).toBe(404);
  });

  test("is what its Auto Scaling group wants it to come to", async () => {
    const { world, node, read } = await scene();
    const path = "meta-data/autoscaling/target-lifecycle-state";
    expect(await read(path)).toBe(404);
    const hook = {
      name: "drain",
      transition: "autoscaling:EC2_INSTANCE_TERMINATING" as const,
      heartbeatTimeoutSeconds: 300,
      defaultResult: "CONTINUE" as const,
    };
    const group = world.addAutoScalingGroup({ name: "workers", instanceIds: [node.id], hooks: [hook] });
    expect(await read(path)).toBe("InService");
    world.scaling.enterStandby(group, node, world.clock.now());
    expect(await read(path)).toBe("Standby");
    world.scaling.exitStandby(group, node, world.clock.now());
    expect(await read(path)).toBe("InService");
    world.beginScaleIn(group, node);
    expect(await read(path)).toBe("Terminated");
  });
});

test("a client may begin the path with two slashes, and ask for the head alone", async () => {
  const { request, newToken } = await scene();
  const headers = { [TOKEN_HEADER]: await newToken() };
  expect((await request("//latest/meta-data/instance-id", headers)).status).toBe(200);
  expect(await (await request("/latest/meta-data/instance-id", headers, "HEAD")).text()).toBe("");
  expect((await request("/latest/meta-data/instance-id", headers, "POST")).status).toBe(405);
});

test.each([429, 503] as const)(
  "refuses with %i what comes too fast, until there is room again",
  async (limitStatus) => {
    const { clock, newToken, request } = await scene({ limit: { tokens: 2, refillPerSecond: 1 }, limitStatus });
    const headers = { [TOKEN_HEADER]: await newToken() };
    const status = async () => (await request("/latest/meta-data/instance-id", headers)).status;
    expect([await status(), await status()]).toEqual([200, limitStatus]);
    await clock.advance(SECOND_MS);
    expect([await status(), await status()]).toEqual([200, limitStatus]);
  },
);

// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-metadata.html
describe("what an instance reads of itself", () => {
  test.each([
    ["instance-life-cycle", "on-demand"],
    ["instance-action", "none"],
    ["mac", "02:00:00:00:00:01"],
    ["placement/availability-zone-id", "euw1-az1"],
    ["reservation-id", "r-00000000000000001"],
    ["services/domain", "amazonaws.com"],
    ["services/partition", "aws"],
    ["system", "nitro"],
    ["block-device-mapping/root", "/dev/xvda"],
    ["events/maintenance/history", "[]"],
    ["network/interfaces/macs", "02:00:00:00:00:01/"],
    ["network/interfaces/macs/02:00:00:00:00:01/device-number", "0"],
    ["network/interfaces/macs/02:00:00:00:00:01/interface-id", "eni-00000000000000001"],
    ["network/interfaces/macs/02:00:00:00:00:01/local-ipv4s", "10.0.0.1"],
    ["network/interfaces/macs/02:00:00:00:00:01/subnet-ipv4-cidr-block", "10.0.0.0/19"],
    ["network/interfaces/macs/02:00:00:00:00:01/vpc-id", VPC],
    ["network/interfaces/macs/02:00:00:00:00:01/ipv6s", 404],
  ])("%s is %s", async (path, expected) => {
    const { read } = await scene();
    expect(await read(`meta-data/${path}`)).toBe(expected);
  });

  test("is spot capacity where the machine was declared as a spot instance, before any interruption", async () => {
    const { node, read } = await scene();
    Object.assign(node, { isSpot: true });
    expect(await read("meta-data/instance-life-cycle")).toBe("spot");
  });

  test("is spot capacity once it is interrupted", async () => {
    const { world, node, read } = await scene();
    world.interruptions.interrupt(node);
    expect(await read("meta-data/instance-life-cycle")).toBe("spot");
  });

  test("is under /latest and under versions by date, which are listed at the top", async () => {
    const { request, newToken } = await scene();
    const headers = { [TOKEN_HEADER]: await newToken() };
    const text = async (path: string) => {
      const response = await request(path, headers);
      return response.ok ? response.text() : response.status;
    };
    expect(String(await text("/")).split("\n")).toEqual(expect.arrayContaining(["1.0", "2021-07-15", "latest"]));
    expect(await text("/latest/")).toBe("dynamic/\nmeta-data/");
    expect(await text("/2021-07-15/meta-data/instance-id")).toBe("i-00000000000000001");
    expect(await text("/1999-01-01/meta-data/instance-id")).toBe(404);
  });
});
