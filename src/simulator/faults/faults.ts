import type { ApiCall } from "../api/answer.ts";
import { type Fault, type FaultEffect, faultFor, isAbout } from "./fault.ts";

/** The faults of a region, which come and go while it runs. */
export class Faults {
  #faults: readonly Fault[] = [];
  readonly #counts = new Map<Fault, number>();

  /** Counts calls from now on. Returns what takes the fault away again. */
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

  /** What is to go wrong with this call, if anything. Every fault that is about it has counted it then. */
  strike(call: ApiCall): FaultEffect | undefined {
    const fault = faultFor(this.#faults, call, this.#counts);
    for (const each of this.#faults) {
      if (isAbout(each, call)) this.#counts.set(each, (this.#counts.get(each) ?? 0) + 1);
    }
    return fault?.effect;
  }
}
