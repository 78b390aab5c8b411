import { AwsError } from "../aws-error.ts";
import type { Instance } from "../world/instance.ts";
import { defaultIdOf } from "../world/security-groups.ts";
import type { World } from "../world/world.ts";
import { existing, ROOT_DEVICE, rootDeviceXml } from "./ec2-instances.ts";
import { type Params, text } from "./params.ts";
import type { XmlFields } from "./xml.ts";

/** One attribute of one instance. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstanceAttribute.html */
export function describeInstanceAttribute(params: Params, world: World): XmlFields {
  const attribute = requiredOfEc2(params, "Attribute");
  const [instance] = existing([requiredOfEc2(params, "InstanceId")], world);
  const shows = Object.hasOwn(ATTRIBUTES, attribute) ? ATTRIBUTES[attribute] : undefined;
  if (shows === undefined || instance === undefined)
    throw new AwsError(
      "InvalidParameterValue",
      `Value (${attribute}) for parameter attribute is invalid. Unknown attribute.`,
    );
  return { instanceId: instance.id, [attribute]: shows(instance) };
}

/** Throws in EC2's words if the parameter is missing. */
export function requiredOfEc2(params: Params, name: string): string {
  const value = text(params, name);
  if (value !== undefined && value !== "") return value;
  const parameter = name.charAt(0).toLowerCase() + name.slice(1);
  throw new AwsError("MissingParameter", `The request must contain the parameter ${parameter}`);
}

/** The defaults of launched instances. */
const ATTRIBUTES: Readonly<Record<string, (instance: Instance) => XmlFields>> = {
  instanceType: () => ({ value: "m7g.large" }),
  kernel: () => ({}),
  ramdisk: () => ({}),
  userData: () => ({}),
  disableApiTermination: () => ({ value: false }),
  disableApiStop: () => ({ value: false }),
  instanceInitiatedShutdownBehavior: () => ({ value: "stop" }),
  rootDeviceName: () => ({ value: ROOT_DEVICE }),
  blockDeviceMapping: (instance) => ({ item: [rootDeviceXml(instance)] }),
  productCodes: () => ({}),
  sourceDestCheck: () => ({ value: true }),
  groupSet: ({ vpcId }) => ({ item: [{ groupId: defaultIdOf(vpcId) }] }),
  ebsOptimized: () => ({ value: true }),
  sriovNetSupport: () => ({}),
  enaSupport: () => ({ value: true }),
  enclaveOptions: () => ({ enabled: false }),
};
