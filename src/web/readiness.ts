import type { Clock } from "../drain/clock.ts";
import { type AccessProblem, asDrainError, DrainError } from "../drain/errors.ts";
import { LimitPassed, withLimit } from "../drain/limit.ts";

/** A check makes a call for each action. */
const CHECK_INTERVAL_MS = 60_000;
/** Failed calls are retried for a while, and wait for the request quota. */
const CHECK_TIMEOUT_MS = 45_000;

/** Whether the service could drain a node now, as far as this is known. Times are milliseconds since the epoch. */
export type ReadyState =
  | { readonly status: "checking" }
  /** `leader`: the replica that acts on nodes, if it is another one. */
  | { readonly status: "ready"; readonly checkedAt: number; readonly leader?: string }
  | { readonly status: "not-ready"; readonly checkedAt: number; readonly problems: readonly AccessProblem[] }
  | { readonly status: "stopping" };

/** Since when something has been failing, in milliseconds since the epoch. */
export interface Trouble {
  readonly error: DrainError;
  readonly at: number;
}

/** The state of reading a queue. */
export interface QueueState {
  /** Whether any attempt to read it has ended. */
  readonly isKnown: boolean;
  /** Why the last attempt failed. */
  readonly trouble: Trouble | undefined;
}

/** The state of a service that also reads a queue, if there is one. It is not ready while the queue can't be read. */
export function withQueue(state: ReadyState, queue: QueueState | undefined): ReadyState {
  if (queue === undefined || state.status === "stopping") return state;
  const { trouble, isKnown } = queue;
  if (trouble === undefined) return state.status === "ready" && !isKnown ? { status: "checking" } : state;
  const problems = state.status === "not-ready" ? state.problems : [];
  const unread = { action: "sqs:ReceiveMessage", error: trouble.error };
  return { status: "not-ready", checkedAt: trouble.at, problems: [...problems, unread] };
}

/** The state of a service that has a ledger in a file. It is not ready while another program has removed the file. */
export function withLedger(state: ReadyState, trouble: Trouble | undefined): ReadyState {
  if (trouble === undefined || state.status === "stopping") return state;
  const problems = state.status === "not-ready" ? state.problems : [];
  return { status: "not-ready", checkedAt: trouble.at, problems: [{ error: trouble.error }, ...problems] };
}

export interface ReadinessOptions {
  readonly clock: Clock;
  /** All problems with which drains would not work. */
  readonly check: (signal: AbortSignal) => Promise<readonly AccessProblem[]>;
  /** Called after the first check, and after each one that differs from the one before. */
  readonly onChange: (state: ReadyState) => void;
}

/** Checks in the background whether drains can work, so that a request costs nothing and is answered at once. */
export class Readiness {
  readonly #options: ReadinessOptions;
  #state: ReadyState = { status: "checking" };

  constructor(options: ReadinessOptions) {
    this.#options = options;
  }

  get state(): ReadyState {
    return this.#state;
  }

  /** Checks now, and then a minute after each check. Resolves when `stop` aborts. */
  async run(stop: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const onStop = () => {
      this.#state = { status: "stopping" };
    };
    if (stop.aborted) onStop();
    else stop.addEventListener("abort", onStop, { once: true });
    while (!stop.aborted) {
      const problems = await this.#problems(stop);
      if (!stop.aborted) this.#checked(problems);
      await clock.sleep(CHECK_INTERVAL_MS, stop).catch(() => {}); // Stopped.
    }
  }

  #checked(problems: readonly AccessProblem[]): void {
    const { clock, onChange } = this.#options;
    const before = this.#state;
    const checkedAt = clock.now();
    this.#state = problems.length === 0 ? { status: "ready", checkedAt } : { status: "not-ready", checkedAt, problems };
    if (gist(before) !== gist(this.#state)) onChange(this.#state);
  }

  async #problems(stop: AbortSignal): Promise<readonly AccessProblem[]> {
    const { clock, check } = this.#options;
    const limit = { reason: "timeout", at: clock.now() + CHECK_TIMEOUT_MS } as const;
    try {
      return await withLimit({ clock, limit, signal: stop }, check);
    } catch (error) {
      if (!(error instanceof LimitPassed)) return [{ error: asDrainError(error) }];
      return [{ error: new DrainError("unreachable", `AWS did not answer within ${CHECK_TIMEOUT_MS / 1_000} s`) }];
    }
  }
}

/** The part in which two states differ. The text of an error may change between checks. */
function gist(state: ReadyState): string {
  if (state.status !== "not-ready") return state.status;
  return state.problems.map(({ action, error }) => `${error.code} ${action}`).join();
}
