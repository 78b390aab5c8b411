import { routeTableIdOf } from "../../../src/simulator/world/networks.ts";
import { addInstances, addSecurityGroups, nameSubnets } from "./network-scene.ts";
import { idsIn, objectsWith, type Scene } from "./scene.ts";

const LONG_MS = 3_600_000;
const ALL_ACTIONS = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "*", Resource: "*" }] };

/** Instances, interfaces, networks and security groups, as far as a call needs them to be there. */
export async function buildEc2(scene: Scene): Promise<void> {
  const { input, output, action } = scene.example;
  nameSubnets(scene);
  for (const id of idsIn([input, output], "rtb")) scene.call(id, routeTableIdOf(scene.vpcId));
  // A VPC exists as soon as anything is in it, and a zone that is none of the first ones too.
  const zones = objectsWith(output["AvailabilityZones"] ?? [], "ZoneName").map(({ ZoneName }) => String(ZoneName));
  for (const [index, zone] of [undefined, ...zones].entries())
    scene.world.addInstance({
      id: `i-0000000000000000${index}`,
      vpcId: scene.vpcId,
      privateIp: `10.0.9.${index + 1}`,
      ...(zone === undefined ? {} : { zone }),
    });
  if (action === "DescribeNetworkInterfaces") addInterface(scene);
  else {
    if (!scene.isCreation) addSecurityGroups(scene);
    addInstances(scene, idsIn([input, output], "i"));
  }
  for (const { Key, Value, ResourceId } of objectsWith(output["Tags"] ?? [], "ResourceId"))
    scene.world.instance(String(ResourceId))?.tags.set(String(Key), String(Value));
  for (const { Key, Value } of objectsWith(output["Vpcs"] ?? [], "Key"))
    scene.world.networks.tagsOf(scene.vpcId).set(String(Key), String(Value));
  if (action === "StartInstances") {
    for (const id of idsIn(input, "i")) {
      const instance = scene.world.instance(id);
      if (instance !== undefined) scene.world.stopInstance(instance);
    }
    await scene.region.clock.advance(LONG_MS);
  }
}

/** The interface of the call is its instance's second one, in the VPC's default security group. */
function addInterface(scene: Scene): void {
  const { input, output } = scene.example;
  const [shown] = objectsWith(output, "NetworkInterfaceId");
  const [id = ""] = idsIn(output, "i");
  const privateIps = objectsWith(shown?.["PrivateIpAddresses"] ?? [], "Primary").map((one) =>
    String(one["PrivateIpAddress"]),
  );
  const instance = scene.world.addInstance({
    id,
    vpcId: scene.vpcId,
    privateIp: "10.0.0.1",
    zone: String(shown?.["AvailabilityZone"]),
    interfaces: [{ privateIps }],
  });
  scene.call(id, id);
  for (const theirs of idsIn(input, "eni")) scene.call(theirs, instance.interfaces[1]?.id ?? "");
  const group = scene.world.securityGroups.defaultOf(scene.vpcId);
  for (const theirs of idsIn(output, "sg")) scene.call(theirs, group.id);
}

/** The caller is the user that the answer shows, where it shows one. */
export function buildSts({ region, example }: Scene): void {
  const [, user] = /:user\/(.+)$/.exec(String(example.output["Arn"] ?? "")) ?? [];
  const accessKeyId = "simulated";
  if (user !== undefined) region.simulator.access.restrict({ accessKeyId, user, document: ALL_ACTIONS });
}
