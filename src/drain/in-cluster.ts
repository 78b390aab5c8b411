import type { Clock } from "./clock.ts";
import type { CloudProvider } from "./cloud-provider.ts";
import type { Cluster } from "./cluster.ts";
import type { DrainRun } from "./drain-run.ts";
import type { DrainEvent } from "./events.ts";
import { Evicting } from "./evicting.ts";
import type { EvictionEvent } from "./eviction.ts";
import { Exclusion, type ExclusionEvent } from "./exclusion.ts";
import type { Journal } from "./journal.ts";
import type { DrainTimes } from "./plan.ts";
import type { Planner } from "./planner.ts";
import { PodTargets } from "./pod-targets.ts";

export interface InClusterOptions {
  readonly cloud: CloudProvider;
  readonly cluster?: Cluster;
  readonly clock: Clock;
  readonly journal: Journal | undefined;
  readonly notify: (event: DrainEvent) => void;
  readonly times: DrainTimes;
  readonly planner: Pick<Planner, "planOf">;
}

/** What a drain does in its cluster. Without one there is no exclusion, no pod is known, and an eviction fails. */
export interface InCluster {
  readonly exclusion: Exclusion | undefined;
  readonly pods: PodTargets | undefined;
  readonly eviction: Evicting;
}

export function inCluster(run: DrainRun, options: InClusterOptions, signal: AbortSignal): InCluster {
  const { cloud, cluster, clock, times, planner, journal, notify } = options;
  const plan = times.hasFastPath && (() => planner.planOf(run));
  const tell = (event: ExclusionEvent | EvictionEvent) => notify({ drainId: run.id, node: run.node, ...event });
  const onExclusion = (event: ExclusionEvent) => {
    journal?.exclusion(event);
    tell(event);
  };
  const onEviction = (event: EvictionEvent) => {
    journal?.eviction(event);
    tell(event);
  };
  const eviction = new Evicting(run, { cluster, clock, onEvent: onEviction }, signal);
  const evicts = (pod: string) => eviction.takes(pod);
  return {
    exclusion:
      cluster && new Exclusion(run, { cloud, cluster, clock, ...(plan && { plan }), onEvent: onExclusion }, signal),
    pods: cluster && new PodTargets(run, { cloud, cluster, clock, evicts }, signal),
    eviction,
  };
}

/** Before the search, beside each other: a cluster that does not answer delays a drain once. */
export async function prepareInCluster({ exclusion, pods, eviction }: InCluster, isResumed: boolean): Promise<void> {
  // What an earlier process has begun is not refused any more.
  await Promise.all([isResumed ? undefined : eviction.prepare(), pods?.learn(), exclusion?.prepare()]);
}
