import { DrainError, type DrainErrorCode } from "../../src/drain/errors.ts";
import type { Method } from "./call-log.ts";
import type { World, WorldNode, WorldPool } from "./world.ts";

/**
 * - `throttled`, `unavailable`, `denied`: the call fails and does nothing.
 * - `lost`: it does what it is to do, and its answer does not arrive.
 * - `hanging`: nothing happens for half a minute; then the call is given up.
 */
export const CALL_FAULTS = ["throttled", "unavailable", "denied", "lost", "hanging"] as const;

export type FaultSpec =
  | {
      readonly type: "calls";
      readonly fault: (typeof CALL_FAULTS)[number];
      readonly method: Method | "any";
      readonly forMs: number;
    }
  /** Reads show what was so long ago. */
  | { readonly type: "stale"; readonly byMs: number; readonly forMs: number }
  /** Deregistrations are accepted and do nothing. */
  | { readonly type: "ignored"; readonly pool: number; readonly forMs: number }
  /** Deregistrations of the node are refused: the cloud does not know it. */
  | { readonly type: "refused"; readonly node: number; readonly forMs: number };

const CODES: Readonly<Record<(typeof CALL_FAULTS)[number], DrainErrorCode>> = {
  throttled: "throttled",
  unavailable: "unavailable",
  denied: "access-denied",
  lost: "unreachable",
  hanging: "unreachable",
};

/** What is wrong with the cloud, each for a while. */
export class Faults {
  readonly #world: World;
  readonly #active: { readonly spec: FaultSpec; readonly until: number }[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  add(spec: FaultSpec, now: number): void {
    this.#active.push({ spec, until: now + spec.forMs });
  }

  /** From now on nothing is wrong. */
  mend(): void {
    this.#active.length = 0;
  }

  of(
    method: Method,
    now: number,
  ): { readonly fault: (typeof CALL_FAULTS)[number]; readonly error: DrainError } | undefined {
    for (const spec of this.#at(now))
      if (spec.type === "calls" && (spec.method === "any" || spec.method === method))
        return { fault: spec.fault, error: new DrainError(CODES[spec.fault], `${method} is ${spec.fault}`) };
    return undefined;
  }

  staleMs(now: number): number {
    return Math.max(0, ...this.#at(now).map((spec) => (spec.type === "stale" ? spec.byMs : 0)));
  }

  isIgnored(pool: WorldPool, now: number): boolean {
    return this.#at(now).some((spec) => spec.type === "ignored" && this.#world.pool(spec.pool) === pool);
  }

  isRefused(node: WorldNode | undefined, now: number): boolean {
    return this.#at(now).some((spec) => spec.type === "refused" && this.#world.node(spec.node) === node);
  }

  #at(now: number): readonly FaultSpec[] {
    return this.#active.filter(({ until }) => now < until).map(({ spec }) => spec);
  }
}
