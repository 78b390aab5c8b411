import { printable } from "../../drain/errors.ts";
import { announced, nothingAsked } from "../announcement.ts";
import { MalformedEvent } from "../events/event-fields.ts";
import type { MetadataKind } from "./metadata-kind.ts";

const STATE = /^[A-Za-z]{1,40}(?::[A-Za-z]{1,40}){0,2}$/;
/**
 * Into the warm pool the machine leaves service too, in whichever state it waits there; and so does one that is retained,
 * which is not terminated, and one whose root volume is replaced, which comes back.
 */
const LEAVES = /^(?:Terminated$|Warmed:|Terminating:Retained$|RootVolumeReplaced$)/;
const RETURNS = "RootVolumeReplaced";

/**
 * Where Auto Scaling takes the machine: `Terminated` from the beginning of its scale-in on.
 * https://docs.aws.amazon.com/autoscaling/ec2/userguide/retrieving-target-lifecycle-state-through-imds.html
 */
export const targetLifecycleState: MetadataKind = {
  path: "/latest/meta-data/autoscaling/target-lifecycle-state",
  read(body, identity) {
    const state = body.trim();
    if (!STATE.test(state)) throw new MalformedEvent(`the body is '${printable(state)}', not a lifecycle state`);
    if (!LEAVES.test(state)) return nothingAsked(`target lifecycle state ${state}`);
    const returns = state === RETURNS ? ({ returns: true } as const) : {};
    return announced([{ kind: "autoscaling-terminate", ...identity, ...returns, reason: `Auto Scaling: ${state}` }]);
  },
};
