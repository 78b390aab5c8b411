import type { NodeKind } from "./node-kind.ts";

/** https://kubernetes.io/docs/concepts/nodes/node/#manual-node-administration */
export const cordon: NodeKind = {
  kind: "node-cordon",
  trigger: "cordon",
  read({ isUnschedulable }) {
    return isUnschedulable ? { reason: "the node is cordoned", isVoluntary: true } : undefined;
  },
};
