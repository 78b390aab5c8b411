import type { Clock } from "../drain/clock.ts";
import type { NodeReport, OutcomeReport, RunningReport } from "../drain/report.ts";
import { RemoteError } from "./failure.ts";
import { NOT_OURS, refusalOf } from "./remote-answer.ts";
import type { RemoteService } from "./remote-service.ts";
import type { SentStep } from "./step-progress.ts";

/** The pauses between attempts to reach a service. The last one is repeated. */
const RETRY_AFTER_MS: readonly number[] = [500, 1_000, 2_000, 5_000];
/** A service that can't be reached for this long is given up. Its drain continues, or its next start resumes it. */
const GIVEN_UP_AFTER_MS = 600_000;

export interface FollowOptions {
  readonly service: Pick<RemoteService, "ask" | "events">;
  readonly drainId: string;
  readonly clock: Clock;
  /** Called once when the steps stop coming, with the reason, and when they come again. */
  readonly onConnection: (state: { readonly lost: string } | "back") => void;
}

/**
 * The steps of a drain of a service, each once, to its end. They come from the event stream, which is continued after
 * the last step whenever it breaks. Behind a proxy that buffers streams, and if the service has too many readers, they
 * come from the drain's record. Throws `RemoteError`: the service does not know the drain, or was not reached for ten
 * minutes.
 */
export async function* steps(options: FollowOptions, signal: AbortSignal): AsyncGenerator<SentStep, void> {
  const { service, drainId, clock } = options;
  const connection = new Connection(options);
  let [last, tries] = [0, 0];
  for (;;) {
    try {
      for await (const step of service.events(`/drains/${drainId}/events`, last, signal)) {
        connection.works();
        tries = 0;
        if (step.id <= last) continue;
        last = step.id;
        yield step;
        if (step.type === "ended") return;
      }
      // The service has ended it: it is about to stop, or this reader was too slow.
    } catch (error) {
      signal.throwIfAborted();
      // The record shows whether the service can be reached, and knows the drain.
      if (!(error instanceof RemoteError)) throw error;
    }
    await clock.sleep(RETRY_AFTER_MS[Math.min(tries, RETRY_AFTER_MS.length - 1)] ?? 0, signal);
    tries += 1;
    const record = await recordOf(options, signal).catch((error: unknown) => {
      if (!isPassing(error, signal)) throw error;
      connection.fails(error);
    });
    if (record === undefined) continue;
    connection.works();
    const since = last;
    for (const step of record.steps.filter(({ id }) => id > since)) {
      last = step.id;
      yield step;
    }
    if (record.status === "ended") return;
  }
}

/** Whether the next attempt may succeed. Throws if no attempt is wanted any more. */
function isPassing(error: unknown, signal: AbortSignal): error is RemoteError {
  signal.throwIfAborted();
  return error instanceof RemoteError && error.isPassing;
}

/** Reports once that the connection is lost, and that it is back. */
class Connection {
  readonly #options: Pick<FollowOptions, "clock" | "onConnection">;
  #failingSince: number | undefined;

  constructor(options: Pick<FollowOptions, "clock" | "onConnection">) {
    this.#options = options;
  }

  works(): void {
    if (this.#failingSince !== undefined) this.#options.onConnection("back");
    this.#failingSince = undefined;
  }

  /** Throws the error when it has lasted ten minutes. */
  fails(error: RemoteError): void {
    const { clock, onConnection } = this.#options;
    if (this.#failingSince === undefined) onConnection({ lost: error.message });
    this.#failingSince ??= clock.now();
    if (clock.now() - this.#failingSince > GIVEN_UP_AFTER_MS) throw error;
  }
}

/** The fields of `GET /drains/{drain}` that are read here. */
export interface DrainRecordReport {
  readonly drainId: string;
  readonly node: NodeReport;
  readonly status: "running" | "ended";
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly outcome?: OutcomeReport;
  readonly steps: readonly SentStep[];
  readonly now?: RunningReport;
  readonly undo?: { readonly status: "running" | "ended" };
}

/** The record of a drain in a service. Throws `RemoteError`. */
export async function recordOf(
  { service, drainId }: Pick<FollowOptions, "service" | "drainId">,
  signal: AbortSignal,
): Promise<DrainRecordReport> {
  const answer = await service.ask("GET", `/drains/${drainId}`, undefined, signal);
  const { status, body } = answer;
  if (status === 404) throw lost(drainId);
  if (status !== 200) throw refusalOf(answer);
  if (!Array.isArray(body["steps"])) throw NOT_OURS;
  return body as unknown as DrainRecordReport;
}

function lost(drainId: string): RemoteError {
  return new RemoteError(
    `the service does not know the drain ${drainId}: it is too old, or the service was restarted without STATE_DIR. Targets that were deregistered stay deregistered`,
  );
}
