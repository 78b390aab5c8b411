import { DescribeTargetHealthCommand } from "@aws-sdk/client-elastic-load-balancing-v2";
import type { AwsAccess, AwsAction } from "../aws/aws-caller.ts";
import { isPoolGone, UnusableAnswer } from "../aws/errors.ts";
import { SharedCall } from "../aws/shared-call.ts";
import type { Clock } from "../drain/clock.ts";
import type { CallFor } from "../drain/cloud-provider.ts";
import { unlessListed } from "./listed-pools.ts";
import { joinedByName, type ListedTarget, stateOf } from "./target-groups.ts";

const DESCRIBE_HEALTH: AwsAction = {
  name: "elasticloadbalancing:DescribeTargetHealth",
  bucket: "v2-read",
  answersWith: "TargetHealthDescriptions",
};

/** What a target group held when AWS was asked. */
export interface TargetRead {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Reads are numbered as they are sent: one with a higher number was sent later, even within a millisecond. */
  readonly number: number;
  /** One of each id and port. */
  readonly targets: readonly ListedTarget[];
}

/** Reads target groups whole, each once for all who ask before the call is sent: nodes that search, nodes that are held. */
export class TargetReads {
  readonly #aws: AwsAccess;
  readonly #clock: Clock;
  #sent = 0;
  readonly #reads = new Map<string, SharedCall<() => void, TargetRead>>();

  constructor(aws: AwsAccess, clock: Clock) {
    this.#aws = aws;
    this.#clock = clock;
  }

  /** The number of the read that was sent last. */
  get last(): number {
    return this.#sent;
  }

  /**
   * Every registered target of the group, as AWS has it after this call. A vanished group holds none. `onSent` runs when
   * the call is sent: a later caller gets another one.
   */
  read(arn: string, by: CallFor, onSent: () => void = () => {}): Promise<TargetRead> {
    return this.#shared(arn).ask(onSent, by);
  }

  /** As `read`; a read in flight that was sent at `since` (milliseconds since the epoch) or later serves as well. */
  readSince(arn: string, since: number, by: CallFor): Promise<TargetRead> {
    return this.#shared(arn).askSince(since, () => {}, by);
  }

  /** Of groups that are gone nothing is cached. */
  retainOnly(isThere: (arn: string) => boolean): void {
    for (const arn of [...this.#reads.keys()]) if (!isThere(arn)) this.#reads.delete(arn);
  }

  #shared(arn: string): SharedCall<() => void, TargetRead> {
    const known = this.#reads.get(arn);
    if (known !== undefined) return known;
    const made = new SharedCall<() => void, TargetRead>((about, by) => this.#describe(arn, about, by), this.#clock);
    this.#reads.set(arn, made);
    return made;
  }

  async #describe(arn: string, sent: () => readonly (() => void)[], by: CallFor): Promise<TargetRead> {
    let at = 0;
    let number = 0;
    try {
      // No target is named: AWS answers differently about a named target that is gone.
      const { TargetHealthDescriptions = [] } = await this.#aws.caller.call(DESCRIBE_HEALTH, by, async () => {
        for (const inform of sent()) inform();
        at = this.#clock.now();
        number = ++this.#sent;
        const answer = await unlessListed(this.#aws, arn, by, () =>
          this.#aws.v2.send(new DescribeTargetHealthCommand({ TargetGroupArn: arn }), { abortSignal: by.signal }),
        );
        // The node of that target is unknown.
        if (answer.TargetHealthDescriptions?.some(({ Target }) => (Target?.Id ?? "") === "") === true)
          throw new UnusableAnswer("it has a target without an id");
        return answer;
      });
      // A target that is named in a list though it is not registered is a deviation of some emulators.
      const listed = TargetHealthDescriptions.filter(({ TargetHealth }) => stateOf(TargetHealth) !== "absent");
      return { at, number, targets: joinedByName(listed) };
    } catch (error) {
      if (isPoolGone(error)) return { at, number, targets: [] };
      throw error;
    }
  }
}
