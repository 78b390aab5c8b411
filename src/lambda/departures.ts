import type { Drainer } from "../drain/drainer.ts";
import type { DrainOutcome } from "../drain/outcome.ts";
import type { DrainRequest } from "../drain/request.ts";
import {
  type Announced,
  AnnouncedDrain,
  type AnnouncedDrainOptions,
  scalingAnswer,
} from "../sources/announced-drain.ts";
import {
  type ForeignEvents,
  foreignSettlement,
  isForeign,
  type Settlement,
  settlementOf,
} from "../sources/settlement.ts";
import type { QueueEvent } from "../sources/source-events.ts";
import type { InvocationTime } from "./invocation.ts";

export interface DeparturesOptions extends AnnouncedDrainOptions {
  readonly drainer: Pick<Drainer, "drain">;
  /** The region in which nodes are drained. Absent: events of any region. */
  readonly region?: string;
  readonly foreign: ForeignEvents;
  readonly onEvent: (event: QueueEvent) => void;
  readonly onSettled: (outcome: DrainOutcome, request: DrainRequest) => void;
}

/** The announcement of a message, or of an event that came without a message. */
export interface AnnouncedDeparture extends Announced {
  readonly messageId: string;
  /** The account of the queue. Absent: the event came without one. */
  readonly accountId?: string | undefined;
}

/** The result of an announcement. `outcome` is absent if nothing had to be drained. */
export interface Departed {
  readonly settlement: Settlement;
  readonly outcome?: DrainOutcome;
}

const DONE: Settlement = { message: "delete", hook: "untouched" };

/** Drains the nodes that events announce, within the time of one invocation. */
export class Departures {
  readonly #options: DeparturesOptions;

  constructor(options: DeparturesOptions) {
    this.#options = options;
  }

  /** Throws `DrainError` when the hook could not be completed. */
  async drain(announced: AnnouncedDeparture, { drains, settling }: InvocationTime): Promise<Departed> {
    const { drainer, foreign, region, onEvent, onSettled } = this.#options;
    const { messageId, announcement, accountId } = announced;
    if (isForeign(announcement.region, region)) {
      onEvent({ type: announcement.isCopy ? "copy" : "foreign", messageId, announcement });
      return { settlement: foreignSettlement(foreign, announcement.isCopy) };
    }
    const answer = await scalingAnswer(announced, this.#options, drains);
    if (answer.isBack) {
      const what = `root volume of ${announcement.instanceId}: replaced already`;
      onEvent({ type: "nothing-asked", messageId, what });
      return { settlement: DONE };
    }
    const drain = new AnnouncedDrain(announced, answer, this.#options);
    let outcome: DrainOutcome;
    try {
      outcome = await drainer.drain(drain.request, drains);
      onSettled(outcome, drain.request);
    } finally {
      await drain.ended();
    }
    // The plan is the answer of a dry run, so it is not retried.
    if (outcome.status === "planned") return { outcome, settlement: DONE };
    const isOtherAccount = isForeign(announcement.accountId, accountId);
    const settlement = settlementOf(outcome, { foreign, isOtherAccount });
    const message = await drain.settle(outcome, settlement, { stop: drains, limited: (work) => work(settling) });
    return { outcome, settlement: { ...settlement, message } };
  }
}
