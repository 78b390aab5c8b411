import type { ApiCall } from "../api/answer.ts";
import { AwsError } from "../aws-error.ts";
import { drawsOf, type Quotas } from "./quotas.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Refuses the calls of one account in one region that exceed its quotas. */
export class Throttle {
  readonly #quotas: Quotas;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(quotas: Quotas) {
    this.#quotas = quotas;
  }

  /** Takes a token from every bucket of the call. If one is empty, takes none and throws AWS's error. */
  admit(call: ApiCall, now: number): void {
    const buckets = drawsOf(call, this.#quotas).map(({ bucket: name, size }) => {
      const bucket = this.#buckets.get(name) ?? new TokenBucket(size, now);
      this.#buckets.set(name, bucket);
      return bucket;
    });
    if (!buckets.every((bucket) => bucket.holdsOne(now))) throw this.#refusal(call);
    for (const bucket of buckets) bucket.takeOne();
  }

  #refusal({ api }: ApiCall): AwsError {
    return api === "ec2"
      ? new AwsError("RequestLimitExceeded", "Request limit exceeded.", 503)
      : new AwsError(this.#quotas.code, "Rate exceeded");
  }
}
