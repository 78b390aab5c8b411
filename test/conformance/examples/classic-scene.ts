import { addInstances, addSecurityGroup, addSecurityGroups, nameSubnets, zonesOf } from "./network-scene.ts";
import { idsIn, objectsWith, type Scene, textsIn } from "./scene.ts";

const HTTP = { protocol: "HTTP", instanceProtocol: "HTTP", instancePort: 80 };

/** The classic load balancer of a call, with its subnets, instances and tags. */
export function buildClassic(scene: Scene): void {
  const { input, output, action } = scene.example;
  nameSubnets(scene);
  const [source] = objectsWith(output, "SourceSecurityGroup");
  const owned = textsIn(source?.["SecurityGroups"] ?? []);
  const sourceName = objectsWith(source ?? {}, "GroupName")[0]?.["GroupName"];
  for (const id of owned) addSecurityGroup(scene, id, String(sourceName));
  if (owned.length === 0) addSecurityGroups(scene);
  addInstances(scene, idsIn([input, output], "i"));
  if (action === "CreateLoadBalancer") return;

  const balancer = scene.world.addClassic({
    name: textsIn(input["LoadBalancerNames"] ?? input["LoadBalancerName"] ?? [])[0] ?? "",
    vpcId: scene.vpcId,
    zones: zonesBefore(scene),
    listeners: listenersBefore(scene),
    isCrossZone: false,
    ...(owned.length > 0 ? { securityGroups: owned.map((id) => scene.nameOf(id)) } : {}),
  });
  for (const id of registeredBefore(scene)) scene.world.registerClassic(balancer, id, { settled: true });
  for (const { Key, Value } of objectsWith(output["TagDescriptions"] ?? [], "Key"))
    balancer.tags.set(String(Key), String(Value));
  const [check] = objectsWith(output["LoadBalancerDescriptions"] ?? [], "HealthyThreshold");
  if (check === undefined) return;
  balancer.healthCheckTarget = String(check["Target"]);
  balancer.healthCheckTimeoutSeconds = Number(check["Timeout"]);
  balancer.healthCheck = {
    intervalMs: Number(check["Interval"]) * 1_000,
    healthyThreshold: Number(check["HealthyThreshold"]),
    unhealthyThreshold: Number(check["UnhealthyThreshold"]),
  };
}

function zonesBefore(scene: Scene): readonly string[] {
  const { input, output, action } = scene.example;
  const changed = idsIn(input, "subnet");
  const shown = idsIn(output, "subnet");
  const before = shown.filter((subnet) => action !== "AttachLoadBalancerToSubnets" || !changed.includes(subnet));
  const zones = zonesOf(scene, action.startsWith("Detach") ? [...before, ...changed] : before);
  return zones.length > 0 ? zones : scene.world.defaultZones;
}

function listenersBefore(scene: Scene) {
  const { output, action } = scene.example;
  const shown = objectsWith(output, "LoadBalancerPort").map((one) => ({
    protocol: String(one["Protocol"]),
    port: Number(one["LoadBalancerPort"]),
    instanceProtocol: String(one["InstanceProtocol"]),
    instancePort: Number(one["InstancePort"]),
    ...(typeof one["SSLCertificateId"] === "string" ? { certificateArn: one["SSLCertificateId"] } : {}),
  }));
  // Not on the port of the one that a call creates.
  return shown.length > 0 ? shown : [{ ...HTTP, port: action === "CreateLoadBalancerListeners" ? 8_080 : 80 }];
}

function registeredBefore(scene: Scene): readonly string[] {
  const { input, output, action } = scene.example;
  const named = idsIn(input, "i");
  const shown = idsIn(output, "i");
  if (action === "RegisterInstancesWithLoadBalancer") return shown.filter((id) => !named.includes(id));
  return [...shown, ...named];
}
