import type { Clock } from "../drain/clock.ts";
import type { CloudCall } from "../drain/events.ts";
import { checkTerm, type Leadership } from "../drain/leadership.ts";
import { backOffMs } from "../drain/limit.ts";
import { type AwsAction, answered } from "./aws-caller.ts";
import { attemptsMax, codeOf, isThrottled, toDrainError, UnusableAnswer } from "./errors.ts";

const BACK_OFF = { firstMs: 100, maxMs: 5_000 };
/** Fewer than a client has sockets, so that no call waits for one while its time runs. */
const CALLS_AT_ONCE_MAX = 20;

export interface UnmeteredCallerOptions {
  readonly clock: Clock;
  /** Asked before every attempt. Absent: no other process acts on the same nodes. */
  readonly leadership?: Pick<Leadership, "check"> | undefined;
  /** Hears of every attempt. */
  readonly onCall?: (call: Omit<CloudCall, "purpose">) => void;
}

interface Attempt {
  readonly action: Omit<AwsAction, "bucket">;
  /** From 1. */
  readonly number: number;
  /** Milliseconds since the epoch. */
  readonly wantedAt: number;
}

/**
 * The way to those calls whose request quota AWS does not publish (Auto Scaling), or that have none (SQS): sent at once,
 * a few side by side, and repeated here alone, for a quarter of a minute.
 */
export class UnmeteredCaller {
  readonly #options: UnmeteredCallerOptions;
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;

  constructor(options: UnmeteredCallerOptions) {
    this.#options = options;
  }

  /** Throws `DrainError`, or `signal`'s reason. */
  async call<T>(action: Omit<AwsAction, "bucket">, attempt: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const { clock } = this.#options;
    for (let failures = 1; ; failures += 1) {
      signal.throwIfAborted();
      const wantedAt = clock.now();
      try {
        await this.#turn(signal);
        return await this.#inTurn(() => {
          checkTerm(this.#options.leadership, signal);
          return this.#attempt({ action, number: failures, wantedAt }, attempt);
        });
      } catch (error) {
        signal.throwIfAborted();
        if (failures >= attemptsMax(error)) throw toDrainError(error, action.name);
        await clock.sleep(backOffMs(failures, BACK_OFF), signal);
      }
    }
  }

  async #attempt<T>({ action, number, wantedAt }: Attempt, attempt: () => Promise<T>): Promise<T> {
    const { clock } = this.#options;
    const told = { action: action.name, attempt: number, wantedAt, sentAt: clock.now() };
    try {
      const answer = await attempt();
      if (
        action.answersWith !== undefined &&
        (answer as Readonly<Record<string, unknown>>)[action.answersWith] === undefined
      )
        throw new UnusableAnswer(`it has no ${action.answersWith}`);
      this.#report({ ...told, ...answered(answer, clock), result: "ok", throttled: false });
      return answer;
    } catch (error) {
      const result = codeOf(error) || "unknown";
      this.#report({ ...told, ...answered(error, clock), result, throttled: isThrottled(error) });
      throw error;
    }
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#underWay -= 1;
      else next();
    }
  }

  /** Resolves when this call may be made; a finished call hands its turn on. */
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

  #report(call: Omit<CloudCall, "purpose">): void {
    try {
      this.#options.onCall?.(call);
    } catch {
      // An observer must not stop a call.
    }
  }
}
