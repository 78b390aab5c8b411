import { describe, expect, onTestFinished, test } from "vitest";
import { type Destination, EventDelivery } from "../../../src/simulator/events/event-delivery.ts";
import type { InterruptionAction } from "../../../src/simulator/world/announcement.ts";
import { SimulatedRegion } from "../../support/simulated-region.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ID = "i-00000000000000001";

/** A node `i-0…1`, and every body that is sent about it. */
function scene(destination: Partial<Destination> = {}, where: { region?: string } = {}) {
  const region = new SimulatedRegion({}, where);
  const node = region.node();
  const bodies: Record<string, unknown>[] = [];
  const send = async (body: string) => void bodies.push(JSON.parse(body));
  const deliver = () => {
    const delivery = new EventDelivery(region.world, [{ send, ...destination }], {
      onGivenUp: (error) => expect.unreachable(error.message),
    });
    onTestFinished(() => delivery.close());
  };
  return { region, world: region.world, clock: region.clock, node, bodies, deliver };
}

const head = { version: "0", id: expect.stringMatching(UUID), account: "123456789012", region: "eu-west-1" };

describe("EventBridge's event", () => {
  test.each<InterruptionAction>(["terminate", "stop", "hibernate"])(
    "about a spot instance to be taken back says that it is to %s, and names its zone instead of an account",
    async (action) => {
      const { world, clock, node, bodies, deliver } = scene({ kinds: ["interruption"] });
      deliver();
      world.interruptions.interrupt(node, { action });
      await clock.advance(0);
      expect(bodies).toEqual([
        {
          ...head,
          "detail-type": "EC2 Spot Instance Interruption Warning",
          source: "aws.ec2",
          time: "2026-01-01T00:00:00Z",
          resources: [`arn:aws:ec2:eu-west-1a:instance/${ID}`],
          detail: { "instance-id": ID, "instance-action": action },
        },
      ]);
    },
  );

  test("about an instance of a Capacity Reservation says when it is terminated", async () => {
    const { world, clock, node, bodies, deliver } = scene({ kinds: ["interruption"] });
    deliver();
    world.interruptions.interruptReservation(node);
    await clock.advance(0);
    expect(bodies).toEqual([
      {
        ...head,
        "detail-type": "EC2 Capacity Reservation Instance Interruption Warning",
        source: "aws.ec2",
        time: "2026-01-01T00:00:00Z",
        resources: [`arn:aws:ec2:eu-west-1:123456789012:instance/${ID}`],
        detail: {
          "instance-id": ID,
          "instance-action": "terminate",
          "instance-termination-time": "2026-01-01T00:02:00Z",
          azId: "euw1-az1",
        },
      },
    ]);
  });

  test("about an instance to be replaced comes before the warning", async () => {
    const { world, clock, node, bodies, deliver } = scene({ kinds: ["rebalance-recommendation", "interruption"] });
    deliver();
    world.interruptions.interrupt(node, { rebalanceLeadMs: 600_000 });
    await clock.advance(600_000);
    expect(bodies).toMatchObject([
      {
        ...head,
        "detail-type": "EC2 Instance Rebalance Recommendation",
        source: "aws.ec2",
        time: "2026-01-01T00:00:00Z",
        resources: [`arn:aws:ec2:eu-west-1a:instance/${ID}`],
        detail: { "instance-id": ID },
      },
      { "detail-type": "EC2 Spot Instance Interruption Warning", time: "2026-01-01T00:10:00Z" },
    ]);
  });

  test("about an instance's state comes at the moment of each change, though nobody looks at the world", async () => {
    const { world, clock, node, bodies, deliver } = scene();
    world.interruptions.interrupt(node);
    deliver();
    await clock.advance(124_999);
    expect(bodies).toHaveLength(1);
    await clock.advance(1);
    const about = {
      ...head,
      "detail-type": "EC2 Instance State-change Notification",
      source: "aws.ec2",
      resources: [`arn:aws:ec2:eu-west-1:123456789012:instance/${ID}`],
    };
    expect(bodies).toEqual([
      { ...about, time: "2026-01-01T00:02:00Z", detail: { "instance-id": ID, state: "shutting-down" } },
      { ...about, time: "2026-01-01T00:02:05Z", detail: { "instance-id": ID, state: "terminated" } },
    ]);
  });

  test("has the ARNs of its region's partition", async () => {
    const { world, clock, node, bodies, deliver } = scene({}, { region: "cn-north-1" });
    deliver();
    world.interruptions.interrupt(node);
    await clock.advance(0);
    expect(bodies).toMatchObject([{ region: "cn-north-1", resources: [`arn:aws-cn:ec2:cn-north-1a:instance/${ID}`] }]);
  });
});

describe("about a terminating hook that begins to wait", () => {
  /** The group `workers`, whose member is on its way out. */
  async function leaving(destination: Partial<Destination> = {}, notificationMetadata?: string) {
    const { region, world, clock, node, bodies, deliver } = scene({ kinds: ["lifecycle-action"], ...destination });
    const hook = {
      name: "drain",
      transition: "autoscaling:EC2_INSTANCE_TERMINATING" as const,
      heartbeatTimeoutSeconds: 300,
      defaultResult: "CONTINUE" as const,
      ...(notificationMetadata === undefined ? {} : { notificationMetadata }),
    };
    const own = region.group({ name: "own", nodes: [node], delaySeconds: 30 });
    const group = world.addAutoScalingGroup({
      name: "workers",
      instanceIds: [node.id],
      hooks: [hook],
      targetGroups: [own],
    });
    deliver();
    world.beginScaleIn(group, node);
    await clock.advance(29_999);
    const before = bodies.length;
    await clock.advance(1);
    const token = group.scaleInOf(node.id)?.activeActions(clock.now())[0]?.token;
    return { bodies: bodies.slice(before), earlier: bodies.slice(0, before), group, token };
  }

  test("EventBridge's event has the token that completes it", async () => {
    const { bodies, earlier, group, token } = await leaving({}, "more to know");
    expect(earlier).toEqual([]);
    expect(bodies).toEqual([
      {
        ...head,
        "detail-type": "EC2 Instance-terminate Lifecycle Action",
        source: "aws.autoscaling",
        time: "2026-01-01T00:00:30Z",
        resources: [group.arn],
        detail: {
          LifecycleActionToken: token,
          AutoScalingGroupName: "workers",
          LifecycleHookName: "drain",
          EC2InstanceId: ID,
          LifecycleTransition: "autoscaling:EC2_INSTANCE_TERMINATING",
          NotificationMetadata: "more to know",
          Origin: "AutoScalingGroup",
          Destination: "EC2",
        },
      },
    ]);
    expect(group.arn).toMatch(
      /^arn:aws:autoscaling:eu-west-1:123456789012:autoScalingGroup:[0-9a-f-]{36}:autoScalingGroupName\/workers$/,
    );
  });

  test("Auto Scaling itself sends a flat message, after a test message", async () => {
    const { bodies, earlier, group, token } = await leaving({ from: "auto-scaling" });
    const head = { AccountId: "123456789012", RequestId: expect.stringMatching(UUID), Service: "AWS Auto Scaling" };
    expect(earlier).toEqual([
      {
        ...head,
        AutoScalingGroupARN: group.arn,
        AutoScalingGroupName: "workers",
        Event: "autoscaling:TEST_NOTIFICATION",
        Time: "2026-01-01T00:00:00.000Z",
      },
    ]);
    expect(bodies).toEqual([
      {
        ...head,
        LifecycleHookName: "drain",
        LifecycleTransition: "autoscaling:EC2_INSTANCE_TERMINATING",
        AutoScalingGroupName: "workers",
        Time: "2026-01-01T00:00:30.000Z",
        EC2InstanceId: ID,
        LifecycleActionToken: token,
        Origin: "AutoScalingGroup",
        Destination: "EC2",
      },
    ]);
  });

  test("a topic passes the same message on in its envelope", async () => {
    const topic = "arn:aws:sns:eu-west-1:123456789012:hooks";
    const { bodies } = await leaving({ from: "auto-scaling", topic });
    expect(bodies).toMatchObject([
      {
        Type: "Notification",
        MessageId: expect.stringMatching(UUID),
        TopicArn: topic,
        Timestamp: "2026-01-01T00:00:30.000Z",
        SignatureVersion: "1",
      },
    ]);
    expect(JSON.parse(String(bodies[0]?.["Message"]))).toMatchObject({
      EC2InstanceId: ID,
      LifecycleTransition: "autoscaling:EC2_INSTANCE_TERMINATING",
    });
  });
});
