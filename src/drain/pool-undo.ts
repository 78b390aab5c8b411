import type { Clock } from "./clock.ts";
import type { CallFor, CloudProvider, Node, Pool, Registration, RegistrationState } from "./cloud-provider.ts";
import { asDrainError, DrainError } from "./errors.ts";
import { READ_BACK_MS, REPEAT_MS, STALE_READ_MAX_MS } from "./hold.ts";
import type { UndoneResult } from "./outcome.ts";
import type { Undoable } from "./undoable.ts";

/** A target that is not seen as registered again within this time never will be. */
const SEEN_WITHIN_MS = 300_000;
/** While a pool locks an address, only the end of its delay is of interest. */
const DELAYED_READ_MS = 10_000;
/** If the cloud has acknowledged the call this many times without an effect, it is not repeated. */
const REGISTERED_MAX = 5;

export interface PoolUndoOptions {
  /** The drain that is being undone. */
  readonly drainId: string;
  readonly cloud: CloudProvider;
  readonly clock: Clock;
  /** The node as it is now. */
  readonly node: Node;
  /** From when on the drain deregisters nothing more, in milliseconds since the epoch. */
  readonly stoppedAt: number;
  readonly onEnded: (result: UndoneResult) => void;
}

/** One registration that is being registered again. Times are milliseconds since the epoch. */
interface Return extends Undoable {
  /** It is known to be deregistered, and may be registered again. */
  isOut: boolean;
  /** See `PoolTerms.locksAddresses`. */
  readonly isDelayed: boolean;
  /** It is not read before this moment. */
  readFrom: number;
  readonly giveUpAt: number;
  /** When the last registration was acknowledged. */
  registeredAt?: number;
  registeredTimes: number;
  /** A read has seen it draining or absent, so that a live state after that is not an old read. */
  seenOut: boolean;
  error?: DrainError;
}

/**
 * Registers again what a drain has deregistered from one pool, until each target was seen there, or it is known that it
 * can't be registered.
 */
export class PoolUndo {
  readonly #pool: Pool;
  readonly #options: PoolUndoOptions;
  readonly #open = new Map<string, Return>();

  constructor(pool: Pool, options: PoolUndoOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  /** Resolves when `onEnded` was called for each. Rejects only with `signal`'s reason. */
  async run(undoables: readonly Undoable[], signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    try {
      for (const one of await this.#begin(undoables, signal)) this.#open.set(one.registration.target, one);
      while (this.#open.size > 0) {
        while (await this.#registerAgain(signal)) if (this.#open.size === 0) return;
        if (this.#open.size === 0) return;
        const next = Math.min(...[...this.#open.values()].map(({ readFrom }) => readFrom));
        await clock.sleep(Math.max(0, next - clock.now()), signal);
        await this.#read(signal);
        this.#giveUp();
      }
    } catch (error) {
      signal.throwIfAborted();
      const why = asDrainError(error);
      for (const { registration } of this.#open.size > 0 ? this.#open.values() : undoables)
        this.#end(registration, "failed", why);
    }
  }

  async #begin(undoables: readonly Undoable[], signal: AbortSignal): Promise<readonly Return[]> {
    const { clock, cloud, node, stoppedAt } = this.#options;
    const { locksAddresses } = cloud.termsAfterDelay(this.#pool);
    const isDelayed = ({ registration }: Undoable) =>
      locksAddresses === true && !registration.target.startsWith(node.id);
    const terms = undoables.some(isDelayed) ? await cloud.describe(this.#pool, this.#callFor(signal)) : undefined;
    const now = clock.now();
    return undoables.map((one) => {
      const delayMs = isDelayed(one) ? (terms?.drainMs ?? 0) : 0;
      const isOurs = one.deregisteredBy === "drain";
      const freeAt = one.since === undefined ? now : one.since + delayMs;
      return {
        ...one,
        isOut: isOurs && !isDelayed(one),
        isDelayed: isDelayed(one),
        // A registration of unknown state is read when no old read can show its earlier state any more.
        readFrom: Math.max(now, isOurs ? freeAt : stoppedAt + STALE_READ_MAX_MS),
        giveUpAt: now + delayMs + SEEN_WITHIN_MS,
        registeredTimes: 0,
        seenOut: false,
      };
    });
  }

  /** Registers those that are known to be deregistered, as many as one call takes. Returns whether there are more. */
  async #registerAgain(signal: AbortSignal): Promise<boolean> {
    const { cloud, clock, node } = this.#options;
    const waiting = [...this.#open.values()].filter(({ isOut, registeredAt }) => isOut && registeredAt === undefined);
    if (waiting.length === 0) return false;
    const batch: Return[] = [];
    const refused = new Map<string, DrainError | undefined>();
    try {
      const by = this.#callFor(signal);
      const registrations = waiting.map(({ registration }) => registration);
      const obstacles = await cloud.obstacles(node, registrations, by);
      for (const [registration, why] of obstacles)
        this.#end(registration, "failed", new DrainError("not-registered", why));
      const remaining = waiting.filter(({ registration }) => !obstacles.has(registration));
      if (remaining.length === 0) return false;
      const take = (max: number) => {
        const more = remaining.splice(0, max);
        batch.push(...more);
        return more.map(({ registration }) => registration);
      };
      const refuses = (targets: readonly string[], why?: DrainError) => {
        for (const target of targets) refused.set(target, why);
      };
      await cloud.register(this.#pool, take, { ...by, refuses });
      const now = clock.now();
      for (const one of batch) {
        const { registration } = one;
        const why = refused.get(registration.target);
        if (why !== undefined) this.#end(registration, "failed", why);
        Object.assign(one, { registeredAt: now, readFrom: now + READ_BACK_MS });
        one.registeredTimes += 1;
      }
      return remaining.length > 0 && batch.length > 0;
    } catch (error) {
      signal.throwIfAborted();
      this.#failed(batch.length > 0 ? batch : waiting, error);
      return false;
    }
  }

  /** A temporary failure is retried in the next round. */
  #failed(returns: readonly Return[], error: unknown): void {
    const why = asDrainError(error);
    for (const one of returns) {
      if (!why.isPassing) this.#end(one.registration, "failed", why);
      one.error = why;
      one.readFrom = this.#options.clock.now() + REPEAT_MS;
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const { cloud, clock } = this.#options;
    const due = [...this.#open.values()].filter(({ readFrom }) => readFrom <= clock.now());
    if (due.length === 0) return;
    try {
      const which = () => due.map(({ registration }) => registration);
      const { at, states } = await cloud.observe(this.#pool, which, this.#callFor(signal));
      for (const one of due) this.#judge(one, { state: states.get(one.registration.target) ?? "absent", at });
    } catch (error) {
      signal.throwIfAborted();
      this.#failed(due, error);
    }
  }

  #judge(one: Return, { state, at }: { readonly state: RegistrationState; readonly at: number }): void {
    const { registration, isDelayed, registeredAt } = one;
    const isIn = state === "live" || state === "initial";
    // A read says nothing about the failure that prevents its registration.
    if (registeredAt !== undefined || !one.isOut) delete one.error;
    one.readFrom = this.#options.clock.now() + (isDelayed && !one.isOut ? DELAYED_READ_MS : REPEAT_MS);
    if (!isIn) one.seenOut = true;
    if (registeredAt === undefined) {
      // Its address is locked while it is draining.
      if (!isIn) one.isOut = state === "absent" || !isDelayed;
      else if (one.deregisteredBy === "perhaps" && !one.seenOut) this.#end(registration, "untouched");
      else if (this.#isProof(one, state, at)) this.#end(registration, "registered");
    } else if (at < registeredAt) {
      // The read was sent before the call was acknowledged.
    } else if (isIn) {
      if (this.#isProof(one, state, at)) this.#end(registration, "registered");
    } else if (at - registeredAt >= STALE_READ_MAX_MS) this.#registerOnceMore(one);
  }

  /** A target that was live until a moment ago may still be listed as live although it is deregistered. */
  #isProof({ seenOut, since }: Return, state: RegistrationState, at: number): boolean {
    return state === "initial" || seenOut || at - (since ?? this.#options.stoppedAt) >= STALE_READ_MAX_MS;
  }

  /** The call was acknowledged and did nothing, or another program has deregistered the target since. */
  #registerOnceMore(one: Return): void {
    delete one.registeredAt;
    if (one.registeredTimes < REGISTERED_MAX) return;
    const why = `registered again ${REGISTERED_MAX} times, and each time it was missing afterwards`;
    this.#end(one.registration, "failed", new DrainError("not-registered", why));
  }

  #giveUp(): void {
    const now = this.#options.clock.now();
    for (const { registration, giveUpAt, error } of [...this.#open.values()]) {
      if (now < giveUpAt) continue;
      const unseen = `its pool did not list it within ${SEEN_WITHIN_MS / 1_000} s`;
      this.#end(registration, "failed", error ?? new DrainError("not-registered", unseen));
    }
  }

  #end(registration: Registration, state: UndoneResult["state"], error?: DrainError): void {
    if (!this.#open.delete(registration.target) && error === undefined) return;
    this.#options.onEnded({ registration, state, ...(error && { error }) });
  }

  #callFor(signal: AbortSignal): CallFor {
    const urgency = () => ({ purpose: "register", deadline: Number.POSITIVE_INFINITY }) as const;
    return { urgency, signal, drains: () => [this.#options.drainId] };
  }
}
