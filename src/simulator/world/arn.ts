/** By what a region's name begins with. All others are in `aws`. */
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
  // IAM is everywhere in its partition.
  return `arn:${partitionOf(region)}:${service}:${service === "iam" ? "" : region}:${accountId}:${resource}`;
}

interface SpotInstance {
  readonly region: string;
  readonly zone: string;
  readonly id: string;
}

/** What events about spot capacity call an instance by: they name its zone, and no account. */
export function spotArnOf({ region, zone, id }: SpotInstance): string {
  return `arn:${partitionOf(region)}:ec2:${zone}:instance/${id}`;
}

const RESOURCES = {
  targetgroup: /^\d{12}:targetgroup\/[^/]+\/[0-9a-f]{16}$/,
  loadbalancer: /^\d{12}:loadbalancer\/(app|net|gwy)\/[^/]+\/[0-9a-f]{16}$/,
  listener: /^\d{12}:listener\/(app|net|gwy)\/[^/]+(\/[0-9a-f]{16}){2}$/,
  rule: /^\d{12}:listener-rule\/(app|net|gwy)\/[^/]+(\/[0-9a-f]{16}){3}$/,
} as const;

/** Whether something of ELBv2 in this region could have this ARN. */
export function isArnOf(kind: keyof typeof RESOURCES, arn: string, { region }: { readonly region: string }): boolean {
  const prefix = `arn:${partitionOf(region)}:elasticloadbalancing:${region}:`;
  return arn.startsWith(prefix) && RESOURCES[kind].test(arn.slice(prefix.length));
}

export function partitionOf(region: string): string {
  const prefix = Object.keys(PARTITIONS).find((start) => region.startsWith(start)) ?? "";
  return PARTITIONS[prefix] ?? "aws";
}
