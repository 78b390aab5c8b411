import type { Scheme } from "../world/load-balancer.ts";

const NUMBERS = 2 ** 31;

/**
 * The DNS name of an ALB or a classic load balancer. `digits`: hexadecimal ones, of which its number is made.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/elb-internal-load-balancers.html
 */
export function numberedDnsName(
  { name, scheme }: { readonly name: string; readonly scheme: Scheme },
  digits: string,
  region: string,
): string {
  const number = Number(BigInt(`0x${digits}`) % BigInt(NUMBERS));
  return `${scheme === "internal" ? "internal-" : ""}${name}-${number}.${region}.elb.amazonaws.com`;
}
