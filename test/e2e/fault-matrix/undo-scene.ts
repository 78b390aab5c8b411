import { newAbort } from "../../../src/drain/abort.ts";
import { DrainError } from "../../../src/drain/errors.ts";
import type { DrainEvent } from "../../../src/drain/events.ts";
import type { UndoOutcome } from "../../../src/drain/undo.ts";
import { MemoryLedger } from "../../../src/ledger/memory-ledger.ts";
import type { Instance } from "../../../src/simulator/world/instance.ts";
import { SimulatedRegion } from "../../support/simulated-region.ts";
import { Breaking } from "./breaking.ts";
import { CALLS } from "./calls.ts";
import { type Cell, OPTIONS, REQUEST_TIMEOUT_MS, TIMING } from "./scene.ts";

/** `registering`: every call from the first registration on. */
export const UNDO_MOMENTS = ["first", "every", "registering"] as const;
export type UndoCell = Cell<(typeof UNDO_MOMENTS)[number]>;

/** What came of it. */
export interface UndoResult {
  readonly region: SimulatedRegion;
  readonly node: Instance;
  readonly outcome: UndoOutcome;
  readonly events: readonly DrainEvent[];
  readonly tookMs: number;
  /** How many calls the fault has struck. */
  readonly struck: number;
  readonly signal: AbortSignal;
}

const DELAY_SECONDS = 20;

/**
 * One drain that has come to its end is undone by another process, which knows no pool: an address behind an ALB, an
 * instance behind an NLB, and one behind a classic load balancer. One call of the undo fails in one way.
 */
export async function runUndoCell({ call, fault, moment }: UndoCell): Promise<UndoResult> {
  const region = new SimulatedRegion(TIMING);
  region.requestTimeoutMs = REQUEST_TIMEOUT_MS;
  const node = region.node();
  const tags = { "kubernetes.io/cluster/demo": "owned" };
  region.group({ name: "web", targetType: "ip", nodes: [node], delaySeconds: DELAY_SECONDS, tags });
  region.group({ name: "tcp", type: "network", nodes: [node], delaySeconds: DELAY_SECONDS, tags });
  region.classic({ name: "legacy", nodes: [node], tags });

  const ledger = new MemoryLedger();
  const { signal } = newAbort();
  const discovery = CALLS[call].action.endsWith("DescribeTags") ? "tag" : "vpc";
  const options = { ...OPTIONS, UNDO: "true", DISCOVERY: discovery };
  const first = region.wholeEngine(options, [], () => {}, ledger).drainer;
  await region.clock.run(first.drain({ node: { by: "id", value: node.id }, dryRun: false }, signal));

  const events: DrainEvent[] = [];
  const breaking = new Breaking(region, call, fault);
  const { drainer } = region.wholeEngine(options, events, () => {}, ledger);
  if (moment === "registering") {
    region.intercept = (call) => {
      if (!call.action.startsWith("Register")) return undefined;
      region.intercept = () => undefined;
      breaking.begin("every");
      return region.intercept(call);
    };
  } else breaking.begin(moment);
  const startedAt = region.clock.now();
  const { drain = "" } = ledger.list(1)[0] ?? {};
  if (drain === "") throw new DrainError("drain-not-found", "no drain was kept");
  const outcome = await region.clock.run(drainer.cancel(drain, undefined, signal));
  const tookMs = region.clock.now() - startedAt;
  return { region, node, outcome, events, tookMs, struck: breaking.struck, signal };
}
