import type { QueueFault, WireQueue } from "../../support/wire-queue.ts";
import { type CallName, wireNameOf } from "./calls.ts";
import { effectOf, type FaultName, PROXY_PAGE } from "./faults.ts";

/** Makes one call to a queue fail, and counts how often it did. */
export class QueueBreaking {
  struck = 0;
  readonly #wire: WireQueue;
  readonly #name: CallName;
  readonly #fault: FaultName;

  constructor(wire: WireQueue, name: CallName, fault: FaultName) {
    this.#wire = wire;
    this.#name = name;
    this.#fault = fault;
  }

  begin(which: "first" | "every"): void {
    const fault = this.#queueFault();
    this.#wire.fault = (name) => {
      if (name !== wireNameOf(this.#name) || (which === "first" && this.struck > 0)) return undefined;
      this.struck += 1;
      return fault;
    };
  }

  end(): void {
    this.#wire.fault = () => undefined;
  }

  #queueFault(): QueueFault {
    if (this.#fault === "proxy page") return { type: "page", body: PROXY_PAGE };
    const effect = effectOf(this.#fault, this.#name);
    if (effect === undefined || effect.type === "stale") throw new Error(`no queue has the fault ${this.#fault}`);
    return effect.type === "error" ? { type: "error", code: effect.code, status: effect.status ?? 400 } : effect;
  }
}
