import { newAbort } from "../../../src/drain/abort.ts";
import type { DrainOutcome } from "../../../src/drain/outcome.ts";
import type { Instance } from "../../../src/simulator/world/instance.ts";
import { SimulatedRegion } from "../../support/simulated-region.ts";
import { Breaking } from "./breaking.ts";
import { CALLS, type CallName, type MatrixCall } from "./calls.ts";
import { type Cell, OPTIONS, REQUEST_TIMEOUT_MS, TIMING } from "./scene.ts";

/**
 * `first`, `every`: enough healthy targets would stay. `few, first`, `few, every`: in one pool, of which the call tells,
 * too few would. `no choice, every`: the same, and the machine goes whatever the guard says.
 */
export const GUARD_MOMENTS = ["first", "every", "few, first", "few, every", "no choice, every"] as const;
type GuardMoment = (typeof GUARD_MOMENTS)[number];
export type GuardCell = Cell<GuardMoment>;

/** What came of it. */
export interface GuardResult {
  readonly region: SimulatedRegion;
  readonly node: Instance;
  readonly outcome: DrainOutcome;
  readonly tookMs: number;
  readonly struck: number;
  /** Pools that the node has left in truth. */
  readonly left: ReadonlySet<string>;
  /** The pool that would keep too few without the node, if any. */
  readonly short: string | undefined;
  readonly signal: AbortSignal;
}

export const LIMIT_SECONDS = 70;
const MARGIN_SECONDS = 10;

/** One guarded drain in a region in which one call fails in one way. */
export async function runGuardCell({ call, fault, moment }: GuardCell): Promise<GuardResult> {
  const short = moment === "first" || moment === "every" ? undefined : poolThatTells(call);
  const { region, node } = guardedRegion(short);
  const left = new Set<string>();
  region.world.watch((change) => {
    if (change.type === "target-deregistered") left.add(change.group.name);
    if (change.type === "classic-deregistered") left.add(change.loadBalancer.name);
  });
  const breaking = new Breaking(region, call, fault);
  breaking.begin(moment.endsWith("first") ? "first" : "every");
  const { drainer } = region.wholeEngine({ ...OPTIONS, MIN_HEALTHY: "1" });
  const { signal } = newAbort();
  const startedAt = region.clock.now();
  const patience =
    moment === "no choice, every"
      ? { deadline: startedAt + (LIMIT_SECONDS + MARGIN_SECONDS) * 1_000 }
      : { timeoutMs: LIMIT_SECONDS * 1_000, isVoluntary: true };
  const request = { node: { by: "id", value: node.id }, dryRun: false, ...patience } as const;
  const outcome = await region.clock.run(drainer.drain(request, signal));
  return {
    region,
    node,
    outcome,
    tookMs: region.clock.now() - startedAt,
    struck: breaking.struck,
    left,
    short,
    signal,
  };
}

/** A wrong belief about the call's answer would let the node go there. */
function poolThatTells(name: CallName): string {
  const { api }: MatrixCall = CALLS[name];
  if (api === "classic") return "legacy";
  return name === "elbv2 DescribeTargetHealth" ? "web" : "tcp";
}

/** A node and another one, in a pool of each kind: but in the one that is `short` the other one can't stand in. */
function guardedRegion(short: string | undefined) {
  const region = new SimulatedRegion(TIMING);
  region.requestTimeoutMs = REQUEST_TIMEOUT_MS;
  const node = region.node();
  const [other, elsewhere] = [region.node(), region.node({ zone: "eu-west-1b" })];
  const standingIn = (name: string) => (short === name ? [node] : [node, other]);
  region.group({ name: "web", nodes: standingIn("web"), delaySeconds: 20 });
  // Its zones stand each for itself: a machine in another one is of no use to this one's clients.
  const zonal = short === "tcp" ? [node, elsewhere] : [node, other];
  region.group({ name: "tcp", type: "network", nodes: zonal, delaySeconds: 20 });
  region.classic({ name: "legacy", nodes: standingIn("legacy"), drainingSeconds: 15 });
  return { region, node };
}
