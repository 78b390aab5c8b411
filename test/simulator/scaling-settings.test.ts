import {
  CreateOrUpdateTagsCommand,
  DeleteTagsCommand,
  DescribeAutoScalingGroupsCommand,
  UpdateAutoScalingGroupCommand,
  type UpdateAutoScalingGroupCommandInput,
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
  const update = (input: Omit<UpdateAutoScalingGroupCommandInput, "AutoScalingGroupName">) =>
    scaling.send(new UpdateAutoScalingGroupCommand({ AutoScalingGroupName, ...input }));
  const read = async () => {
    const { AutoScalingGroups = [] } = await scaling.send(new DescribeAutoScalingGroupsCommand({}));
    return AutoScalingGroups[0];
  };
  return { region, workers, scaling, update, read };
}

test("a group whose least grows beyond its capacity launches, and one whose most shrinks below it terminates", async () => {
  const { region, update, read } = scene();
  await update({ MinSize: 4 });
  expect(await read()).toMatchObject({ MinSize: 4, MaxSize: 5, DesiredCapacity: 4 });
  await region.clock.advance(1_000);
  expect((await read())?.Instances).toHaveLength(4);
  await update({ MinSize: 0, MaxSize: 2 });
  expect(await read()).toMatchObject({ MinSize: 0, MaxSize: 2, DesiredCapacity: 2 });
  await region.clock.advance(60_000);
  expect((await read())?.Instances).toHaveLength(2);
  await update({ DesiredCapacity: 1 });
  expect(await read()).toMatchObject({ MinSize: 0, MaxSize: 2, DesiredCapacity: 1 });
});

test.each([
  { input: { MinSize: 6 }, message: /Max bound, 5/ },
  { input: { DesiredCapacity: 6 }, message: /Desired capacity:6 must be between/ },
  { input: { DesiredCapacity: 0 }, message: /Desired capacity:0 must be between/ },
])("a group is not given sizes that contradict each other: $input", async ({ input, message }) => {
  const { update, read } = scene();
  await expect(update(input)).rejects.toMatchObject({
    name: "ValidationError",
    message: expect.stringMatching(message),
  });
  expect(await read()).toMatchObject({ MinSize: 1, MaxSize: 5, DesiredCapacity: 3 });
});

test("a setting that would have no effect is refused as not simulated, and nothing is changed", async () => {
  const { update, read } = scene();
  await expect(update({ MinSize: 2, DefaultCooldown: 10 })).rejects.toMatchObject({
    name: "NotSimulated",
    message: "The parameter DefaultCooldown of UpdateAutoScalingGroup is not simulated",
  });
  expect(await read()).toMatchObject({ MinSize: 1 });
});

test("a group's tags are changed and deleted, and its next machine gets those that propagate", async () => {
  const { region, workers, scaling, update, read } = scene();
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
  await update({ DesiredCapacity: 4 });
  await region.clock.advance(1_000);
  expect((await read())?.Instances).toHaveLength(4);
  const launched = workers.members(region.clock.now()).at(-1)?.instance;
  expect(Object.fromEntries(launched?.tags ?? [])).toMatchObject({ team: "c" });
  expect(launched?.tags.has("stage")).toBe(false);
});
