import { amountOf, type GuardOptions, type Refusal, tooManyDrains } from "./guard.ts";

/** A drain, as far as the ceiling goes. Requests that join it may change its mind. */
interface CountedDrain {
  /** Whoever asked for it can be told no. */
  readonly isRefusable: boolean;
}

/** So many voluntary drains at once, and no more: a selector that fits every node must not empty a cluster. */
export class Ceiling {
  readonly #options: GuardOptions;
  readonly #running = new Set<CountedDrain>();

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** Why one more would be too many. `nodes`: all that are registered in the pools of the node that is meant. */
  refusal(nodes: number): Refusal | undefined {
    const { maxVoluntary } = this.#options;
    const allowed = amountOf(maxVoluntary, nodes);
    const running = [...this.#running].filter(({ isRefusable }) => isRefusable).length;
    if (running < allowed || isEverything(maxVoluntary)) return undefined;
    return tooManyDrains({ running, allowed, ...("count" in maxVoluntary ? {} : { nodes }) }, this.#options);
  }

  enter(drain: CountedDrain): void {
    this.#running.add(drain);
  }

  leave(drain: CountedDrain): void {
    this.#running.delete(drain);
  }
}

function isEverything(share: GuardOptions["maxVoluntary"]): boolean {
  return "percent" in share && share.percent >= 100;
}
