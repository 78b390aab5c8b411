import type { Pool } from "../drain/cloud-provider.ts";
import type { PoolPlace } from "./facts.ts";

/** Characters that no shell interprets. */
const PLAIN = /^[\w@%+=:,./-]+$/;

/** A command line for a POSIX shell. */
export function command(...words: readonly string[]): string {
  return words.map(quoted).join(" ");
}

function quoted(word: string): string {
  return PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The region as a flag of the AWS CLI. None if the CLI finds the same one as the program. */
export function regionFlag(region: string | undefined): readonly string[] {
  return region === undefined ? [] : ["--region", region];
}

/** Sets attributes of a target group. */
export function setGroupAttributes(
  { pool, region }: Pick<PoolPlace, "pool" | "region">,
  attributes: Readonly<Record<string, string>>,
): string {
  const given = Object.entries(attributes).map(([key, value]) => `Key=${key},Value=${value}`);
  const group = ["--target-group-arn", arnOf(pool)];
  return command(
    "aws",
    "elbv2",
    "modify-target-group-attributes",
    ...regionFlag(region),
    ...group,
    "--attributes",
    ...given,
  );
}

/** Sets attributes of a classic load balancer. */
export function setClassicAttributes({ pool, region }: Pick<PoolPlace, "pool" | "region">, attributes: object): string {
  const name = ["--load-balancer-name", pool.name];
  const given = ["--load-balancer-attributes", JSON.stringify(attributes)];
  return command("aws", "elb", "modify-load-balancer-attributes", ...regionFlag(region), ...name, ...given);
}

export function arnOf({ id }: Pool): string {
  return id;
}
