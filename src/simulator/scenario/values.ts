import * as z from "zod";

/** The schemas of single values in a scenario. */

const SECONDS_MAX = 86_400;

export const name = z
  .string()
  .regex(
    /^[a-zA-Z0-9]([a-zA-Z0-9-]{0,30}[a-zA-Z0-9])?$/,
    "give 1 to 32 letters, digits and hyphens, no hyphen at an end",
  );
export const wholeNumber = (min: number, max: number) => z.int().min(min).max(max);
export const port = wholeNumber(1, 65_535);
export const seconds = (min: number) => z.number().min(min).max(SECONDS_MAX);
export const ms = z
  .number()
  .min(0)
  .max(SECONDS_MAX * 1_000);
export const range = z.tuple([ms, ms]);
export const vpcId = z.string().regex(/^vpc-[0-9a-z]+$/, "give an id such as vpc-0123456789abcdef0");
export const tags = z.record(z.string(), z.string());
export const zone = z.string().min(1);
export const reference = z.string().min(1);

export const addresses = z.array(z.union([z.ipv4(), z.ipv6()], { error: "give an IPv4 or IPv6 address" })).min(1);
export const ipv4Prefix = z.cidrv4().regex(/\/28$/, "give a /28, as AWS does");
export const ipv6Prefix = z.cidrv6().regex(/\/80$/, "give a /80, as AWS does");

export const bucket = z.strictObject({
  tokens: wholeNumber(0, 1_000_000),
  refillPerSecond: z.number().min(0).max(1_000_000),
});
