import { createHash } from "node:crypto";
import type { ApiCall, ApiName } from "../api/answer.ts";
import type { Params } from "../api/params.ts";

/** The effect of a fault on a call. */
export type FaultEffect =
  /** The call is refused, and changes nothing. */
  | { readonly type: "error"; readonly code: string; readonly status?: number; readonly message?: string }
  /** The right answer, late. */
  | { readonly type: "latency"; readonly ms: number }
  /** The answer of a read does not contain registrations and deregistrations that are younger than this. */
  | { readonly type: "stale"; readonly ms: number }
  /** The call never arrives: its connection is refused, or reset before any answer if it was open already. */
  | { readonly type: "refused" }
  /** The call is carried out, and the connection is reset in the middle of the answer. */
  | { readonly type: "reset" }
  /** The call is carried out, and never answered. */
  | { readonly type: "hang" }
  /** The call is carried out, and half of its XML is answered as if it were complete. */
  | { readonly type: "malformed" }
  /** The call is carried out, and the answer is status 200 with an empty body. */
  | { readonly type: "empty" };

/** Which of the matching calls it affects. */
type FaultRhythm =
  | { readonly first: number }
  /** The nth, the 2nth and so on. */
  | { readonly every: number }
  /** At random, but in the same way in every run with the same seed. */
  | { readonly probability: number; readonly seed: number };

export interface Fault {
  /** Absent: every API. */
  readonly api?: ApiName;
  /** Absent: every action. */
  readonly action?: string;
  /** Only calls that have this value in their parameters, such as one instance among many. Absent: all. */
  readonly naming?: string;
  /** Absent: all of them. */
  readonly when?: FaultRhythm;
  readonly effect: FaultEffect;
}

/** The first of `faults` that affects `call`. `counts`: the number of matching calls of each before. */
export function faultFor(
  faults: readonly Fault[],
  call: ApiCall,
  counts: ReadonlyMap<Fault, number>,
): Fault | undefined {
  return faults.find((fault) => isAbout(fault, call) && isDue(fault.when, counts.get(fault) ?? 0));
}

export function isAbout({ api, action, naming }: Fault, call: ApiCall): boolean {
  if ((api ?? call.api) !== call.api || (action ?? call.action) !== call.action) return false;
  return naming === undefined || names(call.params, naming);
}

function names(params: Params, value: string): boolean {
  return Object.values(params).some((given) => (typeof given === "object" ? names(given, value) : given === value));
}

function isDue(when: FaultRhythm | undefined, before: number): boolean {
  if (when === undefined) return true;
  if ("first" in when) return before < when.first;
  if ("every" in when) return (before + 1) % when.every === 0;
  return randomShare(when.seed, before) < when.probability;
}

/** From 0 to below 1. */
function randomShare(seed: number, call: number): number {
  return createHash("sha256").update(`${seed} ${call}`).digest().readUInt32BE() / 2 ** 32;
}
