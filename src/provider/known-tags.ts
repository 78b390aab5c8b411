import type { AwsAccess } from "../aws/aws-caller.ts";
import { SharedCall } from "../aws/shared-call.ts";
import { whenAborted } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import type { CallFor } from "../drain/cloud-provider.ts";
import { RESOURCES_PER_CALL_MAX, type Tags, type TagsById, tagsByArn, tagsByName } from "./tags.ts";

/** Controllers set tags when they create a resource. A tag that is added later takes effect after this time. */
const KEPT_MS = 120_000;
/** The index reads them again after this time, before they are too old for a drain. */
const REFRESHED_MS = 60_000;
const NONE: Tags = new Map();

type Describe = (aws: AwsAccess, ids: readonly string[], by: CallFor) => Promise<TagsById>;

/** The tags of pools and load balancers from the last minutes. The nodes of a wave share AWS's answers. */
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

/** The tags that one API describes: by ARN, or by the name of a classic load balancer. */
export class TagsOfKind {
  readonly #describe: Describe;
  readonly #aws: AwsAccess;
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly tags: Tags; readonly at: number }>();
  /** By id: the calls in progress that will return them. */
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #learn: SharedCall<readonly string[], void>;

  constructor(describe: Describe, aws: AwsAccess, clock: Clock) {
    this.#describe = describe;
    this.#aws = aws;
    this.#clock = clock;
    this.#learn = new SharedCall(async (asked, by) => {
      // All callers of the same moment share the call.
      await Promise.resolve();
      await this.#learnAll([...new Set(asked().flat())], by);
    });
  }

  /** By id. A resource that has vanished has none. */
  async of(ids: readonly string[], by: CallFor): Promise<TagsById> {
    while (!ids.every((id) => this.#isFresh(id))) await this.#learn.ask(ids, by);
    return new Map(ids.map((id) => [id, this.#known.get(id)?.tags ?? NONE]));
  }

  /** The last known tags, by id. Undefined if those of one id were never read. */
  lastKnown(ids: readonly string[]): TagsById | undefined {
    const known = new Map<string, Tags>();
    for (const id of ids) {
      const tags = this.#known.get(id)?.tags;
      if (tags === undefined) return undefined;
      known.set(id, tags);
    }
    return known;
  }

  /** Reads those of `ids` with the oldest read in one call, so that drains find them. False: all are recent. */
  async refreshOldest(ids: readonly string[], by: CallFor): Promise<boolean> {
    const now = this.#clock.now();
    const at = (id: string) => this.#known.get(id)?.at ?? Number.NEGATIVE_INFINITY;
    const due = ids.filter((id) => now - at(id) >= REFRESHED_MS && !this.#underWay.has(id));
    const batch = due.sort((a, b) => at(a) - at(b)).slice(0, RESOURCES_PER_CALL_MAX);
    if (batch.length === 0) return false;
    await this.#ask(batch, by);
    return true;
  }

  /** Nothing is cached for a resource that does not exist any more. */
  retainOnly(isThere: (id: string) => boolean): void {
    for (const id of [...this.#known.keys()]) if (!isThere(id)) this.#known.delete(id);
  }

  /** The id belongs to another resource now. */
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
      // A failure of another caller's call is not this caller's: it reads again.
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
