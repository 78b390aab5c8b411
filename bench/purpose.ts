import type { ElbCall } from "./wire.ts";

/**
 * What a call is for. Reads for a drain (`describe`, `look`, `confirm`) and searches (`find`, `verify`) are different columns.
 * - `find`, `verify`: to learn where nodes are registered.
 * - `refresh`: to keep that known in the background.
 * - `describe`: how long a pool drains.
 * - `register`: to take a deregistration back, which no scenario does.
 * - `deregister`; `confirm`: whether it was heeded; `look`: whether a hold is over.
 */
export type Purpose = "find" | "verify" | "refresh" | "describe" | "deregister" | "register" | "look" | "confirm";

export type Column = "drain" | "scan" | "index";

export function columnOf(purpose: Purpose): Column {
  switch (purpose) {
    case "find":
    case "verify":
      return "scan";
    case "refresh":
      return "index";
    case "describe":
    case "deregister":
    case "register":
    case "look":
    case "confirm":
      return "drain";
    default:
      return purpose satisfies never;
  }
}

/**
 * What a call is for, told by the wire alone, where the client does not say. A read of a pool is a search until
 * something was deregistered there, and a look afterwards.
 */
export function guessPurpose({ action, pool }: ElbCall, hasDeregistered: (pool: string) => boolean): Purpose {
  if (action.startsWith("Deregister")) return "deregister";
  if (action.endsWith("Attributes")) return "describe";
  const isHealth = action === "DescribeTargetHealth" || action === "DescribeInstanceHealth";
  return isHealth && hasDeregistered(pool) ? "look" : "find";
}
