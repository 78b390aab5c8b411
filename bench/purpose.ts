import type { ApiAnswer, ApiName } from "../src/simulator/api/answer.ts";

/** One call as the wire carries it. */
export interface ElbCall {
  readonly api: ApiName;
  /** `DescribeTargetHealth` */
  readonly action: string;
  /** The target group's ARN or the classic load balancer's name; empty where the call is about neither. */
  readonly pool: string;
  /** The ids in a deregister call. */
  readonly ids: readonly string[];
}

/**
 * What a call is for. Reads for a drain (`describe`, `poll`, `confirm`) and searches (`find`, `verify`) are different columns.
 * - `guard`: whether enough healthy targets would remain in a pool.
 * - `find`, `verify`: to learn where nodes are registered.
 * - `refresh`: to keep that known in the background.
 * - `describe`: how long a pool drains.
 * - `register`: to take a deregistration back, which no scenario does.
 * - `deregister`; `confirm`: whether it was heeded; `poll`: whether a hold is over.
 */
export type Purpose =
  | "guard"
  | "find"
  | "verify"
  | "refresh"
  | "describe"
  | "deregister"
  | "register"
  | "poll"
  | "confirm";

export type Column = "drain" | "scan" | "index";

export function columnOf(purpose: Purpose): Column {
  switch (purpose) {
    case "find":
    case "verify":
      return "scan";
    case "refresh":
      return "index";
    case "describe":
    case "guard":
    case "deregister":
    case "register":
    case "poll":
    case "confirm":
      return "drain";
    default:
      return purpose satisfies never;
  }
}

/**
 * What a call is for, told by the wire alone, where the client does not say. A read of a pool is a search until
 * something was deregistered there, and a poll afterwards.
 */
export function guessPurpose({ action, pool }: ElbCall, hasDeregistered: (pool: string) => boolean): Purpose {
  if (action.startsWith("Deregister")) return "deregister";
  if (action.endsWith("Attributes")) return "describe";
  const isHealth = action === "DescribeTargetHealth" || action === "DescribeInstanceHealth";
  return isHealth && hasDeregistered(pool) ? "poll" : "find";
}

/** Whether AWS refused the call because of its request quota. */
export function isThrottled({ status, body }: ApiAnswer): boolean {
  return status >= 400 && /<Code>(Throttling|RequestLimitExceeded)/.test(body);
}
