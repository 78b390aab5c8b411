import { newAbort, WOKEN } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { ALL_CALLS, type QuotaState } from "../drain/cloud-state.ts";
import { compareUrgency, type Urgent } from "../drain/urgency.ts";
import { UrgencyQueue } from "../drain/urgency-queue.ts";
import { type BucketSize, PacedBucket } from "./paced-bucket.ts";

/** Calls that AWS counts together. The two APIs of Elastic Load Balancing are counted separately. */
export type Bucket =
  | "v2-read"
  | "v2-register"
  | "classic-read"
  | "classic-register"
  | "ec2-describe-instances"
  | "ec2-describe-network-interfaces";

/**
 * AWS's quotas for one account in one region.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html
 * https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
 */
const AWS_SIZES: Readonly<Record<Bucket, BucketSize>> = {
  "v2-read": { burst: 40, perSecond: 10 },
  "v2-register": { burst: 20, perSecond: 4 },
  "classic-read": { burst: 40, perSecond: 10 },
  "classic-register": { burst: 20, perSecond: 4 },
  "ec2-describe-instances": { burst: 100, perSecond: 20 },
  "ec2-describe-network-interfaces": { burst: 100, perSecond: 20 },
};
/** Every call to Elastic Load Balancing is counted here as well. */
const ACCOUNT: BucketSize = { burst: 40, perSecond: 10 };

/** One call in this many goes to the caller that has waited longest, so that the least urgent ones keep 5 %. */
const LONGEST_WAIT_EVERY = 20;

interface Ask {
  readonly bucket: Bucket;
  readonly by: Urgent;
  /** In the order of arrival. */
  readonly number: number;
  readonly grant: () => void;
}

export interface RequestQuotaOptions {
  readonly clock: Clock;
  /** The share of AWS's quotas that this process uses. More than 1 if AWS has raised them for the account. */
  readonly share: number;
}

/** Lets calls to AWS pass as fast as this process's share of the quotas allows, the most urgent first. */
export class RequestQuota {
  readonly #clock: Clock;
  readonly #buckets: Readonly<Record<Bucket, PacedBucket>>;
  readonly #account: PacedBucket;
  /** Only buckets that were used. */
  readonly #asks = new Map<Bucket, UrgencyQueue<Ask>>();
  /** By bucket. */
  readonly #counts = new Map<Bucket, { granted: number; throttled: number }>();
  #asked = 0;
  #granted = 0;
  #granting = false;
  #wake = newAbort();

  constructor({ clock, share }: RequestQuotaOptions) {
    const ours = ({ burst, perSecond }: BucketSize) =>
      new PacedBucket({ burst: burst * share, perSecond: perSecond * share }, clock.now());
    this.#clock = clock;
    this.#account = ours(ACCOUNT);
    this.#buckets = {
      "v2-read": ours(AWS_SIZES["v2-read"]),
      "v2-register": ours(AWS_SIZES["v2-register"]),
      "classic-read": ours(AWS_SIZES["classic-read"]),
      "classic-register": ours(AWS_SIZES["classic-register"]),
      "ec2-describe-instances": ours(AWS_SIZES["ec2-describe-instances"]),
      "ec2-describe-network-interfaces": ours(AWS_SIZES["ec2-describe-network-interfaces"]),
    };
  }

  /** Resolves when one call may be made now. Rejects when `signal` aborts. */
  permit(bucket: Bucket, by: Urgent & { readonly signal: AbortSignal }): Promise<void> {
    const { signal } = by;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const asks = this.#asksFor(bucket);
      const leave = () => {
        asks.delete(ask);
        this.#wake.abort(WOKEN);
        reject(signal.reason);
      };
      const grant = () => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const ask: Ask = { bucket, by, number: this.#asked++, grant };
      signal.addEventListener("abort", leave, { once: true });
      asks.add(ask);
      this.#wake.abort(WOKEN);
      if (!this.#granting) void this.#grant();
    });
  }

  /** AWS has throttled a call that had a permit. */
  throttled(bucket: Bucket): void {
    this.#buckets[bucket].throttled(this.#clock.now());
    this.#countsOf(bucket).throttled += 1;
  }

  /** The state of each quota that was used so far, with that of all calls first. */
  state(): readonly QuotaState[] {
    const now = this.#clock.now();
    const each = [...this.#asks].map(([bucket, asks]) => ({
      bucket,
      name: bucket,
      ...this.#buckets[bucket].state(now),
      waiting: asks.size,
      ...this.#countsOf(bucket),
    }));
    const ofElb = each.filter(({ bucket }) => isElb(bucket));
    const sum = (field: "waiting" | "granted" | "throttled") => ofElb.reduce((total, one) => total + one[field], 0);
    const counts = { waiting: sum("waiting"), granted: sum("granted"), throttled: sum("throttled") };
    return [{ name: ALL_CALLS, ...this.#account.state(now), ...counts }, ...each.map(({ bucket: _, ...one }) => one)];
  }

  /** How long this number of calls take from now, in milliseconds, if nothing is more urgent. */
  msFor(bucket: Bucket, calls: number): number {
    const now = this.#clock.now();
    return Math.max(this.#buckets[bucket].msFor(calls, now), isElb(bucket) ? this.#account.msFor(calls, now) : 0);
  }

  /** Grants permits and waits for room, until no call waits. */
  async #grant(): Promise<void> {
    this.#granting = true;
    while (this.#waiting.length > 0) {
      const now = this.#clock.now();
      const next = this.#next(now);
      if (next === undefined) await this.#untilRoom(now);
      else {
        this.#asksFor(next.bucket).delete(next);
        this.#granted += 1;
        this.#countsOf(next.bucket).granted += 1;
        this.#buckets[next.bucket].take();
        if (isElb(next.bucket)) this.#account.take();
        next.grant();
        // A caller that got a permit may ask again at once, more urgently than those that wait.
        await Promise.resolve();
      }
    }
    this.#granting = false;
  }

  /** The most urgent call for which there is room. From time to time, the one that has waited longest. */
  #next(now: number): Ask | undefined {
    const open = this.#waiting.filter(([bucket]) => this.#waitMs(bucket, now) === 0).map(([, asks]) => asks);
    if ((this.#granted + 1) % LONGEST_WAIT_EVERY === 0) {
      const oldest = open.map((asks) => asks.oldest).filter((ask) => ask !== undefined);
      return oldest.sort((a, b) => a.number - b.number)[0];
    }
    const first = open.map((asks) => asks.first).filter((each) => each !== undefined);
    return first.sort((a, b) => compareUrgency(a.urgency, b.urgency) || a.item.number - b.item.number)[0]?.item;
  }

  get #waiting(): readonly (readonly [Bucket, UrgencyQueue<Ask>])[] {
    return [...this.#asks].filter(([, asks]) => asks.size > 0);
  }

  #asksFor(bucket: Bucket): UrgencyQueue<Ask> {
    const known = this.#asks.get(bucket);
    if (known !== undefined) return known;
    const made = new UrgencyQueue<Ask>();
    this.#asks.set(bucket, made);
    return made;
  }

  #countsOf(bucket: Bucket): { granted: number; throttled: number } {
    const known = this.#counts.get(bucket) ?? { granted: 0, throttled: 0 };
    this.#counts.set(bucket, known);
    return known;
  }

  async #untilRoom(now: number): Promise<void> {
    const waitMs = Math.min(...this.#waiting.map(([bucket]) => this.#waitMs(bucket, now)));
    this.#wake = newAbort();
    // It wakes up when another caller asks, perhaps for another bucket.
    await this.#clock.sleep(Math.max(1, waitMs), this.#wake.signal).catch(() => {});
  }

  #waitMs(bucket: Bucket, now: number): number {
    return Math.max(this.#buckets[bucket].waitMs(now), isElb(bucket) ? this.#account.waitMs(now) : 0);
  }
}

function isElb(bucket: Bucket): boolean {
  return !bucket.startsWith("ec2-");
}
