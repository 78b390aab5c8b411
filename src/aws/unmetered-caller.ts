import type { CloudCall } from "../drain/events.ts";
import { type Action, Attempts, type AttemptsOptions } from "./attempts.ts";

/** Fewer than a client has sockets, so that no call waits for one while its time runs. */
const CALLS_AT_ONCE_MAX = 20;
const NOTHING = {};

export type UnmeteredCallerOptions = AttemptsOptions<Omit<CloudCall, "purpose">>;

/**
 * For calls whose request quota AWS does not publish (Auto Scaling), or that have none (SQS). They are sent at once, a
 * few at the same time. A throttled attempt is a failure like others, so each call is given up after a quarter of a
 * minute.
 */
export class UnmeteredCaller {
  readonly #attempts: Attempts<object>;
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;

  constructor(options: UnmeteredCallerOptions) {
    this.#attempts = new Attempts<object>(options);
  }

  /** Throws `DrainError`, or `signal`'s reason. */
  async call<T>(action: Action, attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const turn = async () => {
      signal.throwIfAborted();
      await this.#turn(signal);
      return () => this.#handOn();
    };
    return this.#attempts.untilAnswered({ action, attempt, turn, about: () => NOTHING }, signal);
  }

  /** A finished attempt passes its turn to the next one. */
  #handOn(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#underWay -= 1;
    else next();
  }

  /** Resolves when this attempt may be made. */
  async #turn(signal: AbortSignal): Promise<void> {
    if (this.#underWay < CALLS_AT_ONCE_MAX) {
      this.#underWay += 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const stop = () => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1);
        reject(signal.reason);
      };
      const turn = () => {
        signal.removeEventListener("abort", stop);
        resolve();
      };
      this.#waiting.push(turn);
      signal.addEventListener("abort", stop, { once: true });
    });
  }
}
