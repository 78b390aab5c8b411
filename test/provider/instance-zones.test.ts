import { expect, test } from "vitest";
import { AwsCaller } from "../../src/aws/aws-caller.ts";
import { RequestQuota } from "../../src/aws/request-quota.ts";
import type { CallFor } from "../../src/drain/cloud-provider.ts";
import { InstanceZones } from "../../src/provider/instance-zones.ts";
import { describeInstances } from "../../src/provider/instances.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

const BY: CallFor = { urgency: () => ({ purpose: "describe", deadline: Number.POSITIVE_INFINITY }), signal: never };

/** A quota that lets two calls to EC2 through at once, and the third half a second later. */
function scene() {
  const region = new SimulatedRegion();
  const { clock } = region;
  const caller = new AwsCaller({ clock, quota: new RequestQuota({ clock, share: 0.02 }) });
  const aws = { ...region.clients(), caller };
  const asked = () => region.callsOf("DescribeInstances");
  return { region, clock, aws, asked };
}

test("zones that become known while their call waits for its turn are not asked for, nor is the whole account", async () => {
  const { region, clock, aws, asked } = scene();
  const [one, two] = [region.node(), region.node()];
  const zones = new InstanceZones(aws);
  for (let calls = 0; calls < 2; calls += 1)
    await describeInstances(aws, { filter: "instance-id" }, () => [one.id], BY);
  const learned = zones.learn([one.id, two.id], BY);
  await clock.advance(1);
  for (const { id } of [one, two]) zones.learned({ InstanceId: id, Placement: { AvailabilityZone: "eu-west-1b" } });
  await clock.run(learned);
  expect(asked()).toHaveLength(2);
  expect([zones.of(one.id), zones.of(two.id)]).toEqual(["eu-west-1b", "eu-west-1b"]);
});

test("one of two that becomes known meanwhile leaves the other to be asked for", async () => {
  const { region, clock, aws, asked } = scene();
  const [one, two] = [region.node(), region.node()];
  const zones = new InstanceZones(aws);
  for (let calls = 0; calls < 2; calls += 1)
    await describeInstances(aws, { filter: "instance-id" }, () => [one.id], BY);
  const learned = zones.learn([one.id, two.id], BY);
  await clock.advance(1);
  zones.learned({ InstanceId: one.id, Placement: { AvailabilityZone: "eu-west-1b" } });
  await clock.run(learned);
  const values = [...(asked().at(-1) ?? [])].filter(([name]) => name.startsWith("Filter.1.Value")).map(([, id]) => id);
  expect(values).toEqual([two.id]);
  expect(zones.of(two.id)).toBeDefined();
});

test("no instances at all are described where none are asked for", async () => {
  const { region, aws, asked } = scene();
  region.node();
  for (const filter of ["instance-id", "private-dns-name"])
    expect(await describeInstances(aws, { filter }, () => [], BY)).toEqual([]);
  expect(asked()).toEqual([]);
});
