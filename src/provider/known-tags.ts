import type { AwsAccess } from "../aws/aws-caller.ts";
import { SharedCall } from "../aws/shared-call.ts";
import { whenAborted } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import type { CallFor } from "../drain/cloud-provider.ts";
import { RESOURCES_PER_CALL_MAX, type Tags, type TagsById, tagsByArn, tagsByName } from "./tags.ts";

/** Controllers tag what they make when they make it. A tag that is added later counts after this time. */
const KEPT_MS = 120_000;
/** The index asks again so soon: before they are too old for a drain. */
const REFRESHED_MS = 60_000;
const NONE: Tags = new Map();

type Describe = (aws: AwsAccess, ids: readonly string[], by: CallFor) => Promise<TagsById>;

/** The tags of pools and load balancers, as AWS has told within the last minutes: the nodes of a wave share its answers. */
export class KnownTags {
  /** Of target groups and load balancers, by ARN. */
  readonly arns: TagsOfKind;
  /** Of classic load balancers, by name. */
  readonly names: TagsOfKind;

  constructor(aws: AwsAccess, clock: Clock) {
    this.arns = new TagsOfKind(tagsByArn, aws, clock);
    this.names = new TagsOfKind(tagsByName, aws, clock);
  }
}

/** Those that one API is asked for: by ARN, or by the name of a classic load balancer. */
export class TagsOfKind {
  readonly #describe: Describe;
  readonly #aws: AwsAccess;
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly tags: Tags; readonly at: number }>();
  /** By id: the calls under way that will tell. */
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #learn: SharedCall<readonly string[], void>;

  constructor(describe: Describe, aws: AwsAccess, clock: Clock) {
    this.#describe = describe;
    this.#aws = aws;
    this.#clock = clock;
    this.#learn = new SharedCall(async (asked, by) => {
      // All who ask in this moment share the call.
      await Promise.resolve();
      await this.#learnAll([...new Set(asked().flat())], by);
    });
  }

  /** By id. What has vanished has none. */
  async of(ids: readonly string[], by: CallFor): Promise<TagsById> {
    while (!ids.every((id) => this.#isFresh(id))) await this.#learn.ask(ids, by);
    return new Map(ids.map((id) => [id, this.#known.get(id)?.tags ?? NONE]));
  }

  /** As they were last seen, by id. Undefined where they were never seen of one of them. */
  lastKnown(ids: readonly string[]): TagsById | undefined {
    const known = new Map<string, Tags>();
    for (const id of ids) {
      const tags = this.#known.get(id)?.tags;
      if (tags === undefined) return undefined;
      known.set(id, tags);
    }
    return known;
  }

  /** Asks for those of `ids` that were asked for longest ago, in one call, so that drains find them. False: all are recent. */
  async refreshOldest(ids: readonly string[], by: CallFor): Promise<boolean> {
    const now = this.#clock.now();
    const at = (id: string) => this.#known.get(id)?.at ?? Number.NEGATIVE_INFINITY;
    const due = ids.filter((id) => now - at(id) >= REFRESHED_MS && !this.#underWay.has(id));
    const batch = due.sort((a, b) => at(a) - at(b)).slice(0, RESOURCES_PER_CALL_MAX);
    if (batch.length === 0) return false;
    await this.#ask(batch, by);
    return true;
  }

  /** Of what is not there any more nothing is cached. */
  retainOnly(isThere: (id: string) => boolean): void {
    for (const id of [...this.#known.keys()]) if (!isThere(id)) this.#known.delete(id);
  }

  /** What has this id now is another one. */
  forget(id: string): void {
    this.#known.delete(id);
    this.#underWay.delete(id);
  }

  async #learnAll(ids: readonly string[], by: CallFor): Promise<void> {
    for (;;) {
      const missing = ids.filter((id) => !this.#isFresh(id));
      const [first] = missing;
      if (first === undefined) return;
      const unasked = missing.filter((id) => !this.#underWay.has(id));
      if (unasked.length > 0) await this.#ask(unasked, by);
      // Another call's failure is that one's: what it was to tell is asked for again.
      else await Promise.race([this.#underWay.get(first)?.catch(() => {}), whenAborted(by.signal)]);
    }
  }

  #ask(ids: readonly string[], by: CallFor): Promise<void> {
    const told = this.#describe(this.#aws, ids, by)
      .then((tags) => {
        const at = this.#clock.now();
        for (const id of ids)
          if (this.#underWay.get(id) === told) this.#known.set(id, { tags: tags.get(id) ?? NONE, at });
      })
      .finally(() => {
        for (const id of ids) if (this.#underWay.get(id) === told) this.#underWay.delete(id);
      });
    for (const id of ids) this.#underWay.set(id, told);
    return told;
  }

  #isFresh(id: string): boolean {
    const at = this.#known.get(id)?.at;
    return at !== undefined && this.#clock.now() - at < KEPT_MS;
  }
}
