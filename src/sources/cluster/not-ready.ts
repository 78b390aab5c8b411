import { printable } from "../../drain/errors.ts";
import type { NodeKind } from "./node-kind.ts";

/**
 * Its kubelet reports that it is not ready, or nothing: `Unknown`. A node that has never been ready is not leaving.
 */
export const notReady: NodeKind = {
  kind: "node-not-ready",
  trigger: "not-ready",
  read({ ready, readySince }) {
    if (ready === undefined || ready === "True") return undefined;
    const mark = readySince === undefined ? {} : { mark: String(readySince) };
    return { reason: `the node's condition Ready is ${printable(ready)}`, isVoluntary: true, ...mark };
  },
};
