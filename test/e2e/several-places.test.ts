import { describe, expect, test } from "vitest";
import type { CallFor, CloudProvider } from "../../src/drain/cloud-provider.ts";
import { drainRecord } from "../../src/drain/drain-record.ts";
import type { CloudCall, DrainEvent } from "../../src/drain/events.ts";
import type { EndOfDrain, LedgerEntry } from "../../src/drain/ledger.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { OTHER_ACCOUNT, ROLE, SeveralPlaces } from "../support/several-places.ts";
import { elbError, never, type SimulatedRegion } from "../support/simulated-region.ts";

const OWN = "Region=eu-west-1";
const OTHERS = `Region=eu-west-1,RoleArn=${ROLE},ExternalId=blue`;
const ELSEWHERE = `Region=us-east-1,RoleArn=${ROLE},ExternalId=blue`;
const ALL = [OWN, OTHERS, ELSEWHERE].join(" ");
const OTHER_PLACE = `${OTHER_ACCOUNT}/eu-west-1`;
const OTHER_VPC = "vpc-0fedcba9876543210";

/** A node of the own account: in its own ALB, in a group of another account in the same VPC, and in one of a peered VPC elsewhere. */
function scene() {
  const places = new SeveralPlaces();
  const own = places.region("eu-west-1");
  const others = places.region("eu-west-1", OTHER_ACCOUNT);
  const elsewhere = places.region("us-east-1", OTHER_ACCOUNT);
  const node = own.node();
  own.group({ name: "own", nodes: [node] });
  const shared = others.group({ name: "shared", targetType: "ip", port: 8080 });
  others.world.registerTarget(shared, { id: node.privateIp }, { settled: true });
  const peered = elsewhere.group({ name: "peered", targetType: "ip", port: 8080, type: "network", vpcId: OTHER_VPC });
  elsewhere.world.registerTarget(peered, { id: node.privateIp, zone: "all" }, { settled: true });
  for (const region of [own, others]) region.classic({ name: "legacy", nodes: region === own ? [node] : [] });
  return { places, own, others, elsewhere, node };
}

const found = (outcome: unknown) =>
  (outcome as EndOfDrain & { readonly registrations: readonly [] }).registrations
    .map(
      ({
        registration: { pool, target },
      }: {
        readonly registration: {
          readonly pool: { readonly place?: string; readonly name: string };
          readonly target: string;
        };
      }) => `${pool.place} ${pool.name} ${target}`,
    )
    .sort();

const toFind: CallFor = { urgency: () => ({ purpose: "find", deadline: Number.POSITIVE_INFINITY }), signal: never };

const request = ({ id }: { readonly id: string }) => ({ node: { by: "id", value: id }, dryRun: false }) as const;

const deregistered = (region: SimulatedRegion) =>
  region.calls.filter(({ action }) => action.startsWith("Deregister")).length;

describe("a service with several accounts and regions", () => {
  test("deregisters a node wherever it is registered, each by the place of the pool", async () => {
    const { places, own, others, elsewhere, node } = scene();
    const { drainer } = await places.engine(ALL);
    const outcome = await places.clock.run(drainer.drain(request(node), never));
    expect(outcome).toMatchObject({ status: "drained", node: { id: node.id, place: "eu-west-1" } });
    expect(found(outcome)).toEqual([
      `${OTHER_ACCOUNT}/eu-west-1 shared 10.0.0.1:8080`,
      `${OTHER_ACCOUNT}/us-east-1 peered 10.0.0.1:8080`,
      `eu-west-1 legacy ${node.id}`,
      `eu-west-1 own ${node.id}:30080`,
    ]);
    expect([own, others, elsewhere].map(deregistered)).toEqual([2, 1, 1]);
  });

  test("assumes the role with its external id and session name at STS of the region, and renews what expires", async () => {
    const { places, node } = scene();
    places.sts.validForMs = 240_000;
    const { drainer } = await places.engine(`${OWN} ${ELSEWHERE},RoleSessionName=drains`);
    await places.clock.run(drainer.drain(request(node), never));
    expect(places.sts.asked[0]).toEqual({
      roleArn: ROLE,
      externalId: "blue",
      sessionName: "drains",
      region: "us-east-1",
      by: "simulated",
    });
    expect(places.hosts).toContain("sts.us-east-1.amazonaws.com");
    // The SDK renews five minutes before the end: each call of these finds its credentials too old.
    expect(places.sts.asked.length).toBeGreaterThan(3);
  });

  test("asks every place, and reads nothing as registered nowhere that it could not read", async () => {
    const { places, own, others, node } = scene();
    others.intercept = ({ action }) =>
      action === "DescribeTargetGroups" ? elbError("AccessDenied", "no", 403) : undefined;
    const { drainer } = await places.engine(ALL);
    const outcome = await places.clock.run(drainer.drain(request(node), never));
    expect(outcome).toMatchObject({
      status: "failed",
      error: { code: "access-denied", message: expect.stringMatching(`^${OTHER_PLACE}: AWS denied`) },
    });
    // What the other places had is out all the same.
    expect(deregistered(own)).toBe(2);
  });

  test("goes on asking for a role that STS denies until the limit, and fails then, naming place and role", async () => {
    const { places, own, node } = scene();
    const { drainer } = await places.engine(ALL.replaceAll("ExternalId=blue", "ExternalId=green"), { TIMEOUT: "60" });
    const outcome = await places.clock.run(drainer.drain(request(node), never));
    expect(outcome).toMatchObject({
      status: "failed",
      error: {
        code: "no-credentials",
        message: expect.stringContaining(`${OTHER_PLACE}: AWS denied sts:AssumeRole of ${ROLE}`),
      },
    });
    expect(deregistered(own)).toBe(2);
  });

  test("names the place of each access that is denied", async () => {
    const { places, others } = scene();
    others.intercept = ({ action }) =>
      action === "DescribeTargetHealth" ? elbError("AccessDenied", "no", 403) : undefined;
    const { checkAccess } = await places.engine(ALL);
    const problems = await places.clock.run(checkAccess(never));
    expect(problems.map(({ action, error }) => [action, error.message.split(" ").slice(0, 3).join(" ")])).toEqual([
      ["elasticloadbalancing:DescribeTargetHealth", `${OTHER_PLACE}: AWS denied`],
    ]);
  });

  test("finds a node by its address in whichever place, and refuses one that two have", async () => {
    const { places, own, elsewhere, node } = scene();
    const { cloud } = await places.engine(ALL);
    const byIp = (value: string) => places.clock.run(cloud.resolve({ by: "ip", value }, toFind));
    const far = elsewhere.node({ privateIp: "10.7.0.1", id: "i-0fedcba9876543210" });
    expect(await byIp("10.7.0.1")).toMatchObject({ id: far.id, place: `${OTHER_ACCOUNT}/us-east-1` });
    elsewhere.node({ privateIp: node.privateIp, id: "i-0fedcba9876543211" });
    await expect(byIp(node.privateIp)).rejects.toMatchObject({
      code: "ambiguous-node",
      message: `the address 10.0.0.1 matches instances in several accounts or regions: ${node.id} (eu-west-1), i-0fedcba9876543211 (${OTHER_ACCOUNT}/us-east-1). Name one by its id`,
    });
    own.intercept = ({ action }) => (action === "DescribeInstances" ? elbError("AccessDenied", "no", 403) : undefined);
    await expect(byIp("10.7.0.1")).rejects.toMatchObject({ code: "access-denied" });
    // An id is one machine's in all of AWS.
    expect(await places.clock.run(cloud.resolve({ by: "id", value: far.id }, toFind))).toMatchObject({ id: far.id });
  });

  test("says where it has looked for a node that is nowhere, and does not say so while a place can't be asked", async () => {
    const { places, others } = scene();
    const { cloud } = await places.engine(ALL);
    const lookUp = () => places.clock.run(cloud.resolve({ by: "id", value: "i-0aaaaaaaaaaaaaaaa" }, toFind));
    await expect(lookUp()).rejects.toMatchObject({
      code: "node-not-found",
      message: `no live instance in eu-west-1, ${OTHER_PLACE}, ${OTHER_ACCOUNT}/us-east-1 has the id i-0aaaaaaaaaaaaaaaa: check it, and AWS_PLACES`,
    });
    others.intercept = ({ action }) =>
      action === "DescribeInstances" ? elbError("UnauthorizedOperation", "no", 403) : undefined;
    await expect(lookUp()).rejects.toMatchObject({ code: "access-denied" });
  });

  test("does not touch an address that a machine in another place has too", async () => {
    const { places, others, elsewhere, node } = scene();
    const stranger = others.node({
      privateIp: node.privateIp,
      vpcId: "vpc-0aaaaaaaaaaaaaaaa",
      id: "i-0fedcba9876543212",
    });
    const { drainer } = await places.engine(ALL);
    const outcome = await places.clock.run(drainer.drain(request(node), never));
    expect(outcome).toMatchObject({
      status: "possibly-registered",
      elsewhere: [{ pool: { name: "peered" }, doubt: expect.stringContaining(stranger.id) }],
    });
    expect(deregistered(elsewhere)).toBe(0);
  });

  test("drains instances of another account that are registered by their ids in a shared VPC", async () => {
    const { places, others, node } = scene();
    const byId = others.group({ name: "by-id" });
    others.world.registerTarget(byId, { id: node.id }, { settled: true });
    const { drainer } = await places.engine(ALL, { MIN_HEALTHY: "1" });
    const outcome = await places.clock.run(drainer.drain(request(node), never));
    expect(found(outcome)).toContain(`${OTHER_PLACE} by-id ${node.id}:30080`);
  });

  test("registers again in each place what a drain has deregistered there", async () => {
    const { places, own, others, elsewhere, node } = scene();
    const ledger = new MemoryLedger();
    const { drainer } = await places.engine(ALL, { UNDO: "true" }, { ledger });
    await places.clock.run(drainer.drain(request(node), never));
    const undone = await places.clock.run(drainer.cancel(ledger.list(1)[0]?.drain ?? "", undefined, never));
    expect(undone.registrations.map(({ state }) => state)).toEqual(Array(4).fill("registered"));
    const registered = (region: SimulatedRegion) =>
      region.calls.filter(({ action }) => action.startsWith("Register")).length;
    expect([own, others, elsewhere].map(registered)).toEqual([2, 1, 1]);
  });

  test("knows beforehand where a node is, with an index of each place", async () => {
    const { places, node } = scene();
    const calls: CloudCall[] = [];
    const onCall = (call: CloudCall) => void calls.push(call);
    const { drainer, maintainIndex } = await places.engine(ALL, { INDEX_RATE: "10" }, { onCall });
    const stop = new AbortController();
    const maintained = maintainIndex(stop.signal);
    await places.clock.advance(20_000);
    const planned = await places.clock.run(drainer.plan(request(node), never));
    expect(planned.registrations.map(({ registration: { pool } }) => pool.name).sort()).toEqual([
      "legacy",
      "own",
      "peered",
      "shared",
    ]);
    // Only EC2 is asked: which node it is, and which others have the address that the peered group lists.
    const found = calls.filter(({ purpose }) => purpose === "find").map(({ action }) => action);
    expect(new Set(found)).toEqual(new Set(["ec2:DescribeInstances"]));
    const refreshed = calls.filter(({ purpose }) => purpose === "refresh").map(({ place }) => place);
    expect(new Set(refreshed)).toEqual(new Set(["eu-west-1", OTHER_PLACE, `${OTHER_ACCOUNT}/us-east-1`]));
    stop.abort();
    await places.clock.run(maintained);
  });
});

describe("the ledger of a service with several accounts and regions", () => {
  /** A drain that is interrupted while it holds, and what the next process is told. */
  async function interrupted(before: string, after: string) {
    const { places, own, others, elsewhere, node } = scene();
    const ledger = new MemoryLedger();
    const first = await places.engine(before, {}, { ledger });
    const end = new AbortController();
    const drained = first.drainer.drain(request(node), end.signal);
    await places.clock.advance(20_000);
    end.abort();
    await places.clock.run(drained);
    for (const region of [own, others, elsewhere]) region.calls.splice(0);
    const events: DrainEvent[] = [];
    const second = await places.engine(after, {}, { ledger, events });
    const entries = JSON.parse(JSON.stringify(await ledger.unfinished())) as readonly (readonly LedgerEntry[])[];
    const record = drainRecord(entries[0] ?? []);
    if (record === undefined) throw new Error("nothing was interrupted");
    const resume = async () => {
      await places.clock.run(second.drainer.resume(record, never));
      return events.flatMap((event) => (event.type === "ended" ? [event.outcome] : [])).at(-1);
    };
    return { own, others, elsewhere, second, record, resume };
  }

  test("leads each registration back to its place after a restart", async () => {
    const { own, others, elsewhere, second, record, resume } = await interrupted(ALL, ALL);
    expect(second.cloud.covers(record.node.place)).toBe(true);
    const outcome = await resume();
    expect(outcome).toMatchObject({ status: "drained" });
    expect(found(outcome)).toHaveLength(4);
    // Each is confirmed where it is: none of them says of another one's pool that it does not exist.
    const reads = (region: SimulatedRegion) =>
      region.calls.filter(({ action }) => /DescribeTargetHealth|DescribeInstanceHealth/.test(action)).length;
    for (const region of [own, others, elsewhere]) expect(reads(region)).toBeGreaterThan(0);
  });

  test("of before there were places leads to those of the program's own credentials", async () => {
    const { own, second, record, resume } = await interrupted("", ALL);
    expect(second.cloud.covers(record.node.place)).toBe(true);
    const outcome = await resume();
    expect(outcome).toMatchObject({ status: "drained" });
    expect(deregistered(own)).toBe(0);
  });

  test("is not taken for a drain of machines and pools that are gone where a place is configured no more", async () => {
    const { second, record } = await interrupted(ALL, OTHERS);
    expect(second.cloud.covers(record.node.place)).toBe(false);
    const { second: without } = await interrupted(ALL, "");
    expect(without.cloud.covers(record.node.place)).toBe(false);
    const [pool] = record.registrations.map((one) => one?.registration.pool);
    if (pool === undefined) throw new Error("no pool");
    for (const { cloud } of [second, without]) {
      await expect((cloud as unknown as CloudProvider).describe(pool, toFind)).rejects.toMatchObject({
        code: "cloud-error",
        message: expect.stringContaining("which AWS_PLACES does not name"),
      });
    }
  });
});
