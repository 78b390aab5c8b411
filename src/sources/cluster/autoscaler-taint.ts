import { AUTOSCALER_TAINT } from "../../drain/cluster.ts";
import type { NodeKind } from "./node-kind.ts";

/** Seconds since the epoch with ten digits. */
const SECONDS = /^\d{10}$/;
/**
 * It evicts a pod for `--max-pod-eviction-time`, 2 minutes by default, tries every 10 s, and then leaves the node in
 * the cluster. 20 s remain for its last attempts and for a clock that differs from this one.
 * https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/core/scaledown/actuation/drain.go
 */
const EVICTS_FOR_MS = 100_000;

/**
 * cluster-autoscaler removes the node. Its taint says since when. It waits for the annotation that delays the deletion
 * for at most `--node-deletion-delay-timeout`.
 * https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md
 */
export const autoscalerTaint: NodeKind = {
  kind: "cluster-autoscaler",
  trigger: "autoscaler",
  isExcluding: true,
  isEvicting: true,
  read({ taints }, { autoscalerDelayMs }) {
    const taint = taints.find(({ key }) => key === AUTOSCALER_TAINT);
    if (taint === undefined) return undefined;
    const { value = "" } = taint;
    const since = SECONDS.test(value) ? Number(value) * 1_000 : undefined;
    return {
      reason: "cluster-autoscaler removes the node",
      mark: value,
      evictBy: (since ?? 0) + EVICTS_FOR_MS,
      ...(since !== undefined && { deadline: since + autoscalerDelayMs }),
    };
  },
};
