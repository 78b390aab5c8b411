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

export interface ReadTargets {
  /** When AWS was asked, in milliseconds since the epoch. */
  readonly at: number;
  readonly targets: readonly Pick<Registration, "target" | "isHealthy">[];
}

/** How all instances of classic load balancers fare: each is asked once for all who ask before the call is sent. */
export class ClassicHealth {
  readonly #aws: AwsAccess;
  readonly #clock: Clock;
  readonly #reads = new Map<string, SharedCall<undefined, ReadTargets>>();
  readonly #known = new Map<string, ReadTargets>();

  constructor(aws: AwsAccess, clock: Clock) {
    this.#aws = aws;
    this.#clock = clock;
  }

  /** As AWS last said. Nobody keeps it up to date. */
  known({ id }: Pool): ReadTargets | undefined {
    return this.#known.get(id);
  }

  read({ id }: Pool, by: CallFor): Promise<ReadTargets> {
    const shared = this.#reads.get(id) ?? new SharedCall((sent, call) => this.#describe(id, sent, call));
    this.#reads.set(id, shared);
    return shared.ask(undefined, by);
  }

  /** Of load balancers that are gone nothing is cached. */
  retainOnly(isThere: (name: string) => boolean): void {
    for (const cached of [this.#reads, this.#known])
      for (const id of [...cached.keys()]) if (!isThere(id)) cached.delete(id);
  }

  async #describe(name: string, sent: () => unknown, by: CallFor): Promise<ReadTargets> {
    let at = this.#clock.now();
    try {
      const { InstanceStates } = await this.#aws.caller.call(DESCRIBE_HEALTH, by, () => {
        sent();
        at = this.#clock.now();
        // Nobody is named: that is about every instance that is registered.
        return unlessListed<DescribeInstanceHealthCommandOutput>(this.#aws, name, by, () =>
          this.#aws.classic.send(new DescribeInstanceHealthCommand({ LoadBalancerName: name }), {
            abortSignal: by.signal,
          }),
        );
      });
      const targets = (InstanceStates ?? []).map((state) => ({
        target: state.InstanceId ?? "",
        isHealthy: state.State === "InService" && stateOf(state) === "live",
      }));
      const read = { at, targets };
      this.#known.set(name, read);
      return read;
    } catch (error) {
      if (isPoolGone(error)) return { at, targets: [] };
      throw error;
    }
  }
}
