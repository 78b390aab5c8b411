import { printable } from "../../drain/errors.ts";
import type { NodeKind } from "./node-kind.ts";

/** A taint of a program that the configuration names, such as aws-node-termination-handler. */
export const otherTaint: NodeKind = {
  kind: "node-taint",
  trigger: "taint",
  read({ taints }, { taints: keys }) {
    const taint = taints.find(({ key }) => keys.has(key));
    return taint && { reason: `taint ${printable(taint.key)}`, mark: taint.key };
  },
};
