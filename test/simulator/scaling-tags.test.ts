import {
  CreateOrUpdateTagsCommand,
  DeleteTagsCommand,
  DescribeAutoScalingGroupsCommand,
  SetDesiredCapacityCommand,
} from "@aws-sdk/client-auto-scaling";
import { expect, test } from "vitest";
import { SimulatedRegion } from "../support/simulated-region.ts";
import { oneAttempt } from "./one-attempt.ts";

const AutoScalingGroupName = "workers";

function scene() {
  const region = new SimulatedRegion();
  const nodes = [region.node(), region.node(), region.node()];
  const workers = region.world.addAutoScalingGroup({
    ...{ name: AutoScalingGroupName, instanceIds: nodes.map(({ id }) => id), launchMs: 1_000 },
    ...{ minSize: 1, maxSize: 5, desiredCapacity: 3 },
  });
  const { scaling } = oneAttempt(region);
  const read = async () => {
    const { AutoScalingGroups = [] } = await scaling.send(new DescribeAutoScalingGroupsCommand({}));
    return AutoScalingGroups[0];
  };
  return { region, workers, scaling, read };
}

test("a group's tags are changed and deleted, and its next machine gets those that propagate", async () => {
  const { region, workers, scaling, read } = scene();
  const tag = (Key: string, Value: string, PropagateAtLaunch = true) => ({
    ...{ ResourceId: AutoScalingGroupName, ResourceType: "auto-scaling-group", Key, Value, PropagateAtLaunch },
  });
  await scaling.send(
    new CreateOrUpdateTagsCommand({ Tags: [tag("team", "a"), tag("owner", "b", false), tag("stage", "live")] }),
  );
  await scaling.send(new CreateOrUpdateTagsCommand({ Tags: [tag("team", "c")] }));
  // Where a value is given, it must be the tag's.
  await scaling.send(new DeleteTagsCommand({ Tags: [tag("stage", "dead"), tag("owner", "b")] }));
  expect((await read())?.Tags?.map(({ Key, Value }) => [Key, Value])).toEqual([
    ["team", "c"],
    ["stage", "live"],
  ]);
  await scaling.send(new CreateOrUpdateTagsCommand({ Tags: [tag("stage", "live", false)] }));
  expect((await read())?.Tags?.map(({ PropagateAtLaunch }) => PropagateAtLaunch)).toEqual([true, false]);
  await scaling.send(new SetDesiredCapacityCommand({ AutoScalingGroupName, DesiredCapacity: 4 }));
  await region.clock.advance(1_000);
  expect((await read())?.Instances).toHaveLength(4);
  const launched = workers.members(region.clock.now()).at(-1)?.instance;
  expect(Object.fromEntries(launched?.tags ?? [])).toMatchObject({ team: "c" });
  expect(launched?.tags.has("stage")).toBe(false);
});
