import { newAbort, WOKEN } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { compareUrgency, type UrgencyNow } from "../drain/urgency.ts";
import { type BucketSize, PacedBucket } from "./paced-bucket.ts";

/** Calls that AWS counts together. The two APIs of Elastic Load Balancing are counted apart. */
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

/** One call in this many goes to the caller that has waited longest: the least urgent keep 5 %. */
const LONGEST_WAIT_EVERY = 20;

interface Ask {
  readonly bucket: Bucket;
  readonly urgency: UrgencyNow;
  readonly grant: () => void;
}

export interface RequestQuotaOptions {
  readonly clock: Clock;
  /** The part of AWS's quotas that is ours. More than 1 where AWS has raised them for the account. */
  readonly share: number;
}

/** Lets calls to AWS through as fast as our share of its quotas allows, the most urgent first. */
export class RequestQuota {
  readonly #clock: Clock;
  readonly #buckets: Readonly<Record<Bucket, PacedBucket>>;
  readonly #account: PacedBucket;
  /** In the order in which they came. */
  readonly #asks = new Set<Ask>();
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

  /** Resolves when one call may be made, now. Rejects when `signal` aborts. */
  permit(bucket: Bucket, urgency: UrgencyNow, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const leave = () => {
        this.#asks.delete(ask);
        this.#wake.abort(WOKEN);
        reject(signal.reason);
      };
      const grant = () => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const ask: Ask = { bucket, urgency, grant };
      signal.addEventListener("abort", leave, { once: true });
      this.#asks.add(ask);
      this.#wake.abort(WOKEN);
      if (!this.#granting) void this.#grant();
    });
  }

  /** AWS has throttled a call that had a permit. */
  throttled(bucket: Bucket): void {
    this.#buckets[bucket].throttled(this.#clock.now());
  }

  /** How long so many calls take from now, in milliseconds, when nothing is more urgent. */
  msFor(bucket: Bucket, calls: number): number {
    const now = this.#clock.now();
    return Math.max(this.#buckets[bucket].msFor(calls, now), isElb(bucket) ? this.#account.msFor(calls, now) : 0);
  }

  /** Grants what can be granted, and waits for room, until no call waits. */
  async #grant(): Promise<void> {
    this.#granting = true;
    while (this.#asks.size > 0) {
      const now = this.#clock.now();
      const next = this.#next(now);
      if (next === undefined) await this.#untilRoom(now);
      else {
        this.#asks.delete(next);
        this.#granted += 1;
        this.#buckets[next.bucket].take();
        if (isElb(next.bucket)) this.#account.take();
        next.grant();
        // A caller that was granted a permit may ask again at once, more urgently than those that wait.
        await Promise.resolve();
      }
    }
    this.#granting = false;
  }

  #next(now: number): Ask | undefined {
    const room = this.#roomNow(now);
    let next: Ask | undefined;
    for (const ask of this.#asks) {
      if (!room.has(ask.bucket)) continue;
      if ((this.#granted + 1) % LONGEST_WAIT_EVERY === 0) return ask;
      if (next === undefined || compareUrgency(ask.urgency(), next.urgency()) < 0) next = ask;
    }
    return next;
  }

  #roomNow(now: number): ReadonlySet<Bucket> {
    const room = new Set<Bucket>();
    for (const { bucket } of this.#asks) if (!room.has(bucket) && this.#waitMs(bucket, now) === 0) room.add(bucket);
    return room;
  }

  async #untilRoom(now: number): Promise<void> {
    const asked = new Set([...this.#asks].map(({ bucket }) => bucket));
    const waitMs = Math.min(...[...asked].map((bucket) => this.#waitMs(bucket, now)));
    this.#wake = newAbort();
    // Woken: another caller asks, perhaps for another bucket.
    await this.#clock.sleep(Math.max(1, waitMs), this.#wake.signal).catch(() => {});
  }

  #waitMs(bucket: Bucket, now: number): number {
    return Math.max(this.#buckets[bucket].waitMs(now), isElb(bucket) ? this.#account.waitMs(now) : 0);
  }
}

function isElb(bucket: Bucket): boolean {
  return !bucket.startsWith("ec2-");
}
