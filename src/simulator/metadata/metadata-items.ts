import { domainOf, isoSeconds, partitionOf, zoneIdOf } from "../world/arn.ts";
import { type Instance, reservationIdOf } from "../world/instance.ts";
import { macOf } from "../world/network-interface.ts";
import type { World } from "../world/world.ts";
import { type Item, interfaceItems } from "./interface-items.ts";

/**
 * The metadata items of an instance, by path below /latest.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-metadata.html
 */
const ITEMS: Readonly<Record<string, Item>> = {
  "dynamic/instance-identity/document": identityDocument,
  "meta-data/ami-id": () => AMI_ID,
  "meta-data/ami-launch-index": () => "0",
  "meta-data/ami-manifest-path": () => "(unknown)",
  "meta-data/autoscaling/target-lifecycle-state": targetLifecycleState,
  "meta-data/block-device-mapping/ami": () => ROOT_DEVICE,
  "meta-data/block-device-mapping/root": () => ROOT_DEVICE,
  "meta-data/events/maintenance/history": () => "[]",
  "meta-data/events/maintenance/scheduled": maintenance,
  "meta-data/events/recommendations/rebalance": (instance, world) => {
    const at = world.interruptions.recommendedAt(instance.id);
    return at === undefined ? undefined : JSON.stringify({ noticeTime: isoSeconds(at) });
  },
  "meta-data/hostname": ({ name }) => name,
  "meta-data/instance-action": () => "none",
  "meta-data/instance-id": ({ id }) => id,
  // A scenario may also interrupt a machine that it has not declared as a spot instance.
  "meta-data/instance-life-cycle": ({ id, isSpot }, world) =>
    isSpot || world.interruptions.of(id)?.of === "spot" ? "spot" : "on-demand",
  "meta-data/instance-type": () => INSTANCE_TYPE,
  "meta-data/local-hostname": ({ name }) => name,
  "meta-data/local-ipv4": ({ privateIp }) => privateIp,
  "meta-data/mac": ({ interfaces }) => interfaces.slice(0, 1).map(macOf)[0],
  "meta-data/placement/availability-zone": ({ zone }) => zone,
  "meta-data/placement/availability-zone-id": ({ zone }) => zoneIdOf(zone),
  "meta-data/placement/region": (_, world) => world.region,
  "meta-data/profile": () => "default-hvm",
  "meta-data/reservation-id": reservationIdOf,
  "meta-data/security-groups": () => "default",
  "meta-data/services/domain": (_, { region }) => domainOf(region),
  "meta-data/services/partition": (_, { region }) => partitionOf(region),
  "meta-data/spot/instance-action": (instance, world) => {
    const interruption = world.interruptions.of(instance.id);
    if (interruption?.of !== "spot") return undefined;
    return JSON.stringify({ action: interruption.action, time: isoSeconds(interruption.actsAt) });
  },
  // Only for instances that EC2 will terminate.
  "meta-data/spot/termination-time": (instance, world) => {
    const interruption = world.interruptions.of(instance.id);
    if (interruption?.of !== "spot" || interruption.action !== "terminate") return undefined;
    return isoSeconds(interruption.actsAt);
  },
  "meta-data/system": () => "nitro",
};

const ROOT_DEVICE = "/dev/xvda";
const AMI_ID = "ami-0123456789abcdef0";
const INSTANCE_TYPE = "m7g.large";
/** Target lifecycle states, by the lifecycle state of a member. Other members have the target state InService. */
const TARGET_STATES: Readonly<Record<string, string>> = {
  EnteringStandby: "Standby",
  Standby: "Standby",
  Detaching: "Detached",
};

/** The content at `path` now: the text of an item, or the names below the path. Undefined if there is neither. */
export function metadataAt(path: string, instance: Instance, world: World): string | undefined {
  const wanted = path.replace(/^\/+|\/+$/g, "");
  const items = { ...ITEMS, ...interfaceItems(instance) };
  const item = Object.hasOwn(items, wanted) ? items[wanted] : undefined;
  if (item !== undefined) return item(instance, world);
  const folder = wanted === "" ? "" : `${wanted}/`;
  const below = Object.entries(items)
    .filter(([name, each]) => name.startsWith(folder) && each(instance, world) !== undefined)
    .map(([name]) => name.slice(folder.length))
    .sort()
    .map((name) => (name.includes("/") ? name.slice(0, name.indexOf("/") + 1) : name));
  return below.length === 0 ? undefined : [...new Set(below)].join("\n");
}

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instances-status-check_sched.html */
function maintenance({ id }: Instance, world: World): string {
  const entries = world.scheduledEvents.of(id).map((event) => ({
    NotBefore: maintenanceDate(event.notBefore),
    Code: event.code,
    Description: `scheduled ${event.code.split("-")[1]}`,
    EventId: event.id,
    NotAfter: maintenanceDate(event.notAfter),
    State: "active",
  }));
  return JSON.stringify(entries);
}

/** `21 Jan 2019 09:00:43 GMT` */
function maintenanceDate(ms: number): string {
  return new Date(ms).toUTCString().slice("Mon, ".length);
}

/** https://docs.aws.amazon.com/autoscaling/ec2/userguide/retrieving-target-lifecycle-state-through-imds.html */
function targetLifecycleState({ id }: Instance, world: World): string | undefined {
  for (const group of world.autoScalingGroups.values()) {
    const scaleIn = group.scaleInOf(id);
    if (scaleIn?.isRetained === true) return "Terminating:Retained";
    if (scaleIn !== undefined) return scaleIn.wayOut === "replace-root-volume" ? "RootVolumeReplaced" : "Terminated";
    const member = group.members(world.clock.now()).find(({ instance }) => instance.id === id);
    if (member !== undefined) return TARGET_STATES[member.lifecycleState] ?? "InService";
  }
  return undefined;
}

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html */
function identityDocument(instance: Instance, { accountId, region }: World): string {
  const document = {
    accountId,
    architecture: "arm64",
    availabilityZone: instance.zone,
    billingProducts: null,
    devpayProductCodes: null,
    marketplaceProductCodes: null,
    imageId: AMI_ID,
    instanceId: instance.id,
    instanceType: INSTANCE_TYPE,
    kernelId: null,
    pendingTime: isoSeconds(instance.launchedAt),
    privateIp: instance.privateIp,
    ramdiskId: null,
    region,
    version: "2017-09-30",
  };
  return JSON.stringify(document, undefined, 2);
}
