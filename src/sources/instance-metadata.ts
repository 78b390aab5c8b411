import type { Delivery, EventSource } from "../drain/event-source.ts";
import type { DrainOutcome } from "../drain/outcome.ts";
import { type DrainRequest, nodeReference } from "../drain/request.ts";
import type { InstanceIdentity } from "./metadata/identity-document.ts";
import type { MetadataWatch } from "./metadata-watch.ts";
import type { Notice, NoticeEnd } from "./standing-notices.ts";

export interface InstanceMetadataOptions {
  readonly watch: Pick<MetadataWatch, "notices">;
  readonly identity: InstanceIdentity;
  /** Nothing is changed: each notice is answered with the plan. */
  readonly dryRun: boolean;
}

/** Asks for the drain of the machine that it runs on, as its instance metadata announces that it will go away. */
export class InstanceMetadata implements EventSource {
  readonly #options: InstanceMetadataOptions;

  constructor(options: InstanceMetadataOptions) {
    this.#options = options;
  }

  async *deliveries(stop: AbortSignal): AsyncGenerator<Delivery> {
    const { watch, identity, dryRun } = this.#options;
    for await (const notice of watch.notices(identity, stop)) {
      yield {
        request: requestOf(notice, dryRun),
        // A notice is its own record: whoever starts next reads it again.
        accepted: () => {},
        unrecorded: () => {},
        settle: async (outcome) => notice.done(endOf(outcome)),
      };
    }
  }
}

function requestOf({ announcement: { kind, instanceId, reason }, deadline }: Notice, dryRun: boolean): DrainRequest {
  return {
    node: nodeReference("id", instanceId),
    reason,
    asker: { via: kind },
    dryRun,
    ...(deadline === undefined ? {} : { deadline }),
  };
}

function endOf(outcome: DrainOutcome): NoticeEnd {
  switch (outcome.status) {
    case "drained":
    case "nothing-registered":
    case "instance-gone":
      return "out";
    case "deadline-passed":
      // A timeout is our own patience: the machine is still there, and so is its traffic.
      return outcome.limit.reason === "deadline" ? "out" : "again";
    case "failed":
    case "refused":
      return "again";
    case "planned":
    case "cancelled":
    case "abandoned":
      return "over";
    default:
      return outcome satisfies never;
  }
}
