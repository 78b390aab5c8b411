import { Drainer, type DrainerOptions } from "../../src/drain/drainer.ts";
import type { DrainEvent, DrainObserver } from "../../src/drain/events.ts";
import type { EvictionOptions } from "../../src/drain/eviction.ts";
import type { GuardOptions } from "../../src/drain/guard.ts";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import type { DrainTimes } from "../../src/drain/plan.ts";
import type { DrainRequest } from "../../src/drain/request.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { FakeCloud } from "./fake-cloud.ts";
import { never } from "./simulated-region.ts";

/** A drainer over a cloud in memory, on virtual time. */
export class DrainScene {
  readonly clock = new VirtualClock();
  readonly cloud = new FakeCloud(this.clock);
  readonly events: DrainEvent[] = [];
  readonly drainer: Drainer;

  /** `guard` absent: none, so that a pool may be left empty. */
  constructor(
    times: Partial<DrainTimes> = {},
    guard?: GuardOptions,
    more: Partial<DrainerOptions> = {},
    observers: readonly DrainObserver[] = [],
  ) {
    this.drainer = new Drainer({
      ...more,
      cloud: this.cloud,
      clock: this.clock,
      times: { deadlineMarginMs: 10_000, ...times },
      ...(guard && { guard }),
      observers: [(event) => this.events.push(event), ...observers],
    });
  }

  request(
    id: string,
    options: {
      readonly deadlineSeconds?: number;
      readonly timeoutSeconds?: number;
      readonly reason?: string;
      readonly dryRun?: boolean;
      readonly isVoluntary?: boolean;
      readonly force?: boolean;
      readonly evict?: EvictionOptions;
    } = {},
  ): DrainRequest {
    const { deadlineSeconds, timeoutSeconds, reason, evict } = options;
    const { dryRun = false, isVoluntary = false, force = false } = options;
    return {
      node: { by: "id", value: id },
      dryRun,
      ...(deadlineSeconds === undefined ? {} : { deadline: this.clock.now() + deadlineSeconds * 1_000 }),
      ...(timeoutSeconds === undefined ? {} : { timeoutMs: timeoutSeconds * 1_000 }),
      ...(reason === undefined ? {} : { reason }),
      ...(isVoluntary ? { isVoluntary } : {}),
      ...(force ? { force } : {}),
      ...(evict && { evict }),
    };
  }

  /** Asks without letting time pass. */
  ask(id: string, options: Parameters<DrainScene["request"]>[1] & { readonly signal?: AbortSignal } = {}) {
    return this.drainer.drain(this.request(id, options), options.signal ?? never);
  }

  /** Asks, and lets time pass until the drain ends. */
  drain(id: string, options: Parameters<DrainScene["ask"]>[1] = {}): Promise<DrainOutcome> {
    return this.clock.run(this.ask(id, options));
  }

  get elapsedSeconds(): number {
    return this.clock.elapsedMs / 1_000;
  }

  /** When each call of `method` came, in seconds since the start. */
  secondsOf(
    method: Parameters<FakeCloud["callsOf"]>[0],
    pool?: Parameters<FakeCloud["callsOf"]>[1],
  ): readonly number[] {
    return this.cloud.callsOf(method, pool).map(({ at }) => (at - (this.clock.now() - this.clock.elapsedMs)) / 1_000);
  }
}
