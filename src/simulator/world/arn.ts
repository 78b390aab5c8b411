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
  const prefix = Object.keys(PARTITIONS).find((start) => region.startsWith(start)) ?? "";
  // IAM is everywhere in its partition.
  return `arn:${PARTITIONS[prefix] ?? "aws"}:${service}:${service === "iam" ? "" : region}:${accountId}:${resource}`;
}
