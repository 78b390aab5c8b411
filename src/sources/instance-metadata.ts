import type { Delivery, EventSource } from "../drain/event-source.ts";
import { announcedRequest } from "./announced-request.ts";
import type { InstanceIdentity } from "./metadata/identity-document.ts";
import type { MetadataWatch } from "./metadata-watch.ts";
import { noticeEnd } from "./standing-notices.ts";

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
    for await (const { announcement, deadline, done } of watch.notices(identity, stop)) {
      yield {
        request: announcedRequest(announcement, { deadline, dryRun }),
        // A notice is its own record: whoever starts next reads it again.
        accepted: () => {},
        unrecorded: () => {},
        settle: async (outcome) => done(noticeEnd(outcome)),
      };
    }
  }
}
