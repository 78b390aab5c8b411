import { readdirSync, readFileSync } from "node:fs";
import { GetQueueAttributesCommand, GetQueueUrlCommand } from "@aws-sdk/client-sqs";
import { expect, onTestFinished, test } from "vitest";
import { createSqsClient } from "../../src/aws/event-clients.ts";
import { queueAddress } from "../../src/aws/queue-address.ts";
import { UnmeteredCaller } from "../../src/aws/unmetered-caller.ts";
import { newAbort } from "../../src/drain/abort.ts";
import { SystemClock } from "../../src/drain/clock.ts";
import type { Announcement } from "../../src/sources/announcement.ts";
import { readEvent } from "../../src/sources/events/read-event.ts";
import type { LifecycleHooks } from "../../src/sources/lifecycle-hooks.ts";
import type { QueueEvent } from "../../src/sources/source-events.ts";
import { SqsQueue } from "../../src/sources/sqs-queue.ts";
import { type BusEvent, putEvents } from "./support/event-bus.ts";
import { Moto } from "./support/moto.ts";
import { describeWith } from "./support/programs.ts";
import { deploy } from "./support/stacks.ts";

const BODIES = "test/sources/events/bodies";
const HOOK = "my-lifecycle-hook";
const AHEAD = new Date(Date.now() + 86_400_000).toUTCString();

const body = (name: string): BusEvent => {
  const event: BusEvent = JSON.parse(readFileSync(`${BODIES}/${name}.eventbridge.json`, "utf8"));
  // Of maintenance that has passed nothing is done.
  return "startTime" in event.detail ? { ...event, detail: { ...event.detail, startTime: AHEAD } } : event;
};
const withDetail = (name: string, detail: Readonly<Record<string, unknown>>): BusEvent => {
  const event = body(name);
  return { ...event, detail: { ...event.detail, ...detail } };
};
const names = readdirSync(BODIES).flatMap((file) => /^([^.]+)\.eventbridge\.json$/.exec(file)?.[1] ?? []);

/** What an event says, but for what moto says in place of whoever has put it: its id, its account and its region. */
function ofTheEvent({ eventId: _, accountId: __, region: ___, ...said }: Announcement): string {
  return JSON.stringify(said, Object.keys(said).sort());
}

function announcedBy(name: string): readonly string[] {
  const reading = readEvent(JSON.stringify(body(name)));
  if (reading.reading !== "announced" || name.startsWith("rebalance")) return [];
  return reading.announcements.map(ofTheEvent);
}

/** The queue of the template, and the product's source, whose drains end at once. */
async function scene() {
  const moto = await Moto.start();
  const { Queue = "", DeadLetterQueue = "" } = await deploy(moto, "departures", { LifecycleHookName: HOOK });
  const address = queueAddress(Queue.split("/").at(-1) ?? "");
  const credentials = { accessKeyId: "moto", secretAccessKey: "moto" };
  const sqs = createSqsClient({ region: "eu-west-1", endpoint: moto.url, credentials }, address);
  onTestFinished(() => sqs.destroy());
  const clock = new SystemClock();
  const heard: QueueEvent[] = [];
  const completed: string[] = [];
  const hooks = {
    deadlineOf: async () => undefined,
    sendHeartbeats: async () => {},
    complete: async ({ instanceId }: { readonly instanceId: string }) => void completed.push(instanceId),
  } as unknown as LifecycleHooks;
  const [stop, abandon] = [newAbort(), newAbort()];
  const source = new SqsQueue({
    ...{ address, sqs, clock, hooks, read: readEvent, foreign: "delete", dryRun: false, maintenanceLeadMs: LEAD_MS },
    caller: new UnmeteredCaller({ clock }),
    observers: [(event) => heard.push(event as QueueEvent)],
    abandon: abandon.signal,
  });
  const served = (async () => {
    for await (const delivery of source.deliveries(stop.signal))
      await delivery.settle({ status: "instance-gone", message: "gone" });
  })();
  onTestFinished(async () => {
    stop.abort();
    abandon.abort();
    await served;
  });
  const depth = async (url: string) => {
    const name = url.split("/").at(-1);
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: name }));
    const { Attributes = {} } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }));
    const { ApproximateNumberOfMessages: waiting, ApproximateNumberOfMessagesNotVisible: inFlight } = Attributes;
    return Number(waiting) + Number(inFlight);
  };
  /** The last of them to arrive is known, so that nobody has to wait for what does not. */
  const until = (isLast: (event: QueueEvent) => boolean) =>
    expect.poll(() => heard.some(isLast), { timeout: 60_000 }).toBe(true);
  return { moto, heard, completed, until, depthOfAll: async () => [await depth(Queue), await depth(DeadLetterQueue)] };
}

/** Longer ahead than any of the bodies tells: nothing waits here. */
const LEAD_MS = 100 * 365 * 86_400_000;
const LAST = "i-0fffffffffffffff0";
const last = withDetail("spot-interruption", { "instance-id": LAST });
const isLast = (event: QueueEvent) => event.type === "settled" && event.instanceIds.includes(LAST);

describeWith("moto_server", "rules and queue of departures.yaml, as moto has them", () => {
  test("bring each kind of event to the source, which reads it, answers it and deletes it", async () => {
    const { moto, heard, completed, until, depthOfAll } = await scene();
    await putEvents(moto, [...names.map(body), last]);
    await until(isLast);
    const announced = heard.filter((event) => event.type === "announced").map(({ announcement }) => announcement);
    const expected = names.flatMap(announcedBy);
    expect(new Set(announced.map(({ kind }) => kind)).size).toBe(5);
    expect(
      announced
        .filter(({ instanceId }) => instanceId !== LAST)
        .map(ofTheEvent)
        .sort(),
    ).toEqual(expected.sort());
    // The one kind whose pattern takes more than is heeded: AWS Health's codes are for the reader to tell apart.
    const asked = heard.filter((event) => event.type === "nothing-asked").map(({ what }) => what);
    expect(asked).toEqual(["AWS Health: AWS_EC2_INSTANCE_NETWORK_MAINTENANCE_SCHEDULED"]);
    expect(heard.filter(({ type }) => type === "malformed" || type === "not-settled")).toEqual([]);
    // A termination, and one on its way to a warm pool.
    expect(completed).toHaveLength(2);
    await expect.poll(depthOfAll).toEqual([0, 0]);
  });

  test("bring nothing else: other states, other hooks, other news of AWS Health, recommendations", async () => {
    const { moto, heard, until, depthOfAll } = await scene();
    const health = "scheduled-change-page-1";
    await putEvents(moto, [
      ...["pending", "running"].map((state) => withDetail("state-change", { state })),
      withDetail("autoscaling-terminate", { LifecycleHookName: "somebody-else-s" }),
      body("autoscaling-launch"),
      body("rebalance-recommendation"),
      withDetail(health, { service: "RDS" }),
      withDetail(health, { eventTypeCategory: "issue", eventTypeCode: "AWS_EC2_OPERATIONAL_ISSUE" }),
      withDetail(health, { eventTypeCategory: "accountNotification" }),
      { ...body("spot-interruption"), source: "somebody.else" },
      last,
    ]);
    await until(isLast);
    expect(heard.map(({ type }) => type)).toEqual(["announced", "settled"]);
    await expect.poll(depthOfAll).toEqual([0, 0]);
  });
});
