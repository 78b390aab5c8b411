import { newAbort, WOKEN } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import type { Drainer } from "../drain/drainer.ts";
import type { DrainOutcome } from "../drain/outcome.ts";
import type { DrainRequest } from "../drain/request.ts";
import { undoFailure } from "../drain/undo.ts";
import { undoablesOf } from "../drain/undoable.ts";
import { announcedRequest } from "../sources/announced-request.ts";
import type { Announcement } from "../sources/announcement.ts";
import type { LifecycleHooks } from "../sources/lifecycle-hooks.ts";
import { boundedDeadline } from "../sources/notice.ts";
import type { ReturningMachines } from "../sources/returning.ts";
import {
  type ForeignEvents,
  foreignSettlement,
  isForeign,
  type Settlement,
  settlementOf,
} from "../sources/settlement.ts";
import type { QueueEvent } from "../sources/source-events.ts";
import type { InvocationTime } from "./invocation.ts";

export interface DeparturesOptions {
  readonly drainer: Pick<Drainer, "drain" | "undo">;
  readonly hooks: LifecycleHooks;
  readonly clock: Clock;
  /** The region that is drained in. Absent: events of any. */
  readonly region?: string;
  readonly foreign: ForeignEvents;
  readonly dryRun: boolean;
  readonly onEvent: (event: QueueEvent) => void;
  readonly onSettled: (outcome: DrainOutcome, request: DrainRequest) => void;
  /** What becomes of machines that come back. */
  readonly returning: Pick<ReturningMachines, "settled" | "isOver">;
  /** The time of an invocation has ended before a machine came back. */
  readonly onNotReturned: (instanceId: string) => void;
}

/** When an announcement was made and tried, by this machine's clock, in milliseconds since the epoch. */
export interface Announced {
  /** Of the message, or of the event where it came without one. */
  readonly messageId: string;
  readonly announcement: Announcement;
  readonly since: number;
  /** By this machine's clock; absent where the event does not say. */
  readonly deadline?: number | undefined;
  /** Absent: this is the first time. */
  readonly firstTriedAt?: number | undefined;
  /** Whose the queue is. Absent: it came without one. */
  readonly accountId?: string | undefined;
}

/** What became of an announcement. `outcome` is absent where it was none of ours. */
export interface Departed {
  readonly settlement: Settlement;
  readonly outcome?: DrainOutcome;
}

/** Drains the nodes that events announce, with heartbeats for their hooks meanwhile, which are completed afterwards. */
export class Departures {
  readonly #options: DeparturesOptions;

  constructor(options: DeparturesOptions) {
    this.#options = options;
  }

  /** Throws `DrainError` when the hook could not be completed. */
  async drain(announced: Announced, { drains, settling }: InvocationTime): Promise<Departed> {
    const { drainer, hooks, foreign, dryRun, region, onEvent, onSettled } = this.#options;
    const { messageId, announcement, since, deadline, accountId } = announced;
    const { instanceId, lifecycleAction: action } = announcement;
    if (isForeign(announcement.region, region)) {
      onEvent({ type: announcement.isCopy ? "copy" : "foreign", messageId, announcement });
      return { settlement: foreignSettlement(foreign, announcement.isCopy) };
    }
    if (announcement.returns && !dryRun && (await this.#isBack(announced, drains))) {
      onEvent({ type: "nothing-asked", messageId, what: `root volume of ${instanceId}: replaced already` });
      return { settlement: { message: "delete", hook: "untouched" } };
    }
    onEvent({ type: "announced", messageId, announcement, ...(deadline === undefined ? {} : { deadline }) });
    const alive = newAbort();
    const hasHook = action !== undefined && !dryRun;
    const heartbeats = hasHook ? hooks.sendHeartbeats({ action, instanceId }, since, alive.signal) : undefined;
    let outcome: DrainOutcome;
    try {
      const request = await this.#request(announced, drains);
      outcome = await drainer.drain(request, drains);
      onSettled(outcome, request);
    } finally {
      alive.abort(WOKEN);
      await heartbeats;
    }
    // The plan is the answer of a dry run: it need not come back.
    if (outcome.status === "planned") return { outcome, settlement: { message: "delete", hook: "untouched" } };
    const isOtherAccount = isForeign(announcement.accountId, accountId);
    const settlement = settlementOf(outcome, { foreign, isOtherAccount });
    if (hasHook && settlement.hook === "continue") await hooks.complete({ action, instanceId }, settling);
    if (announcement.returns && settlement.message === "delete") await this.#untilReturned(instanceId, outcome, drains);
    return { outcome, settlement };
  }

  /** The next invocation would know of nothing to register again: what this one has no time for is left as it is. */
  async #untilReturned(instanceId: string, outcome: DrainOutcome, drains: AbortSignal): Promise<void> {
    const { drainer, clock, returning, onNotReturned } = this.#options;
    if (!("drainId" in outcome) || outcome.drainId === undefined || outcome.node === undefined) return;
    const { drainId, node } = outcome;
    const results = "registrations" in outcome ? outcome.registrations : [];
    const undoables = undoablesOf(results, [], clock.now()).filter(({ deregisteredBy }) => deregisteredBy === "drain");
    if (undoables.length === 0) return;
    const undo = async (signal: AbortSignal) => {
      const failure = undoFailure(await drainer.undo({ drainId, node, undoables }, signal));
      if (failure !== undefined) throw failure;
      return 1;
    };
    try {
      await returning.settled(instanceId, undo, drains);
    } catch {
      onNotReturned(instanceId);
    }
  }

  async #isBack({ announcement, since }: Announced, signal: AbortSignal): Promise<boolean> {
    return this.#options.returning.isOver(announcement.instanceId, since, signal).catch(() => false); // Out of time.
  }

  async #request(
    { announcement, since, deadline, firstTriedAt }: Announced,
    signal: AbortSignal,
  ): Promise<DrainRequest> {
    const { hooks, clock, dryRun } = this.#options;
    const { lifecycleAction: action } = announcement;
    // What was asked too late changes nothing: the drain has no time either.
    const hookDeadline = action && (await hooks.deadlineOf(action, since, signal).catch(() => undefined));
    const bounded = boundedDeadline([deadline, hookDeadline], clock.now());
    return announcedRequest(announcement, { deadline: bounded, dryRun, firstTriedAt, saidAt: since });
  }
}
