import type { AwsAccess } from "../aws/aws-caller.ts";
import { isWritableByTag } from "../aws/policy.ts";
import { SharedCall } from "../aws/shared-call.ts";
import type { Clock } from "../drain/clock.ts";
import type { CallFor, Pool } from "../drain/cloud-provider.ts";
import type { KnownTags } from "./known-tags.ts";
import { describeClassic, describeGroup, type PoolSettings } from "./pool-settings.ts";

/** Few people change a deregistration delay, and a drain that has begun goes by the one that it began with. */
const KEPT_MS = 3_600_000;

/** How pools release, as AWS has said within the last hour. */
export class KnownTerms {
  readonly #aws: AwsAccess;
  readonly #clock: Clock;
  readonly #writableCluster: string | undefined;
  readonly #tags: KnownTags;
  readonly #known = new Map<string, { readonly terms: PoolSettings; readonly at: number }>();
  readonly #asked = new Map<string, SharedCall<undefined, PoolSettings | undefined>>();

  /** `writableCluster`: the policy lets only pools with this cluster's tag be written. */
  constructor(aws: AwsAccess, clock: Clock, tags: KnownTags, writableCluster: string | undefined) {
    this.#aws = aws;
    this.#clock = clock;
    this.#tags = tags;
    this.#writableCluster = writableCluster;
  }

  /** Undefined when the pool has vanished. */
  async of(pool: Pool, by: CallFor): Promise<PoolSettings | undefined> {
    return this.recall(pool) ?? this.ask(pool, by);
  }

  /** The answer of AWS, at most an hour old. */
  recall(pool: Pool): PoolSettings | undefined {
    return this.#clock.now() - this.knownAt(pool) < KEPT_MS ? this.#known.get(pool.id)?.terms : undefined;
  }

  /** When AWS last answered, in milliseconds since the epoch. `-Infinity`: never. */
  knownAt({ id }: Pool): number {
    return this.#known.get(id)?.at ?? Number.NEGATIVE_INFINITY;
  }

  /** The current answer of AWS. Callers share a call that is in flight. */
  ask(pool: Pool, by: CallFor): Promise<PoolSettings | undefined> {
    const shared = this.#asked.get(pool.id) ?? new SharedCall((sent, call) => this.#describe(pool, sent, call));
    this.#asked.set(pool.id, shared);
    return shared.ask(undefined, by);
  }

  /** Of pools that are gone nothing is cached. */
  retainOnly(isThere: (poolId: string) => boolean): void {
    for (const cached of [this.#known, this.#asked]) {
      for (const id of [...cached.keys()]) if (!isThere(id)) cached.delete(id);
    }
  }

  async #describe(pool: Pool, sent: () => unknown, by: CallFor): Promise<PoolSettings | undefined> {
    const asked = this.#asked.get(pool.id);
    const describe = pool.kind === "classic" ? describeClassic : describeGroup;
    const [described, isWritable] = await Promise.all([describe(this.#aws, pool, by), this.#isWritable(pool, by)]);
    sent();
    const terms = described && (isWritable ? described : { ...described, writable: false as const });
    // It may have been forgotten meanwhile, because it is gone or was made again.
    if (asked !== this.#asked.get(pool.id)) return terms;
    if (terms === undefined) this.#known.delete(pool.id);
    else this.#known.set(pool.id, { terms, at: this.#clock.now() });
    return terms;
  }

  async #isWritable({ kind, id }: Pool, by: CallFor): Promise<boolean> {
    if (this.#writableCluster === undefined) return true;
    const tags = await this.#tags[kind === "classic" ? "names" : "arns"].of([id], by);
    return isWritableByTag(tags.get(id) ?? new Map(), this.#writableCluster);
  }
}
