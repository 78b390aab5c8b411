import {
  DescribeInstanceHealthCommand,
  type DescribeInstanceHealthCommandOutput,
} from "@aws-sdk/client-elastic-load-balancing";
import type { AwsAccess } from "../aws/aws-caller.ts";
import { isPoolGone } from "../aws/errors.ts";
import { SharedCall } from "../aws/shared-call.ts";
import type { Clock } from "../drain/clock.ts";
import type { CallFor, Pool, Registration } from "../drain/cloud-provider.ts";
import { DESCRIBE_HEALTH, stateOf } from "./classic-load-balancers.ts";
import { unlessListed } from "./listed-pools.ts";

const DEREGISTERED = { state: "draining", isHealthy: false } as const;

/** No read is answered that long after it was sent. */
const ENDED_REMEMBERED_MS = 600_000;

export interface ReadTargets {
  /** When AWS was asked, in milliseconds since the epoch. */
  readonly at: number;
  readonly targets: readonly Pick<Registration, "target" | "isHealthy" | "state">[];
}

/** The health of all instances of classic load balancers. Callers that ask at the same time share one call. */
export class ClassicHealth {
  readonly #aws: AwsAccess;
  readonly #clock: Clock;
  readonly #reads = new Map<string, SharedCall<undefined, ReadTargets>>();
  readonly #known = new Map<string, ReadTargets>();
  /** By load balancer: what this process has deregistered. A read that was sent before that still shows it as healthy. */
  readonly #ended = new Map<string, Map<string, number>>();

  constructor(aws: AwsAccess, clock: Clock) {
    this.#aws = aws;
    this.#clock = clock;
  }

  /** The last answer of AWS. It is not kept up to date. */
  known({ id }: Pool): ReadTargets | undefined {
    return this.#known.get(id);
  }

  /** As AWS says now; a read in flight that was sent at `since` (milliseconds since the epoch) or later serves as well. */
  readSince({ id }: Pool, since: number, by: CallFor): Promise<ReadTargets> {
    const shared = this.#reads.get(id) ?? new SharedCall((sent, call) => this.#describe(id, sent, call), this.#clock);
    this.#reads.set(id, shared);
    return shared.askSince(since, undefined, by);
  }

  /** AWS has acknowledged that these instances leave the load balancer: no read that was sent before counts them. */
  deregistered({ id }: Pool, targets: Iterable<string>): void {
    const now = this.#clock.now();
    const ended = this.#ended.get(id) ?? new Map<string, number>();
    this.#ended.set(id, ended);
    for (const [target, at] of ended) if (at < now - ENDED_REMEMBERED_MS) ended.delete(target);
    for (const target of targets) ended.set(target, now);
    const known = this.#known.get(id);
    if (known !== undefined) this.#known.set(id, this.#withoutEnded(id, known));
  }

  /** Of load balancers that are gone nothing is cached. */
  retainOnly(isThere: (name: string) => boolean): void {
    for (const cached of [this.#reads, this.#known, this.#ended]) {
      for (const id of [...cached.keys()]) if (!isThere(id)) cached.delete(id);
    }
  }

  async #describe(name: string, sent: () => unknown, by: CallFor): Promise<ReadTargets> {
    let at = this.#clock.now();
    try {
      const { InstanceStates } = await this.#aws.caller.call(DESCRIBE_HEALTH, by, () => {
        sent();
        at = this.#clock.now();
        // No instance is named: the answer is about every registered one.
        return unlessListed<DescribeInstanceHealthCommandOutput>(this.#aws, name, by, () =>
          this.#aws.classic.send(new DescribeInstanceHealthCommand({ LoadBalancerName: name }), {
            abortSignal: by.signal,
          }),
        );
      });
      const targets = (InstanceStates ?? []).map((state) => ({
        target: state.InstanceId ?? "",
        state: stateOf(state) ?? "live",
        isHealthy: state.State === "InService" && (stateOf(state) ?? "live") === "live",
      }));
      const read = this.#withoutEnded(name, { at, targets });
      // Answers may overtake one another.
      if (at >= (this.#known.get(name)?.at ?? Number.NEGATIVE_INFINITY)) this.#known.set(name, read);
      return read;
    } catch (error) {
      if (isPoolGone(error)) return { at, targets: [] };
      throw error;
    }
  }

  #withoutEnded(name: string, { at, targets }: ReadTargets): ReadTargets {
    const ended = this.#ended.get(name);
    const isOld = (target: string) => at <= (ended?.get(target) ?? Number.NEGATIVE_INFINITY);
    return { at, targets: targets.map((one) => (isOld(one.target) ? { ...one, ...DEREGISTERED } : one)) };
  }
}
