import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { MetadataService } from "../../src/simulator/metadata/metadata-service.ts";
import { Random } from "../../src/simulator/random.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import { World } from "../../src/simulator/world/world.ts";

/** What a region gives out: names of AWS's things, ids of requests, tokens. */
function givenOut(seed?: number): readonly unknown[] {
  const world = new World({ clock: new VirtualClock(), ...(seed === undefined ? {} : { seed }) });
  const simulator = new Simulator(world);
  const instance = world.addInstance({ id: "i-0", vpcId: "vpc-0", privateIp: "10.0.0.1" });
  const group = world.addTargetGroup({
    name: "web",
    vpcId: "vpc-0",
    protocol: "HTTP",
    port: 80,
    targetType: "instance",
  });
  const { headers } = simulator.answer({ body: "Version=2016-11-15&Action=DescribeInstances" });
  const request = {
    method: "PUT",
    url: "/latest/api/token",
    headers: { "x-aws-ec2-metadata-token-ttl-seconds": "60" },
  };
  const token = new MetadataService(world, instance).answer(request)?.body;
  return [group.arn, headers["x-amzn-requestid"], token, world.newUuid()];
}

describe("what is random in a region", () => {
  test("is the same in each run with the same seed, and with none", () => {
    expect(givenOut(5)).toEqual(givenOut(5));
    expect(givenOut()).toEqual(givenOut(1));
    expect(givenOut(5).filter((one, index) => one === givenOut(6)[index])).toEqual([]);
  });

  test("does not change for one purpose by what is drawn for another", () => {
    const [one, other] = [new Random(), new Random()];
    other.uuid("request");
    expect(other.digits("id")).toBe(one.digits("id"));
    expect(one.digits("id")).not.toBe(new Random().digits("id"));
  });
});
