import type { Delivery } from "../../src/drain/event-source.ts";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import type { DrainRequest } from "../../src/drain/request.ts";

/** Somebody who has asked, and what was answered. Moments are milliseconds since the epoch. */
export interface Asked {
  readonly request: DrainRequest;
  readonly node: string;
  readonly askedAt: number;
  /** Which process was asked. */
  readonly life: number;
  /** The process has died before it answered: nobody waits any more. */
  isLost: boolean;
  readonly accepted: number[];
  readonly settled: { readonly at: number; readonly outcome: DrainOutcome }[];
}

/** Every request of a case. */
export class Deliveries {
  readonly all: Asked[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  add(
    request: DrainRequest,
    about: Pick<Asked, "node" | "life">,
  ): { readonly asked: Asked; readonly delivery: Delivery } {
    const asked: Asked = { request, ...about, askedAt: this.#now(), isLost: false, accepted: [], settled: [] };
    this.all.push(asked);
    const delivery: Delivery = {
      request,
      accepted: () => void asked.accepted.push(this.#now()),
      unrecorded: () => void asked.accepted.push(this.#now()),
      settle: async (outcome) => void asked.settled.push({ at: this.#now(), outcome }),
    };
    return { asked, delivery };
  }

  died(life: number): void {
    for (const asked of this.all) if (asked.life === life && asked.settled.length === 0) asked.isLost = true;
  }
}
