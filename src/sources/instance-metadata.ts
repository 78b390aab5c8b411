import { newAbort } from "../drain/abort.ts";
import type { Delivery, EventSource } from "../drain/event-source.ts";
import { announcedRequest } from "./announced-request.ts";
import type { InstanceIdentity } from "./metadata/metadata-kind.ts";
import type { MetadataWatch } from "./metadata-watch.ts";
import { type DrainedNode, drainedNode, type Recommendations } from "./recommendations.ts";
import { type NoticeEnd, noticeEnd } from "./standing-notices.ts";
import type { TerminationHook } from "./termination-hook.ts";

export interface InstanceMetadataOptions {
  readonly watch: Pick<MetadataWatch, "notices">;
  readonly identity: InstanceIdentity;
  /** Nothing is changed: each notice is answered with the plan. */
  readonly dryRun: boolean;
  /** What becomes of the machine when it was drained on a recommendation. Absent: it stays out. */
  readonly recommendations?: Pick<Recommendations, "followed" | "drainEnded">;
  /** What waits at the machine's scale-in until it is drained. */
  readonly hook?: Pick<TerminationHook, "attend">;
}

/** Asks for the drain of the machine that it runs on, as its instance metadata announces that it will go away. */
export class InstanceMetadata implements EventSource {
  readonly #options: InstanceMetadataOptions;
  #drained = newAbort();
  #untouched = newAbort();
  #attending: Promise<void> | undefined;
  #hasFailed = false;

  constructor(options: InstanceMetadataOptions) {
    this.#options = options;
  }

  /** Resolves when nothing is done about the hook any more. */
  get hookEnded(): Promise<void> {
    return this.#attending ?? Promise.resolve();
  }

  async *deliveries(stop: AbortSignal): AsyncGenerator<Delivery> {
    const { watch, identity, dryRun, recommendations } = this.#options;
    for await (const { announcement, deadline, done } of watch.notices(identity, stop)) {
      const isScaledIn = announcement.kind === "autoscaling-terminate";
      if (isScaledIn) this.#attend(announcement.instanceId);
      if (!announcement.isVoluntary) recommendations?.followed(announcement.instanceId);
      yield {
        request: announcedRequest(announcement, { deadline, dryRun }),
        // A notice is its own record: the next process reads it again.
        accepted: () => {},
        unrecorded: () => {},
        settle: async (outcome) => {
          const isRefused = outcome.status === "refused" && announcement.isVoluntary === true;
          // A refused recommendation is not repeated.
          const end = isRefused ? "over" : noticeEnd(outcome);
          if (isScaledIn) this.#endAttending(end);
          done(end);
          if (announcement.isVoluntary && end === "out")
            await this.#untilFollowed(drainedNode(announcement.instanceId, outcome), stop);
        },
      };
    }
  }

  /** When it is stopped, the machine stays as it is. */
  async #untilFollowed(drained: DrainedNode | undefined, stop: AbortSignal): Promise<void> {
    try {
      if (drained !== undefined) await this.#options.recommendations?.drainEnded(drained, stop);
    } catch (error) {
      if (!stop.aborted) throw error;
    }
  }

  #attend(instanceId: string): void {
    const { hook } = this.#options;
    if (hook === undefined || this.#attending !== undefined) return;
    this.#drained = newAbort();
    this.#untouched = newAbort();
    const signals = { drained: this.#drained.signal, untouched: this.#untouched.signal };
    // Drains that keep failing at once must not keep the machine for days.
    const attending = hook.attend(instanceId, { ...signals, beatsAtOnce: !this.#hasFailed }).finally(() => {
      if (this.#attending === attending) this.#attending = undefined;
    });
    this.#attending = attending;
  }

  #endAttending(end: NoticeEnd): void {
    this.#hasFailed = end === "again";
    if (end === "out") {
      this.#drained.abort();
    } else {
      this.#untouched.abort();
      this.#attending = undefined;
    }
  }
}
