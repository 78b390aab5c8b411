import { subnetIdOf } from "../../../src/simulator/world/networks.ts";
import { defaultIdOf } from "../../../src/simulator/world/security-groups.ts";
import { idsIn, objectsWith, type Scene } from "./scene.ts";

const LETTERS = "abcdef";

/** Calls each subnet of the example by a zone: that in which the example has it, or another one for each. */
export function nameSubnets(scene: Scene): void {
  const { input, output } = scene.example;
  for (const { SubnetId, ZoneName, AvailabilityZone } of objectsWith([input, output], "SubnetId")) {
    const zone = ZoneName ?? AvailabilityZone;
    if (typeof zone === "string") scene.call(String(SubnetId), subnetIdOf(scene.vpcId, zone));
  }
  let used = 0;
  for (const subnet of idsIn([output, input], "subnet")) {
    if (scene.nameOf(subnet) !== subnet) continue;
    scene.call(subnet, subnetIdOf(scene.vpcId, scene.world.region + LETTERS[used]));
    used += 1;
  }
}

/** The zones of those subnets that the answer shows, or of all. */
export function zonesOf(scene: Scene, subnets: readonly string[]): readonly string[] {
  return subnets.map((subnet) => scene.nameOf(subnet).slice(subnetIdOf(scene.vpcId, "").length));
}

/** Those that a call names exist. Those that only its answer has, of something that is being created, are the VPC's default one. */
export function addSecurityGroups(scene: Scene): void {
  const { input, output } = scene.example;
  const existing = idsIn(scene.isCreation ? input : [input, output], "sg");
  for (const id of existing) addSecurityGroup(scene, id);
  for (const id of idsIn(output, "sg")) if (!existing.includes(id)) scene.call(id, defaultIdOf(scene.vpcId));
}

export function addSecurityGroup(scene: Scene, id: string, name = `group ${id}`): void {
  const group = scene.world.securityGroups.create({ name, description: "of an example", vpcId: scene.vpcId });
  scene.call(id, group.id);
}

/** Those that a call names, or its answer, each in the zone that the answer has it in, and as if it had been running for long. */
export function addInstances(scene: Scene, ids: readonly string[]): void {
  const zones = objectsWith(scene.example.output, "InstanceId");
  ids.forEach((id, index) => {
    const zone = zones.find((one) => one["InstanceId"] === id)?.["AvailabilityZone"];
    scene.call(id, id);
    scene.world.addInstance({
      id,
      vpcId: scene.vpcId,
      privateIp: `10.0.0.${index + 1}`,
      ...(typeof zone === "string" ? { zone } : {}),
    });
  });
}
