import type { BesideRow, ProgramName } from "./comparison.ts";
import type { Kind } from "./region.ts";

/** How many times sooner than lifecycle-manager, on ALBs and on classic load balancers. */
const FIRST_DEREGISTRATION_RATIO = 7;
const HOOK_RATIO = 4;
const QUICK_KINDS: readonly Kind[] = ["alb", "classic"];

/** Both rows of a kind, and what they are in relation to each other. */
export interface Pair {
  readonly kind: Kind;
  readonly ours: BesideRow;
  readonly theirs: BesideRow;
  /** How many times longer lifecycle-manager takes. */
  readonly firstDeregistrationRatio: number;
  readonly hookRatio: number;
}

export function pairsOf(rows: readonly BesideRow[]): readonly Pair[] {
  return rows.flatMap((ours) => {
    const theirs = rows.find(({ kind, program }) => kind === ours.kind && program === THEIRS);
    if (ours.program === THEIRS || theirs === undefined) return [];
    const firstDeregistrationRatio = theirs.firstDeregisterSeconds / ours.firstDeregisterSeconds;
    return [
      { kind: ours.kind, ours, theirs, firstDeregistrationRatio, hookRatio: theirs.hookSeconds / ours.hookSeconds },
    ];
  });
}

const THEIRS: ProgramName = "lifecycle-manager";

/** How many times lifecycle-manager's calls a drain may make. */
type CallsRatio = Readonly<Record<Kind, number>>;

const NO_MORE_CALLS: CallsRatio = { alb: 1, classic: 1, nlb: 1 };

/** Which goals these rows miss, in sentences. */
export function missedGoals(rows: readonly BesideRow[], callsRatio = NO_MORE_CALLS): readonly string[] {
  return pairsOf(rows).flatMap((pair) => [...missedInTime(pair), ...missedInCounts(pair, callsRatio[pair.kind])]);
}

function missedInTime({ kind, firstDeregistrationRatio: first, hookRatio: hook }: Pair): readonly string[] {
  if (!QUICK_KINDS.includes(kind)) return [];
  const missed = (what: string, ratio: number, goal: number) =>
    ratio >= goal ? [] : [`${kind}: ${what} is ${ratio.toFixed(1)} times sooner, not ${goal} times`];
  return [
    ...missed("the first deregistration", first, FIRST_DEREGISTRATION_RATIO),
    ...missed("the end of the hook", hook, HOOK_RATIO),
  ];
}

function missedInCounts({ kind, ours, theirs }: Pair, callsRatio: number): readonly string[] {
  const [calls, allowed] = [callsOf(ours), callsOf(theirs)];
  return [
    ...(ours.hookResult === "CONTINUE" ? [] : [`${kind}: the hook ended with ${ours.hookResult}`]),
    ...(ours.requestsLost === 0 ? [] : [`${kind}: ${ours.requestsLost} requests were lost`]),
    ...(calls <= allowed * callsRatio
      ? []
      : [`${kind}: the drain made ${calls} calls, where lifecycle-manager made ${allowed}`]),
  ];
}

/** All calls on behalf of the drain, or those to one API. */
export function callsOf({ drainCalls }: BesideRow, api = ""): number {
  return Object.entries(drainCalls)
    .filter(([action]) => action.startsWith(api))
    .reduce((sum, [, count]) => sum + count, 0);
}
