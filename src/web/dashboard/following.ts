import { createParser } from "eventsource-parser";
import { type Api, Refused } from "./api.ts";
import { now, pause } from "./clock.ts";
import { changedBy, type OverviewState, startedWith } from "./overview-state.ts";

/** The service sends something every five seconds. */
const SILENT_MS = 20_000;
const LOOK_MS = 5_000;
/** A page that becomes visible again does not wait for the rest of that time. */
const STALE_MS = 10_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 10_000;

export type Connection =
  | { readonly is: "connecting" }
  | { readonly is: "live" }
  /** The page shows the state at `since`, by the browser's clock. */
  | { readonly is: "lost"; readonly since: number; readonly why: string };

export interface FollowOptions {
  readonly api: Pick<Api, "events">;
  readonly onState: (state: OverviewState) => void;
  readonly onConnection: (connection: Connection) => void;
}

/**
 * Shows the current state until `signal` aborts. It reconnects after each interruption, also after the machine was
 * asleep, and begins with everything then. Resolves with the reason why the credential is not accepted.
 */
export async function follow(
  { api, onState, onConnection }: FollowOptions,
  signal: AbortSignal,
): Promise<Refused | undefined> {
  let retryMs = RETRY_FIRST_MS;
  let lostSince: number | undefined;
  while (!signal.aborted) {
    const attempt = new Attempt(signal);
    let why = "the service has ended the connection";
    try {
      const body = await api.events(attempt.signal);
      let state: OverviewState | undefined;
      await readEvents(body, attempt, ({ event, data }) => {
        if (event === "overview") state = startedWith(JSON.parse(data), now());
        if (event === "changes" && state !== undefined) state = changedBy(state, JSON.parse(data), now());
        if (state === undefined) return;
        onState(state);
        if (event === "overview") onConnection({ is: "live" });
        [retryMs, lostSince] = [RETRY_FIRST_MS, undefined];
      });
    } catch (error) {
      if (error instanceof Refused && error.isSignIn) return error;
      why = attempt.isSilent ? "nothing was heard from the service" : messageOf(error);
    } finally {
      attempt.end();
    }
    if (signal.aborted) return undefined;
    lostSince ??= now();
    onConnection({ is: "lost", since: lostSince, why });
    await pause(retryMs, signal);
    retryMs = Math.min(RETRY_MAX_MS, retryMs * 2);
  }
  return undefined;
}

function messageOf(error: unknown): string {
  if (error instanceof Refused) return error.message;
  return "the service cannot be reached";
}

interface StreamEvent {
  readonly event?: string | undefined;
  readonly data: string;
}

async function readEvents(
  body: ReadableStream<Uint8Array>,
  attempt: Attempt,
  onEvent: (event: StreamEvent) => void,
): Promise<void> {
  const parser = createParser({ onEvent });
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    attempt.heard();
    parser.feed(decoder.decode(value, { stream: true }));
  }
}

/** One connection, which is given up when nothing arrives on it any more. */
class Attempt {
  readonly #over = new AbortController();
  readonly #page: AbortSignal;
  #heardAt = now();
  isSilent = false;

  constructor(page: AbortSignal) {
    this.#page = page;
    page.addEventListener("abort", this.#leave);
    document.addEventListener("visibilitychange", this.#onSeen);
    void this.#watch();
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  heard(): void {
    this.#heardAt = now();
  }

  end(): void {
    this.#over.abort();
    this.#page.removeEventListener("abort", this.#leave);
    document.removeEventListener("visibilitychange", this.#onSeen);
  }

  readonly #leave = () => this.#over.abort();

  readonly #onSeen = () => {
    if (document.visibilityState === "visible") this.#endIfSilent(STALE_MS);
  };

  async #watch(): Promise<void> {
    while (!this.signal.aborted) {
      await pause(LOOK_MS, this.signal);
      this.#endIfSilent(SILENT_MS);
    }
  }

  #endIfSilent(forMs: number): void {
    if (this.signal.aborted || now() - this.#heardAt <= forMs) return;
    this.isSilent = true;
    this.#over.abort();
  }
}
