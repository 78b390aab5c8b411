import type { Delivery, EventSource } from "../drain/event-source.ts";
import { type DrainRequest, nodeReference } from "../drain/request.ts";
import type { InstanceIdentity } from "./metadata/identity-document.ts";
import type { MetadataWatch } from "./metadata-watch.ts";
import { type Notice, noticeEnd } from "./standing-notices.ts";

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
        settle: async (outcome) => notice.done(noticeEnd(outcome)),
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
