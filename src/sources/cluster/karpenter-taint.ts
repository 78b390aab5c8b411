import type { NodeKind } from "./node-kind.ts";

const KEY = "karpenter.sh/disrupted";

/** Karpenter removes the node, and has begun to evict its pods. https://karpenter.sh/docs/concepts/disruption/ */
export const karpenterTaint: NodeKind = {
  kind: "karpenter",
  trigger: "karpenter",
  isExcluding: true,
  isEvicting: true,
  read({ taints }) {
    const taint = taints.find(({ key, effect }) => key === KEY && effect === "NoSchedule");
    return taint && { reason: "Karpenter removes the node" };
  },
};
