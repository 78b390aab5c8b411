import { compareUrgency, type Urgent } from "../../src/drain/urgency.ts";

const LONGEST_WAIT_EVERY = 20;

export interface SimpleAsk {
  readonly name: number;
  readonly by: Urgent;
}

/** The quota's choices by their rule alone: every waiting call is asked for each permit. */
export class SimpleQuota {
  readonly #asks = new Set<SimpleAsk>();
  #granted = 0;

  add(ask: SimpleAsk): void {
    this.#asks.add(ask);
  }

  delete(name: number): void {
    for (const ask of this.#asks) if (ask.name === name) this.#asks.delete(ask);
  }

  /** The call that gets the next permit. Undefined: none waits. */
  next(): number | undefined {
    let next: SimpleAsk | undefined;
    for (const ask of this.#asks) {
      next ??= ask;
      if ((this.#granted + 1) % LONGEST_WAIT_EVERY === 0) break;
      if (compareUrgency(ask.by.urgency(), next.by.urgency()) < 0) next = ask;
    }
    if (next === undefined) return undefined;
    this.#granted += 1;
    this.#asks.delete(next);
    return next.name;
  }
}
