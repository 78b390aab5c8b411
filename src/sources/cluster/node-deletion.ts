import type { NodeKind } from "./node-kind.ts";

/** The Node object was deleted, and a finalizer retains it. No controller deregisters it before it is gone. */
export const nodeDeletion: NodeKind = {
  kind: "node-deletion",
  trigger: "deletion",
  read({ deletedAt }) {
    return deletedAt === undefined ? undefined : { reason: "the Node object is being deleted" };
  },
};
