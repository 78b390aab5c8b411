import type { Instance } from "@aws-sdk/client-ec2";
import type { AwsAccess } from "../aws/aws-caller.ts";
import type { Clock } from "../drain/clock.ts";
import type { CallFor, Node } from "../drain/cloud-provider.ts";
import { describeInstances } from "./instances.ts";

/** An instance's cluster and network do not change; what does is asked for again before it matters. */
const KEPT_MS = 150_000;

/** The live instances that are registered somewhere, so that a drain of one of them can begin without a call. */
export class KnownInstances {
  readonly #aws: AwsAccess;
  readonly #clock: Clock;
  readonly #asNode: (instance: Instance) => Node | undefined;
  #known: ReadonlyMap<string, Node> = new Map();
  #at = Number.NEGATIVE_INFINITY;

  /** `asNode`: undefined of an instance that must not be drained, or that is gone. */
  constructor(aws: AwsAccess, clock: Clock, asNode: (instance: Instance) => Node | undefined) {
    this.#aws = aws;
    this.#clock = clock;
    this.#asNode = asNode;
  }

  /** The node, where it was seen a short while ago. */
  recall(id: string): Node | undefined {
    return this.#clock.now() - this.#at <= KEPT_MS ? this.#known.get(id) : undefined;
  }

  /** Asks EC2 about all of them, and forgets the others. */
  async refresh(ids: ReadonlySet<string>, by: CallFor): Promise<void> {
    if (ids.size === 0) return;
    const at = this.#clock.now();
    const known = new Map<string, Node>();
    for (const instance of await describeInstances(this.#aws, { filter: "instance-id" }, () => [...ids], by)) {
      const node = this.#asNode(instance);
      if (node !== undefined) known.set(node.id, { ...node, asOf: at });
    }
    this.#known = known;
    this.#at = at;
  }
}
