import { DescribeInstancesCommand } from "@aws-sdk/client-ec2";
import { describe, expect, onTestFinished, test } from "vitest";
import { EventDelivery } from "../../src/simulator/events/event-delivery.ts";
import { MetadataService } from "../../src/simulator/metadata/metadata-service.ts";
import type { ScheduledEventCode } from "../../src/simulator/world/announcement.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";
import { oneAttempt } from "./one-attempt.ts";

const HOUR_MS = 3_600_000;

/** Two nodes, the Health events about them, and what their metadata says is scheduled. */
function scene() {
  const region = new SimulatedRegion();
  const { world, clock } = region;
  const nodes = [region.node(), region.node({ tags: { stage: "prod" } })] as const;
  // biome-ignore lint/suspicious/noExplicitAny: bodies as their readers get them
  const bodies: any[] = [];
  const send = async (body: string) => void bodies.push(JSON.parse(body));
  const delivery = new EventDelivery(world, [{ send, kinds: ["scheduled-change"] }], {
    onGivenUp: (error) => expect.unreachable(error.message),
  });
  onTestFinished(() => delivery.close());
  const scheduled = (instance: Instance) => {
    const request = { method: "GET", url: "/latest/meta-data/events/maintenance/scheduled", headers: {} };
    return JSON.parse(new MetadataService(world, instance, { httpTokens: "optional" }).answer(request)?.body ?? "null");
  };
  const { ec2 } = oneAttempt(region);
  const states = async () => {
    const { Reservations } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: nodes.map(({ id }) => id) }));
    return Reservations?.flatMap(({ Instances }) => Instances?.map(({ State }) => State?.Name));
  };
  return { region, world, clock, nodes, bodies, scheduled, states };
}

describe("an event that AWS schedules", () => {
  test("is announced by AWS Health for all instances that it is about", async () => {
    const { world, clock, nodes, bodies } = scene();
    const { id } = world.scheduledEvents.schedule({
      code: "instance-retirement",
      instances: nodes,
      startsInMs: 48 * HOUR_MS,
    });
    await clock.advance(0);
    const code = "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED";
    expect(bodies).toEqual([
      {
        version: "0",
        id: expect.any(String),
        "detail-type": "AWS Health Event",
        source: "aws.health",
        account: "123456789012",
        time: "2026-01-01T00:00:00Z",
        region: "eu-west-1",
        resources: nodes.map((node) => node.id),
        detail: {
          eventArn: `arn:aws:health:eu-west-1::event/EC2/${code}/${code}_${id}`,
          service: "EC2",
          eventTypeCode: code,
          eventTypeCategory: "scheduledChange",
          eventScopeCode: "ACCOUNT_SPECIFIC",
          communicationId: expect.stringMatching(/^[0-9a-f]{64}$/),
          startTime: "Sat, 03 Jan 2026 00:00:00 GMT",
          endTime: "Sat, 03 Jan 2026 02:00:00 GMT",
          lastUpdatedTime: "Thu, 01 Jan 2026 00:00:00 GMT",
          statusCode: "upcoming",
          eventRegion: "eu-west-1",
          eventDescription: [{ language: "en_US", latestDescription: expect.any(String) }],
          affectedEntities: [
            expect.objectContaining({ entityValue: nodes[0].id }),
            expect.objectContaining({ entityValue: nodes[1].id, tags: { stage: "prod" } }),
          ],
          affectedAccount: "123456789012",
          page: "1",
          totalPages: "1",
        },
      },
    ]);
  });

  test("comes in pages where it is about many instances, each of them once", async () => {
    const { region, world, clock, bodies } = scene();
    const many = Array.from({ length: 501 }, (_, index) =>
      region.node({ privateIp: `10.9.${index >> 8}.${index % 256}` }),
    );
    world.scheduledEvents.schedule({ code: "instance-stop", instances: many, startsInMs: HOUR_MS });
    await clock.advance(0);
    expect(bodies.map(({ detail: { page, totalPages } }) => [page, totalPages])).toEqual([
      ["1", "2"],
      ["2", "2"],
    ]);
    expect(bodies.flatMap(({ resources }) => resources)).toEqual(many.map(({ id }) => id));
    expect(new Set(bodies.map(({ detail }) => detail.eventArn)).size).toBe(1);
  });

  test("shows in the metadata of its instances until it is over", async () => {
    const { world, clock, nodes, scheduled } = scene();
    expect(scheduled(nodes[0])).toEqual([]);
    const { id } = world.scheduledEvents.schedule({
      code: "system-reboot",
      instances: [nodes[0]],
      startsInMs: HOUR_MS,
    });
    expect(scheduled(nodes[0])).toEqual([
      {
        NotBefore: "01 Jan 2026 01:00:00 GMT",
        NotAfter: "01 Jan 2026 03:00:00 GMT",
        Code: "system-reboot",
        Description: "scheduled reboot",
        EventId: id,
        State: "active",
      },
    ]);
    expect(id).toMatch(/^instance-event-[0-9a-f]{17}$/);
    expect(scheduled(nodes[1])).toEqual([]);
    await clock.advance(HOUR_MS);
    expect(scheduled(nodes[0])).toEqual([]);
  });

  test.each<ScheduledEventCode>(["instance-stop", "instance-retirement"])("stops the machines (%s)", async (code) => {
    const { world, clock, nodes, states, bodies } = scene();
    world.scheduledEvents.schedule({ code, instances: [nodes[0]], startsInMs: HOUR_MS });
    await clock.advance(HOUR_MS - 1);
    expect(await states()).toEqual(["running", "running"]);
    await clock.advance(1);
    expect(await states()).toEqual(["stopping", "running"]);
    expect(bodies.map(({ time, detail: { statusCode } }) => [time, statusCode])).toEqual([
      ["2026-01-01T00:00:00Z", "upcoming"],
      ["2026-01-01T01:00:00Z", "closed"],
    ]);
  });

  test.each<ScheduledEventCode>(["instance-reboot", "system-reboot"])(
    "restarts the machines, which are said to run meanwhile (%s)",
    async (code) => {
      const { region, world, clock, nodes, states } = scene();
      const group = region.group({ name: "web", nodes });
      const health = () => group.listed(clock.now()).map((target) => group.apiHealth(target, clock.now()).state);
      world.scheduledEvents.schedule({ code, instances: [nodes[0]], startsInMs: HOUR_MS });
      await clock.advance(HOUR_MS + 60_000);
      expect(await states()).toEqual(["running", "running"]);
      expect(health()).toEqual(["unhealthy", "healthy"]);
      await clock.advance(60_000 + 5 * 30_000);
      expect(health()).toEqual(["healthy", "healthy"]);
    },
  );

  test("does nothing once it is cancelled, which AWS Health says", async () => {
    const { world, clock, nodes, states, bodies, scheduled } = scene();
    const event = world.scheduledEvents.schedule({ code: "instance-stop", instances: nodes, startsInMs: HOUR_MS });
    await clock.advance(HOUR_MS / 2);
    world.scheduledEvents.cancel(event);
    expect(scheduled(nodes[0])).toEqual([]);
    await clock.advance(HOUR_MS);
    expect(await states()).toEqual(["running", "running"]);
    expect(bodies.map(({ time, detail: { statusCode } }) => [time, statusCode])).toEqual([
      ["2026-01-01T00:00:00Z", "upcoming"],
      ["2026-01-01T00:30:00Z", "closed"],
    ]);
  });
});
