import type { Pool, PoolTerms } from "./cloud-provider.ts";

/** What is lost even when everything goes well, because AWS leaves no way. */
export interface UnsavedTraffic {
  readonly code: "requests-in-flight" | "long-requests" | "long-connections" | "terminated-connections";
  readonly message: string;
}

/** `hold`: how long the node is held, in milliseconds. */
export function unsavedTraffic(pool: PoolTerms & Pick<Pool, "kind">, hold: number): readonly UnsavedTraffic[] {
  switch (pool.kind) {
    case "alb":
      return pool.drainMs === 0
        ? [{ code: "requests-in-flight", message: "deregistration delay is 0: requests in flight are cut" }]
        : [{ code: "long-requests", message: `requests that take longer than ${seconds(pool.drainMs)} are cut` }];
    case "classic":
      return pool.drainMs === 0
        ? [{ code: "requests-in-flight", message: "connection draining is off: requests in flight are cut at once" }]
        : [{ code: "long-requests", message: `requests that take longer than ${seconds(pool.drainMs)} are cut` }];
    case "nlb":
      return pool.terminatesConnections
        ? [
            {
              code: "terminated-connections",
              message: `connection termination is on: connections still open after ${seconds(pool.drainMs)} are closed`,
            },
          ]
        : [
            {
              code: "long-connections",
              message: `connections still open after ${seconds(hold)} break when the node goes`,
            },
          ];
    case "gwlb":
      return [
        { code: "long-connections", message: `flows still active after ${seconds(hold)} break when the node goes` },
      ];
    case "unattached":
      return [];
    default:
      return pool.kind satisfies never;
  }
}

function seconds(ms: number): string {
  return `${Math.max(0, Math.round(ms / 1_000))} s`;
}
