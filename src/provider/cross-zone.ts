import { DescribeLoadBalancerAttributesCommand } from "@aws-sdk/client-elastic-load-balancing-v2";
import type { AwsAccess, AwsAction } from "../aws/aws-caller.ts";
import { isNeverAnswered, isPoolGone } from "../aws/errors.ts";
import { SharedCall } from "../aws/shared-call.ts";
import type { Clock } from "../drain/clock.ts";
import type { CallFor } from "../drain/cloud-provider.ts";
import { asDrainError } from "../drain/errors.ts";
import { unlessListed } from "./listed-pools.ts";

const DESCRIBE_ATTRIBUTES: AwsAction = {
  name: "elasticloadbalancing:DescribeLoadBalancerAttributes",
  bucket: "v2-read",
  answersWith: "Attributes",
};

/** The attribute is changed rarely. */
const REMEMBERED_MS = 3_600_000;

interface Setting {
  readonly isOn: boolean;
  readonly at: number;
}

/**
 * Whether Network and Gateway Load Balancers have cross-zone load balancing on: most are set there, and their target
 * groups follow. It is off by default.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-attributes.html
 */
export class CrossZoneSettings {
  readonly #aws: AwsAccess;
  readonly #clock: Clock;
  readonly #known = new Map<string, Setting>();
  readonly #asked = new Map<string, SharedCall<undefined, boolean>>();

  constructor(aws: AwsAccess, clock: Clock) {
    this.#aws = aws;
    this.#clock = clock;
  }

  /** Whether all of the load balancers have it on, as AWS said within the last hour. Undefined: AWS was not asked. */
  recall(arns: readonly string[]): boolean | undefined {
    const settings = arns.map((arn) => this.#recall(arn));
    if (settings.includes(false)) return false;
    return settings.includes(undefined) ? undefined : settings.length > 0;
  }

  /**
   * Whether all of the load balancers with these ARNs have it on. Off where there is none, and where AWS does not answer the
   * question: then each zone is counted alone, which is the stricter of the two.
   */
  async areOn(arns: readonly string[], by: CallFor): Promise<boolean> {
    const settings = await Promise.all(arns.map((arn) => this.#recall(arn) ?? this.#ask(arn, by)));
    return settings.length > 0 && settings.every((isOn) => isOn);
  }

  /** Forgets load balancers that no longer exist. */
  retainOnly(isThere: (arn: string) => boolean): void {
    for (const cached of [this.#known, this.#asked]) {
      for (const arn of [...cached.keys()]) if (!isThere(arn)) cached.delete(arn);
    }
  }

  #recall(arn: string): boolean | undefined {
    const known = this.#known.get(arn);
    return known !== undefined && this.#clock.now() - known.at < REMEMBERED_MS ? known.isOn : undefined;
  }

  #ask(arn: string, by: CallFor): Promise<boolean> {
    const shared = this.#asked.get(arn) ?? new SharedCall((sent, call) => this.#describe(arn, sent, call));
    this.#asked.set(arn, shared);
    return shared.ask(undefined, by);
  }

  async #describe(arn: string, sent: () => unknown, by: CallFor): Promise<boolean> {
    const isOn = await this.#isOn(arn, by);
    // Callers that ask while the call is in flight get its answer.
    sent();
    this.#known.set(arn, { isOn, at: this.#clock.now() });
    return isOn;
  }

  async #isOn(arn: string, by: CallFor): Promise<boolean> {
    try {
      const { Attributes } = await this.#aws.caller.call(DESCRIBE_ATTRIBUTES, by, () =>
        unlessListed(this.#aws, arn, by, () =>
          this.#aws.v2.send(new DescribeLoadBalancerAttributesCommand({ LoadBalancerArn: arn }), {
            abortSignal: by.signal,
          }),
        ),
      );
      return (Attributes ?? []).some(
        ({ Key, Value }) => Key === "load_balancing.cross_zone.enabled" && Value === "true",
      );
    } catch (error) {
      if (isPoolGone(error) || isNeverAnswered(asDrainError(error))) return false;
      throw error;
    }
  }
}
