import type { NodeKind } from "./node-kind.ts";

/** A person, or another program, requests the drain: `kubectl annotate node NAME hasta-la-vista.io/drain=true`. */
const DRAIN_ANNOTATION = "hasta-la-vista.io/drain";

export const drainAnnotation: NodeKind = {
  kind: "node-annotation",
  trigger: "annotation",
  read({ annotations }) {
    if (annotations[DRAIN_ANNOTATION] !== "true") return undefined;
    return { reason: `annotation ${DRAIN_ANNOTATION}`, isVoluntary: true };
  },
};
