import type { LoadBalancerDescription } from "@aws-sdk/client-elastic-load-balancing";
import type { TargetGroup } from "@aws-sdk/client-elastic-load-balancing-v2";
import type { AwsClients } from "../../aws/clients.ts";
import type { Pool } from "../../drain/cloud-provider.ts";
import { tagsByName } from "./classic-load-balancers.ts";
import { carriesClusterTag } from "./cluster-tags.ts";
import type { Tags } from "./tags.ts";
import { tagsByArn } from "./target-groups.ts";

/** Pools as AWS lists them. */
export interface ListedPools {
  readonly groups: readonly TargetGroup[];
  readonly classics: readonly LoadBalancerDescription[];
}

export interface PoolTags {
  /** The pool's own. None where it has vanished meanwhile. */
  of(pool: Pool): Tags;
  /** A target group belongs to a cluster when it or its load balancer carries the tag. */
  belongsTo(pool: Pool, cluster: string): boolean;
}

const NONE: Tags = new Map();

/** Reads the tags of pools, and of the load balancers of target groups. */
export async function readPoolTags(
  { v2, classic }: AwsClients,
  { groups, classics }: ListedPools,
  signal: AbortSignal,
): Promise<PoolTags> {
  const loadBalancersOf = new Map(
    groups.map(({ TargetGroupArn, LoadBalancerArns }) => [TargetGroupArn ?? "", LoadBalancerArns ?? []]),
  );
  const arns = new Set([...loadBalancersOf.keys(), ...[...loadBalancersOf.values()].flat()]);
  const names = classics.map(({ LoadBalancerName }) => LoadBalancerName ?? "");
  const [byArn, byName] = await Promise.all([tagsByArn(v2, [...arns], signal), tagsByName(classic, names, signal)]);
  const of = ({ kind, id }: Pool) => (kind === "classic" ? byName : byArn).get(id) ?? NONE;
  return {
    of,
    belongsTo: (pool, cluster) =>
      [of(pool), ...(loadBalancersOf.get(pool.id) ?? []).map((arn) => byArn.get(arn) ?? NONE)].some((tags) =>
        carriesClusterTag(tags, cluster),
      ),
  };
}

/** Those of the listed pools that have one of these ids. */
export function onlyPoolsOf({ groups, classics }: ListedPools, ids: ReadonlySet<string>): ListedPools {
  return {
    groups: groups.filter(({ TargetGroupArn }) => ids.has(TargetGroupArn ?? "")),
    classics: classics.filter(({ LoadBalancerName }) => ids.has(LoadBalancerName ?? "")),
  };
}
