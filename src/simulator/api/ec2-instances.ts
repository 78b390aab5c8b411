import { AwsError } from "../aws-error.ts";
import { zoneIdOf } from "../world/arn.ts";
import { type Instance, type InstanceStateName, reservationIdOf } from "../world/instance.ts";
import type { NetworkInterface } from "../world/network-interface.ts";
import { subnetIdOf } from "../world/networks.ts";
import { defaultIdOf } from "../world/security-groups.ts";
import type { World } from "../world/world.ts";
import { isoTime } from "./action.ts";
import { interfaceXml, NO_OPERATOR } from "./ec2-interfaces.ts";
import { ec2TagSet } from "./ec2-tags.ts";
import type { XmlFields } from "./xml.ts";

const STATE_CODES: Readonly<Record<InstanceStateName, number>> = {
  pending: 0,
  running: 16,
  "shutting-down": 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
};
const INSTANCE_ID = /^i-([0-9a-f]{8}|[0-9a-f]{17})$/;
export const ROOT_DEVICE = "/dev/xvda";

/** The instances with these ids. All of them must exist. */
export function existing(ids: readonly string[], world: World): readonly Instance[] {
  const malformed = ids.find((id) => !INSTANCE_ID.test(id));
  if (malformed !== undefined) throw new AwsError("InvalidInstanceID.Malformed", `Invalid id: "${malformed}"`);
  const missing = ids.filter((id) => world.instance(id) === undefined);
  if (missing.length > 0) {
    const subject = missing.length === 1 ? `ID '${missing[0]}' does` : `IDs '${missing.join(", ")}' do`;
    throw new AwsError("InvalidInstanceID.NotFound", `The instance ${subject} not exist`);
  }
  return ids.map((id) => world.instance(id)).filter((instance) => instance !== undefined);
}

export function stateOf(instance: Instance, world: World): InstanceStateName {
  return instance.state(world.clock.now(), world.timing);
}

export function stateXml(instance: Instance, world: World): XmlFields {
  const name = stateOf(instance, world);
  return { code: STATE_CODES[name], name };
}

export function reservationXml(instance: Instance, world: World): XmlFields {
  return {
    reservationId: reservationIdOf(instance),
    ownerId: world.accountId,
    groupSet: {},
    instancesSet: { item: [instanceXml(instance, world)] },
  };
}

export function instanceXml(instance: Instance, world: World): XmlFields {
  const isTerminated = stateOf(instance, world) === "terminated";
  const { vpcId } = instance;
  const subnetId = subnetIdOf(vpcId, instance.zone);
  const network = {
    subnetId,
    vpcId,
    privateIpAddress: instance.privateIp,
    ipv6Address: instance.ipv6Addresses[0],
    sourceDestCheck: true,
    groupSet: { item: [{ groupId: defaultIdOf(vpcId), groupName: "default" }] },
    networkInterfaceSet: { item: attached(instance).map((one) => interfaceXml(one, instance, world)) },
    blockDeviceMapping: { item: [rootDeviceXml(instance)] },
  };
  return {
    instanceId: instance.id,
    imageId: "ami-0123456789abcdef0",
    instanceState: stateXml(instance, world),
    privateDnsName: isTerminated ? "" : instance.name,
    dnsName: "",
    reason: instance.terminatedAt === undefined ? "" : `User initiated (${isoTime(instance.terminatedAt)})`,
    stateReason: stateReasonXml(instance),
    amiLaunchIndex: 0,
    productCodes: {},
    instanceType: "m7g.large",
    launchTime: isoTime(instance.launchedAt),
    placement: {
      availabilityZone: instance.zone,
      availabilityZoneId: zoneIdOf(instance.zone),
      groupName: "",
      tenancy: "default",
    },
    tagSet: ec2TagSet(instance.tags),
    ...(isTerminated ? { groupSet: {}, networkInterfaceSet: {}, blockDeviceMapping: {} } : network),
    ...(instance.isSpot ? { instanceLifecycle: "spot" } : {}),
    clientToken: "",
    ...OF_EVERY_INSTANCE,
    usageOperationUpdateTime: isoTime(instance.launchedAt),
  };
}

/** Of an m7g.large that runs Amazon Linux, with the settings that AWS gives it by default. */
const OF_EVERY_INSTANCE: XmlFields = {
  monitoring: { state: "disabled" },
  architecture: "arm64",
  rootDeviceType: "ebs",
  rootDeviceName: ROOT_DEVICE,
  virtualizationType: "hvm",
  hypervisor: "xen",
  ebsOptimized: true,
  enaSupport: true,
  cpuOptions: { coreCount: 2, threadsPerCore: 1 },
  capacityReservationSpecification: { capacityReservationPreference: "open" },
  hibernationOptions: { configured: false },
  metadataOptions: {
    state: "applied",
    httpTokens: "required",
    httpPutResponseHopLimit: 2,
    httpEndpoint: "enabled",
    httpProtocolIpv6: "disabled",
    instanceMetadataTags: "disabled",
  },
  enclaveOptions: { enabled: false },
  operator: NO_OPERATOR,
  bootMode: "uefi",
  currentInstanceBootMode: "uefi",
  platformDetails: "Linux/UNIX",
  usageOperation: "RunInstances",
  privateDnsNameOptions: {
    hostnameType: "ip-name",
    enableResourceNameDnsARecord: false,
    enableResourceNameDnsAAAARecord: false,
  },
  maintenanceOptions: { autoRecovery: "default" },
  networkPerformanceOptions: { bandwidthWeighting: "default" },
};

function stateReasonXml({ isOff }: Instance): XmlFields | undefined {
  if (!isOff) return undefined;
  const code = "Client.UserInitiatedShutdown";
  return { code, message: `${code}: User initiated shutdown` };
}

/** The attached root device. Volumes themselves are not simulated. */
export function rootDeviceXml({ id, launchedAt }: Instance): XmlFields {
  const ebs = {
    volumeId: id.replace("i-", "vol-"),
    status: "attached",
    attachTime: isoTime(launchedAt),
    deleteOnTermination: true,
  };
  return { deviceName: ROOT_DEVICE, ebs };
}

/** Branches are not attached to the instance, so DescribeInstances does not contain them. */
export function attached({ interfaces }: Instance): readonly NetworkInterface[] {
  return interfaces.filter(({ type }) => type !== "branch");
}
