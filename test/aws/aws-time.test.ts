import { DescribeInstancesCommand } from "@aws-sdk/client-ec2";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { createEngine } from "../../src/app/engine.ts";
import { AwsTime } from "../../src/aws/aws-time.ts";
import { createAwsClients } from "../../src/aws/clients.ts";
import { queueAddress } from "../../src/aws/queue-address.ts";
import { UnmeteredCaller } from "../../src/aws/unmetered-caller.ts";
import { readConfig } from "../../src/config/config.ts";
import { newAbort } from "../../src/drain/abort.ts";
import type { Clock } from "../../src/drain/clock.ts";
import type { Delivery } from "../../src/drain/event-source.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { readEvent } from "../../src/sources/events/read-event.ts";
import { ImdsClient } from "../../src/sources/imds-client.ts";
import { LifecycleHooks } from "../../src/sources/lifecycle-hooks.ts";
import { MetadataWatch } from "../../src/sources/metadata-watch.ts";
import { SqsQueue } from "../../src/sources/sqs-queue.ts";
import type { MetadataEvent, Notice } from "../../src/sources/standing-notices.ts";
import { ID } from "../support/account.ts";
import { InstanceMetadataServer, MAINTENANCE, SPOT } from "../support/instance-metadata.ts";
import { elbError, never, SimulatedRegion } from "../support/simulated-region.ts";
import { WireQueue } from "../support/wire-queue.ts";

const HOUR_MS = 3_600_000;
const WRONG = [
  ["an hour ahead", HOUR_MS],
  ["an hour behind", -HOUR_MS],
] as const;

/** This machine's clock, where `clock` is AWS's. */
function wrong(clock: Clock, aheadMs: number): Clock {
  return { now: () => clock.now() + aheadMs, sleep: (ms, signal) => clock.sleep(ms, signal), turn: () => clock.turn() };
}

describe.each(WRONG)("on a machine whose clock is %s", (_, aheadMs) => {
  test("every answer of AWS tells the difference, errors too, to a second at worst", async () => {
    const region = new SimulatedRegion();
    const told: number[] = [];
    const time = new AwsTime(wrong(region.clock, aheadMs), (skewMs) => told.push(skewMs));
    const { ec2 } = createAwsClients({ region: region.world.region, ...region.aws(), time });
    const failed = ec2.send(new DescribeInstancesCommand({ InstanceIds: ["i-0000000000000000f"] }));
    await expect(failed).rejects.toThrow();
    expect(Math.abs((time.aheadMs ?? 0) + aheadMs)).toBeLessThanOrEqual(1_000);
    for (let call = 0; call < 20; call++) {
      await region.clock.advance(950);
      await ec2.send(new DescribeInstancesCommand({ MaxResults: 5 }));
    }
    expect(Math.abs((time.aheadMs ?? 0) + aheadMs)).toBeLessThanOrEqual(100);
    expect(told).toHaveLength(1);
    expect(time.here(region.clock.now()) - (region.clock.now() + aheadMs)).toBeCloseTo(0, -3);
  });

  test("a message that was received before keeps the deadline that AWS means", async () => {
    const clock = new VirtualClock();
    const machine = wrong(clock, aheadMs);
    const wire = new WireQueue(clock);
    const time = new AwsTime(machine);
    const address = "http://127.0.0.1/000000000000/departures";
    const detail = { "instance-id": ID, "instance-action": "terminate" };
    const event = { source: "aws.ec2", "detail-type": "EC2 Spot Instance Interruption Warning", detail };
    wire.queue.put(JSON.stringify({ ...event, time: new Date(clock.now()).toISOString(), region: "eu-west-1" }));
    // By a process that has died.
    await wire.queue.answer("ReceiveMessage", { VisibilityTimeout: 0 }, never);
    const stop = newAbort();
    const shared = { caller: new UnmeteredCaller({ clock: machine }), clock: machine };
    const source = new SqsQueue({
      ...{ ...shared, time, address: queueAddress(address), sqs: wire.client(address, time), read: readEvent },
      hooks: new LifecycleHooks({ ...shared, autoScaling: {} as never, onEvent: () => {} }),
      ...{ foreign: "release", maintenanceLeadMs: 0, dryRun: false, observers: [], abandon: stop.signal },
    });
    onTestFinished(async () => {
      stop.abort();
      await clock.run(ended);
    });
    const deliveries: Delivery[] = [];
    const ended = (async () => {
      for await (const delivery of source.deliveries(stop.signal)) deliveries.push(delivery);
    })();
    await clock.advance(1_000);
    const [{ request } = { request: undefined }] = deliveries;
    void deliveries[0]?.settle({ status: "instance-gone", message: "" });
    const startedAt = machine.now() - 1_000;
    expect(Math.abs((request?.deadline ?? 0) - startedAt - 120_000)).toBeLessThanOrEqual(1_000);
    expect(Math.abs((request?.firstTriedAt ?? 0) - startedAt)).toBeLessThanOrEqual(1_000);
  });

  test("a notice of instance metadata keeps the deadline that AWS means, and maintenance its lead", async () => {
    const clock = new VirtualClock();
    const machine = wrong(clock, aheadMs);
    const time = new AwsTime(machine);
    const imds = new InstanceMetadataServer(clock, { instanceId: ID });
    const date = () => ({ date: new Date(clock.now()).toUTCString() });
    const client = new ImdsClient({
      ...{ clock: machine, time },
      send: async (request) => {
        const answer = await imds.send(request);
        return { ...answer, headers: { ...answer.headers, ...date() } };
      },
    });
    const events: MetadataEvent[] = [];
    const watch = new MetadataWatch({
      ...{ client, clock: machine, time, intervalMs: 5_000, heedsRecommendations: false, maintenanceLeadMs: HOUR_MS },
      bootedAt: () => machine.now() - 24 * HOUR_MS,
      onEvent: (event) => events.push(event),
    });
    const inSeconds = (seconds: number) => new Date(clock.now() + seconds * 1_000).toISOString().replace(".000", "");
    imds.bodies.set(SPOT, JSON.stringify({ action: "terminate", time: inSeconds(120) }));
    const NotBefore = new Date(clock.now() + 2 * HOUR_MS).toUTCString().slice(5);
    const reboot = { NotBefore, Code: "system-reboot", EventId: "instance-event-1", State: "active", Description: "x" };
    imds.bodies.set(MAINTENANCE, JSON.stringify([reboot]));
    const stop = newAbort();
    const notices: Notice[] = [];
    const ended = (async () => {
      const identity = await watch.identity(stop.signal);
      for await (const notice of watch.notices(identity, stop.signal)) notices.push(notice);
    })();
    await clock.advance(20_000);
    expect(notices).toHaveLength(1);
    const startedAt = machine.now() - 20_000;
    expect(Math.abs((notices[0]?.deadline ?? 0) - startedAt - 120_000)).toBeLessThanOrEqual(1_000);
    const drainAt = events.flatMap((event) => (event.type === "noticed" ? (event.drainAt ?? []) : []));
    expect(Math.abs((drainAt[0] ?? 0) - startedAt - HOUR_MS)).toBeLessThanOrEqual(1_000);
    // What is learned of AWS's clock makes no other notice of it.
    expect(events.filter(({ type }) => type === "noticed")).toHaveLength(2);
    stop.abort();
    await clock.run(ended);
  });
});

test("an answer that is not AWS's, as of a proxy, says nothing of AWS's clock", async () => {
  const region = new SimulatedRegion();
  const time = new AwsTime(region.clock);
  const { ec2 } = createAwsClients({ region: region.world.region, ...region.aws(), time });
  region.intercept = () => ({ status: 200, headers: { date: "Thu, 01 Jan 1970 00:00:00 GMT" }, body: "<html/>" });
  expect((await ec2.send(new DescribeInstancesCommand({}))).Reservations).toBeUndefined();
  expect(time.aheadMs).toBeUndefined();
});

describe("a request that was signed at another time than AWS's", () => {
  /** AWS refuses signatures that are more than five minutes off, and says what time it is. */
  function strictRegion() {
    const region = new SimulatedRegion();
    const realNow = Date.now;
    let aheadMs = 0;
    const spy = vi.spyOn(Date, "now").mockImplementation(() => realNow() + aheadMs);
    onTestFinished(() => spy.mockRestore());
    // Signed by the SDK itself.
    const { requestHandler, credentials } = region.aws();
    interface Sent {
      readonly headers: Readonly<Record<string, string>>;
    }
    const inner = requestHandler as { handle(sent: Sent, more: unknown): Promise<{ response: { headers: object } }> };
    let refused = 0;
    const handle = async (sent: Sent, more: unknown) => {
      const [, date = "", clock = ""] = /^(\d{8})T(\d{6})Z$/.exec(sent.headers["x-amz-date"] ?? "") ?? [];
      const iso = `${date.replace(/(....)(..)(..)/, "$1-$2-$3")}T${clock.replace(/(..)(..)(..)/, "$1:$2:$3")}Z`;
      const isOff = Math.abs(Date.parse(iso) - realNow()) > 300_000;
      if (isOff) {
        refused += 1;
        const ofEc2 = sent.headers["host"]?.startsWith("ec2") === true;
        region.intercept = () => skewed(ofEc2);
      } else region.intercept = intercept;
      const { response } = await inner.handle(sent, more);
      return { response: { ...response, headers: { ...response.headers, date: new Date(realNow()).toUTCString() } } };
    };
    let intercept: SimulatedRegion["intercept"] = () => undefined;
    const environment = { CLOUDPROVIDER: "aws", SECRET: "s", AWS_REGION: region.world.region, MIN_HEALTHY: "0" };
    const engine = createEngine(readConfig({ verb: "serve", environment }), {
      clock: region.clock,
      aws: { credentials, requestHandler: { ...(requestHandler as object), handle } as never },
    });
    const isAhead = (ms: number) => {
      aheadMs = ms;
    };
    const intercepts = (by: SimulatedRegion["intercept"]) => {
      intercept = by;
    };
    return { region, engine, isAhead, intercepts, refused: () => refused };
  }

  function skewed(ofEc2: boolean) {
    const said = "Signature expired: 20260101T000000Z is now earlier than 20260101T005500Z (20260101T010000Z - 5 min.)";
    const requestId = { "x-amzn-requestid": "r" };
    if (!ofEc2) return { ...elbError("SignatureDoesNotMatch", said, 403), headers: requestId };
    const body = `<Response><Errors><Error><Code>RequestExpired</Code><Message>Request has expired.</Message></Error></Errors><RequestID>r</RequestID></Response>`;
    return { status: 400, headers: requestId, body };
  }

  test.each(WRONG)(
    "is signed again by AWS's time, where this machine is %s, also once its clock is set right",
    async (_, aheadMs) => {
      const { region, engine, isAhead, refused } = strictRegion();
      const nodes = [region.node(), region.node()];
      for (const name of ["a", "b", "c"]) region.group({ name, nodes, delaySeconds: 30 });
      region.classic({ name: "old", nodes, drainingSeconds: 10 });
      isAhead(aheadMs);
      const drain = ({ id }: { readonly id: string }) =>
        region.clock.run(engine.drainer.drain({ node: { by: "id", value: id }, dryRun: false }, never));
      for (const [index, node] of nodes.entries()) {
        const refusedBefore = refused();
        // The SDK still signs by what it has learned of the clock before.
        if (index === 1) isAhead(0);
        expect(await drain(node)).toMatchObject({ status: "drained" });
        expect(refused()).toBeGreaterThan(refusedBefore);
      }
    },
  );

  test("is no reason to repeat what AWS refuses for another reason", async () => {
    const { region, engine, isAhead, intercepts } = strictRegion();
    region.node();
    isAhead(HOUR_MS);
    intercepts(({ action }) =>
      action === "DescribeInstances"
        ? {
            status: 403,
            headers: { "x-amzn-requestid": "r" },
            body: "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>",
          }
        : undefined,
    );
    const node = { by: "id", value: "i-00000000000000001" } as const;
    const outcome = await region.clock.run(engine.drainer.drain({ node, dryRun: false }, never));
    expect(outcome).toMatchObject({ status: "failed", error: { code: "access-denied" } });
    // Once refused for its signature, and once for good.
    expect(region.callsOf("DescribeInstances").length).toBeLessThanOrEqual(2);
  });
});
