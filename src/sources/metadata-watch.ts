import type { AwsTime } from "../aws/aws-time.ts";
import type { Clock } from "../drain/clock.ts";
import { asDrainError, type DrainError } from "../drain/errors.ts";
import type { Announcement, EventReading } from "./announcement.ts";
import { MalformedEvent } from "./events/event-fields.ts";
import type { ImdsClient } from "./imds-client.ts";
import { IDENTITY_PATH, type InstanceIdentity, type MetadataKind, readIdentity } from "./metadata/metadata-kind.ts";
import { rebalanceRecommendation } from "./metadata/rebalance-recommendation.ts";
import { scheduledMaintenance } from "./metadata/scheduled-maintenance.ts";
import { spotAction } from "./metadata/spot-action.ts";
import { targetLifecycleState } from "./metadata/target-lifecycle-state.ts";
import { type MetadataObserver, type Notice, StandingNotices } from "./standing-notices.ts";

export interface MetadataWatchOptions {
  readonly client: Pick<ImdsClient, "read">;
  readonly clock: Clock;
  /** AWS's clock, by which notices have their deadlines. Absent: the same as this machine's. */
  readonly time?: Pick<AwsTime, "here">;
  readonly intervalMs: number;
  /** Whether a recommendation alone is a notice. */
  readonly heedsRecommendations: boolean;
  /** How long before its deadline a notice is acted upon that may be weeks ahead, in milliseconds. */
  readonly maintenanceLeadMs: number;
  /** When this machine was booted, in milliseconds since the epoch. */
  readonly bootedAt: () => number;
  readonly onEvent: MetadataObserver;
}

/** The most urgent first. */
const KINDS: readonly MetadataKind[] = [spotAction, targetLifecycleState, scheduledMaintenance];
/**
 * The longest interval between reads while instance metadata fails. A spot notice of two minutes is still read in time.
 */
const INTERVAL_MAX_MS = 30_000;

/** What instance metadata says about this machine's departure. */
export class MetadataWatch {
  readonly #options: MetadataWatchOptions;
  /** By path, the last reported problem. */
  readonly #malformed = new Map<string, string>();
  #failures = 0;
  #lastReadAt: number | undefined;

  constructor(options: MetadataWatchOptions) {
    this.#options = options;
  }

  /** Whether the last read of all paths has succeeded. */
  get isReadable(): boolean {
    return this.#lastReadAt !== undefined && this.#failures === 0;
  }

  /** When all paths were last read, in milliseconds since the epoch. Undefined: never. */
  get lastReadAt(): number | undefined {
    return this.#lastReadAt;
  }

  /** The identity of this machine. It is requested until there is an answer. Rejects with the signal's reason. */
  async identity(signal: AbortSignal): Promise<InstanceIdentity> {
    for (;;) {
      const bodies = await this.#round([IDENTITY_PATH], signal);
      if (bodies.has(IDENTITY_PATH)) {
        const read = () => readIdentity(bodies.get(IDENTITY_PATH) ?? "");
        const identity = this.#understood(IDENTITY_PATH, read, () => undefined);
        if (identity !== undefined) return identity;
      }
      await this.#wait(signal);
    }
  }

  /**
   * Each notice once, until `stop` aborts. It comes again with another deadline, and after `done("again")` while it is
   * still listed. `done` must still be called for notices that were yielded before `stop`.
   */
  async *notices(identity: InstanceIdentity, stop: AbortSignal): AsyncGenerator<Notice> {
    const { heedsRecommendations } = this.#options;
    const kinds = heedsRecommendations ? [...KINDS, rebalanceRecommendation] : KINDS;
    const standing = new StandingNotices(this.#options);
    try {
      for (;;) {
        const bodies = await this.#round(
          kinds.map(({ path }) => path),
          stop,
        );
        for (const kind of kinds) {
          if (!bodies.has(kind.path)) continue;
          const reading = this.#reading(kind, bodies.get(kind.path), identity);
          if (reading !== undefined) standing.see(kind.path, reading);
        }
        yield* standing.due();
        await this.#wait(stop);
      }
    } catch (error) {
      if (!stop.aborted) throw error;
    }
  }

  /** Undefined: the content can't be parsed, and announces nothing. */
  #reading(
    kind: MetadataKind,
    body: string | undefined,
    identity: InstanceIdentity,
  ): readonly Announcement[] | undefined {
    if (body === undefined) {
      this.#tellProblem(kind.path, undefined);
      return [];
    }
    const reading = this.#understood<EventReading>(kind.path, () => kind.read(body, identity), problemOf);
    if (reading === undefined || reading.reading === "malformed") return undefined;
    return reading.reading === "announced" ? reading.announcements : [];
  }

  #understood<T>(path: string, read: () => T, problemIn: (reading: T) => string | undefined): T | undefined {
    try {
      const reading = read();
      this.#tellProblem(path, problemIn(reading));
      return reading;
    } catch (error) {
      if (!(error instanceof MalformedEvent)) throw error;
      this.#tellProblem(path, error.message);
      return undefined;
    }
  }

  #tellProblem(path: string, problem: string | undefined): void {
    if (problem === undefined) this.#malformed.delete(path);
    else if (this.#malformed.get(path) !== problem) {
      this.#malformed.set(path, problem);
      this.#options.onEvent({ type: "malformed", path, problem });
    }
  }

  /** The content of each path, or that there is none. Paths that could not be read are missing. */
  async #round(paths: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, string | undefined>> {
    const bodies = new Map<string, string | undefined>();
    let failure: DrainError | undefined;
    for (const path of paths) {
      try {
        bodies.set(path, await this.#options.client.read(path, signal));
      } catch (error) {
        signal.throwIfAborted();
        failure ??= asDrainError(error);
      }
    }
    this.#tellFailure(failure);
    return bodies;
  }

  #tellFailure(error: DrainError | undefined): void {
    const hadFailed = this.#failures > 0;
    this.#failures = error === undefined ? 0 : this.#failures + 1;
    if (error === undefined) this.#lastReadAt = this.#options.clock.now();
    if (error !== undefined) this.#options.onEvent({ type: "unreadable", error });
    else if (hadFailed) this.#options.onEvent({ type: "readable" });
  }

  #wait(signal: AbortSignal): Promise<void> {
    const { clock, intervalMs } = this.#options;
    // It is limited before it is doubled so often that it is not a number any more.
    const waitMs = intervalMs * 2 ** Math.min(this.#failures, 10);
    return clock.sleep(Math.min(waitMs, Math.max(intervalMs, INTERVAL_MAX_MS)), signal);
  }
}

/** What is wrong with the items that could not be read. */
function problemOf(reading: EventReading): string | undefined {
  if (reading.reading === "malformed") return reading.problem;
  return reading.reading === "announced" ? reading.problems?.join("; ") : undefined;
}
