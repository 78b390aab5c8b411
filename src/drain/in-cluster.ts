import type { Clock } from "./clock.ts";
import type { CloudProvider } from "./cloud-provider.ts";
import type { Cluster } from "./cluster.ts";
import type { DrainRun } from "./drain-run.ts";
import { Evicting } from "./evicting.ts";
import { Exclusion } from "./exclusion.ts";
import type { DrainTimes } from "./plan.ts";
import type { Planner } from "./planner.ts";
import { PodTargets } from "./pod-targets.ts";
import type { ExclusionStep } from "./steps.ts";

export interface InClusterOptions {
  readonly cloud: CloudProvider;
  readonly cluster?: Cluster;
  readonly clock: Clock;
  readonly times: DrainTimes;
  readonly planner: Pick<Planner, "planOf">;
}

/**
 * What a drain does in its cluster. Without a cluster there is no exclusion, no pod is known, and an eviction fails.
 */
export interface InCluster {
  readonly exclusion: Exclusion | undefined;
  readonly pods: PodTargets | undefined;
  readonly eviction: Evicting;
}

export function inCluster(run: DrainRun, options: InClusterOptions, signal: AbortSignal): InCluster {
  const { cloud, cluster, clock, times, planner } = options;
  const plan = times.hasFastPath && (() => planner.planOf(run));
  const happened = (step: ExclusionStep) => run.happened(step);
  const eviction = new Evicting(run, { cluster, clock }, signal);
  const evicts = (pod: string) => eviction.takes(pod);
  return {
    exclusion: cluster && new Exclusion(run, { cloud, cluster, clock, ...(plan && { plan }), happened }, signal),
    pods: cluster && new PodTargets(run, { cloud, cluster, clock, evicts }, signal),
    eviction,
  };
}

/** Before the search. All three run at the same time, so that a cluster that does not answer delays a drain once. */
export async function prepareInCluster({ exclusion, pods, eviction }: InCluster, isResumed: boolean): Promise<void> {
  // What an earlier process has begun can't be refused any more.
  await Promise.all([isResumed ? undefined : eviction.prepare(), pods?.learn(), exclusion?.prepare()]);
}
