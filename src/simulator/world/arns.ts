const RESOURCES = {
  targetgroup: /^\d{12}:targetgroup\/[^/]+\/[0-9a-f]{16}$/,
  loadbalancer: /^\d{12}:loadbalancer\/(app|net|gwy)\/[^/]+\/[0-9a-f]{16}$/,
  listener: /^\d{12}:listener\/(app|net|gwy)\/[^/]+(\/[0-9a-f]{16}){2}$/,
  rule: /^\d{12}:listener-rule\/(app|net|gwy)\/[^/]+(\/[0-9a-f]{16}){3}$/,
} as const;

/** Whether something of ELBv2 in this region could have this ARN. */
export function isArnOf(kind: keyof typeof RESOURCES, arn: string, { region }: { readonly region: string }): boolean {
  const prefix = `arn:aws:elasticloadbalancing:${region}:`;
  return arn.startsWith(prefix) && RESOURCES[kind].test(arn.slice(prefix.length));
}
