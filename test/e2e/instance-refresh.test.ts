import {
  AutoScalingClient,
  DescribeInstanceRefreshesCommand,
  StartInstanceRefreshCommand,
} from "@aws-sdk/client-auto-scaling";
import { expect, test } from "vitest";
import { ALL_CASES } from "../support/cases.ts";
import { SHORT, SHORT_SPARES } from "../support/departure-pools.ts";
import { DepartureScene, REQUESTS_MIN } from "../support/departure-scene.ts";
import { lostByTheProduct } from "../support/loss-causes.ts";

const NODES = 4;
/** Two of four at a time. */
const MinHealthyPercentage = 50;
/** Longer than a new machine needs until all load balancers send to it. */
const InstanceWarmup = 8;
const AutoScalingGroupName = "workers";
/** Not the service, whose policy allows no refresh. */
const OPERATOR = { accessKeyId: "operator", secretAccessKey: "operator" };

/** A group of four under traffic, and the call that replaces all of them. */
async function scene() {
  const opened = await DepartureScene.open({ nodes: NODES, timing: SHORT, launchMs: 500 });
  const { world, endpoint } = opened;
  // The cluster marks what goes, so that its controllers leave it alone.
  world.watch((change) => {
    if (change.type === "announced" && change.announcement.type === "lifecycle-action")
      world.excluded.add(change.announcement.instanceId);
  });
  const scaling = new AutoScalingClient({ endpoint, region: world.region, credentials: OPERATOR });
  const status = async () => {
    const { InstanceRefreshes } = await scaling.send(new DescribeInstanceRefreshesCommand({ AutoScalingGroupName }));
    return InstanceRefreshes?.[0]?.Status;
  };
  const refresh = async () => {
    const Preferences = { MinHealthyPercentage, InstanceWarmup };
    await scaling.send(new StartInstanceRefreshCommand({ AutoScalingGroupName, Preferences }));
    await opened.until(async () => (await status()) === "Successful");
    await opened.untilOff(opened.nodes);
  };
  return { opened, world, refresh };
}

test("an instance refresh replaces all nodes under traffic: no request is lost, and each hook is completed", async () => {
  const { opened, world, refresh } = await scene();
  await opened.start();
  await refresh();
  const [{ sent, losses }] = await Promise.all([opened.endTraffic(), opened.untilQueueIsEmpty()]);

  expect(lostByTheProduct(losses, SHORT_SPARES)).toEqual([]);
  expect(sent).toBeGreaterThan(REQUESTS_MIN);
  const old = opened.nodes.map(({ id }) => id);
  const members = opened.workers.members(world.clock.now()).map(({ instance }) => instance.id);
  expect(members).toHaveLength(NODES);
  expect(members.filter((id) => old.includes(id))).toEqual([]);
  expect(opened.hooks.map(({ instanceId, action }) => [instanceId, action.result]).sort()).toEqual(
    old.map((id) => [id, "CONTINUE"]),
  );
});

test.runIf(ALL_CASES)(
  "an instance refresh loses requests without the service: the hooks time out, and nothing was deregistered elsewhere",
  async () => {
    const { opened, refresh } = await scene();
    await refresh();
    const { losses } = await opened.endTraffic();

    expect(losses.length).toBeGreaterThan(0);
    // Auto Scaling has taken them out of its own target group, and of no other.
    expect(new Set(opened.books.map(({ pool }) => pool))).toEqual(new Set(["web"]));
  },
);
