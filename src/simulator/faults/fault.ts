import { createHash } from "node:crypto";
import type { ApiCall, ApiName } from "../api/answer.ts";
import type { Params } from "../api/params.ts";

/** What goes wrong with a call. */
export type FaultEffect =
  /** The call is refused, and changes nothing. */
  | { readonly type: "error"; readonly code: string; readonly status?: number; readonly message?: string }
  /** The right answer, late. */
  | { readonly type: "latency"; readonly ms: number }
  /** A read's answer leaves out registrations and deregistrations that are younger than this. */
  | { readonly type: "stale"; readonly ms: number }
  /** The call never arrives: its connection is refused, or reset before any answer where it was open already. */
  | { readonly type: "refused" }
  /** The call is carried out, and the connection reset in the middle of the answer. */
  | { readonly type: "reset" }
  /** The call is carried out, and nothing is ever answered. */
  | { readonly type: "hang" }
  /** The call is carried out, and half of its XML answered as if it were whole. */
  | { readonly type: "malformed" }
  /** The call is carried out, and answered by status 200 with nothing in it. */
  | { readonly type: "empty" };

/** Which of the calls that a fault is about it strikes. */
type FaultRhythm =
  | { readonly first: number }
  /** The nth, the 2nth and so on. */
  | { readonly every: number }
  /** At random, the same way in every run with the same seed. */
  | { readonly probability: number; readonly seed: number };

export interface Fault {
  /** Absent: of every API. */
  readonly api?: ApiName;
  /** Absent: every action. */
  readonly action?: string;
  /** Only of calls that have this value somewhere in their parameters: one instance among many. Absent: whatever they name. */
  readonly naming?: string;
  /** Absent: all of them. */
  readonly when?: FaultRhythm;
  readonly effect: FaultEffect;
}

/** The first of `faults` that strikes `call`; `counts` says how many calls each has been about before. */
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
