/** Partitions, by the prefix of the region's name. All other regions are in `aws`. */
const PARTITIONS: Readonly<Record<string, string>> = {
  "cn-": "aws-cn",
  "us-gov-": "aws-us-gov",
};

export interface ArnInput {
  readonly service: string;
  readonly region: string;
  readonly accountId: string;
  readonly resource: string;
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html */
export function arnOf({ service, region, accountId, resource }: ArnInput): string {
  // IAM is global in its partition, so its ARNs have no region.
  return `arn:${partitionOf(region)}:${service}:${service === "iam" ? "" : region}:${accountId}:${resource}`;
}

interface SpotInstance {
  readonly region: string;
  readonly zone: string;
  readonly id: string;
}

/** The ARN of an instance in events about spot capacity. It has the zone in place of the region, and no account. */
export function spotArnOf({ region, zone, id }: SpotInstance): string {
  return `arn:${partitionOf(region)}:ec2:${zone}:instance/${id}`;
}

const RESOURCES = {
  targetgroup: /^\d{12}:targetgroup\/[^/]+\/[0-9a-f]{16}$/,
  loadbalancer: /^\d{12}:loadbalancer\/(app|net|gwy)\/[^/]+\/[0-9a-f]{16}$/,
  listener: /^\d{12}:listener\/(app|net|gwy)\/[^/]+(\/[0-9a-f]{16}){2}$/,
  rule: /^\d{12}:listener-rule\/(app|net|gwy)\/[^/]+(\/[0-9a-f]{16}){3}$/,
} as const;

/** Whether a resource of ELBv2 in this region can have this ARN. */
export function isArnOf(kind: keyof typeof RESOURCES, arn: string, { region }: { readonly region: string }): boolean {
  const prefix = `arn:${partitionOf(region)}:elasticloadbalancing:${region}:`;
  return arn.startsWith(prefix) && RESOURCES[kind].test(arn.slice(prefix.length));
}

export function partitionOf(region: string): string {
  const prefix = Object.keys(PARTITIONS).find((start) => region.startsWith(start)) ?? "";
  return PARTITIONS[prefix] ?? "aws";
}

/** The domain of AWS's names. https://docs.amazonaws.cn/en_us/aws/latest/userguide/endpoints-arns.html */
export function domainOf(region: string): string {
  return partitionOf(region) === "aws-cn" ? "amazonaws.com.cn" : "amazonaws.com";
}

/** `2026-01-01T00:00:00Z`, from milliseconds since the epoch. */
export function isoSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, "2026-01-01T00:00:00".length)}Z`;
}

/**
 * The hosted zone of the names of load balancers. On AWS each region has its own.
 * https://docs.aws.amazon.com/general/latest/gr/elb.html
 */
export const HOSTED_ZONE_ID = "Z32O12XQLNTSW2";

const COMPASS = /north|south|east|west|central/g;

/** `euw1-az1` for `eu-west-1a`. On AWS, the order of the zone letters differs between accounts. */
export function zoneIdOf(zone: string): string {
  const parts = /^([a-z]{2})-([a-z-]+)-(\d)([a-z])$/.exec(zone);
  if (parts === null) return zone;
  const [, continent = "", place = "", number = "", letter = ""] = parts;
  const short = place.replace("gov-", "g").replace(COMPASS, (direction) => direction.charAt(0));
  return `${continent}${short}${number}-az${letter.charCodeAt(0) - "a".charCodeAt(0) + 1}`;
}

/**
 * The DNS name of an ALB or a classic load balancer. `digits`: hexadecimal digits, from which its number is made.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-internal-load-balancers.html
 */
export function numberedDnsName(
  { name, scheme }: { readonly name: string; readonly scheme: "internet-facing" | "internal" },
  digits: string,
  region: string,
): string {
  const number = Number(BigInt(`0x${digits}`) % BigInt(2 ** 31));
  return `${scheme === "internal" ? "internal-" : ""}${name}-${number}.${region}.elb.${domainOf(region)}`;
}
