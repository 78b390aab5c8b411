import type { ApiCall } from "../api/answer.ts";
import { type Fault, type FaultEffect, faultFor, isAbout } from "./fault.ts";

/** The faults of a region, which may be added and removed while it runs. */
export class Faults {
  #faults: readonly Fault[] = [];
  readonly #counts = new Map<Fault, number>();

  /** Adds a fault, which counts calls from now on. The returned function removes it. */
  add(fault: Fault): () => void {
    const added = { ...fault };
    this.#faults = [...this.#faults, added];
    return () => {
      this.#faults = this.#faults.filter((other) => other !== added);
      this.#counts.delete(added);
    };
  }

  clear(): void {
    this.#faults = [];
    this.#counts.clear();
  }

  /**
   * The fault that keeps this call from arriving, if there is one. Called first, because a call that never arrives uses
   * no quota.
   */
  strikeOnTheWay(call: ApiCall): FaultEffect | undefined {
    return this.#strike(call, ({ effect }) => effect.type === "refused");
  }

  /** The fault that affects this call after its arrival, if there is one. */
  strike(call: ApiCall): FaultEffect | undefined {
    return this.#strike(call, ({ effect }) => effect.type !== "refused");
  }

  /** Afterwards, every fault that matches the call has counted it. */
  #strike(call: ApiCall, isMeant: (fault: Fault) => boolean): FaultEffect | undefined {
    const faults = this.#faults.filter(isMeant);
    const fault = faultFor(faults, call, this.#counts);
    for (const each of faults) {
      if (isAbout(each, call)) this.#counts.set(each, (this.#counts.get(each) ?? 0) + 1);
    }
    return fault?.effect;
  }
}
