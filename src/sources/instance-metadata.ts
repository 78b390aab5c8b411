import type { Clock } from "../drain/clock.ts";
import type { Delivery, EventSource } from "../drain/event-source.ts";
import { AnnouncedDrain } from "./announced-drain.ts";
import type { InstanceIdentity } from "./metadata/metadata-kind.ts";
import type { MetadataWatch } from "./metadata-watch.ts";
import type { Recommendations } from "./recommendations.ts";
import { type Notice, type NoticeEnd, noticeEnd } from "./standing-notices.ts";
import type { TerminationHook } from "./termination-hook.ts";

export interface InstanceMetadataOptions {
  readonly watch: Pick<MetadataWatch, "notices">;
  readonly identity: InstanceIdentity;
  readonly clock: Clock;
  /** Nothing is changed: each notice is answered with the plan. */
  readonly dryRun: boolean;
  /** What happens to the machine when it was drained on a recommendation. Absent: it stays deregistered. */
  readonly recommendations?: Pick<Recommendations, "followed" | "drainEnded">;
  /** The hook that waits at the machine's scale-in until it is drained. */
  readonly hook?: TerminationHook;
  /** The process has to end, and the hook is not changed. */
  readonly abandon: AbortSignal;
}

/** Requests the drain of the machine on which it runs, when its instance metadata announces that it goes away. */
export class InstanceMetadata implements EventSource {
  readonly #options: InstanceMetadataOptions;
  #hasFailed = false;

  constructor(options: InstanceMetadataOptions) {
    this.#options = options;
  }

  async *deliveries(stop: AbortSignal): AsyncGenerator<Delivery> {
    const { watch, identity } = this.#options;
    for await (const notice of watch.notices(identity, stop)) yield this.#delivery(notice, stop);
  }

  #delivery({ announcement, deadline, done }: Notice, stop: AbortSignal): Delivery {
    const { hook, clock, abandon } = this.#options;
    const isScaledIn = announcement.kind === "autoscaling-terminate";
    const hooked = isScaledIn && hook !== undefined ? { lifecycleAction: hook.action } : {};
    // The first heartbeat is sent at once, because the hook may have waited for a long time. Drains that keep failing
    // at once must not keep the machine for days.
    const since = this.#hasFailed ? clock.now() : 0;
    const announced = { announcement: { ...announcement, ...hooked }, since, deadline };
    const drain = new AnnouncedDrain(announced, {}, { ...this.#options, hooks: hook });
    return {
      request: drain.request,
      // A notice is its own record: the next process reads it again.
      accepted: () => {},
      unrecorded: () => {},
      settle: async (outcome) => {
        const isRefused = outcome.status === "refused" && announcement.isVoluntary === true;
        // A refused recommendation is not repeated, and neither is one whose drain is undone unless the machine goes.
        const end = isRefused || drain.awaitsDeparture(outcome) ? "over" : noticeEnd(outcome);
        if (isScaledIn) this.#hasFailed = end === "again";
        await drain.ended();
        done(end);
        await drain.settle(outcome, SETTLEMENTS[end], {
          stop,
          // The hooks report a failure themselves.
          limited: (work) => work(abandon).catch(() => {}),
        });
      },
    };
  }
}

/** There is no message, and no hook of a machine that stays. */
const SETTLEMENTS = {
  out: { message: "delete", hook: "continue" },
  again: { message: "leave", hook: "untouched" },
  over: { message: "delete", hook: "untouched" },
} as const satisfies Readonly<Record<NoticeEnd, object>>;
