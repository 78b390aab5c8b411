import type { Instance } from "@aws-sdk/client-ec2";
import type { AwsAccess } from "../aws/aws-caller.ts";
import type { Clock } from "../drain/clock.ts";
import type { CallFor, Node } from "../drain/cloud-provider.ts";
import type { NodeReference } from "../drain/request.ts";
import { describeInstances } from "./instances.ts";
import { addressesOf } from "./node-addresses.ts";

/** The cluster and the network of an instance do not change. What changes is read again before it matters. */
const KEPT_MS = 150_000;
/** For this many instances that callers asked about, the last answer is kept. */
const MET_MAX = 1_000;

/** The live instances that are registered somewhere, so that a drain of one of them can begin without a call. */
export class KnownInstances {
  readonly #aws: AwsAccess;
  readonly #clock: Clock;
  readonly #asNode: (instance: Instance) => Node | undefined;
  #known: ReadonlyMap<string, Node> = new Map();
  #at = Number.NEGATIVE_INFINITY;
  /** Instances that callers have asked about, even if no pool lists them by id. The newest are last. */
  readonly #met = new Map<string, Node>();

  /** `asNode`: undefined for an instance that must not be drained, or that is gone. */
  constructor(aws: AwsAccess, clock: Clock, asNode: (instance: Instance) => Node | undefined) {
    this.#aws = aws;
    this.#clock = clock;
    this.#asNode = asNode;
  }

  /** The node, if it was described a short while ago. */
  recall(id: string): Node | undefined {
    return this.#clock.now() - this.#at <= KEPT_MS ? this.#known.get(id) : undefined;
  }

  /** A caller has just got this node. */
  met(node: Node): void {
    this.#met.delete(node.id);
    this.#met.set(node.id, { ...node, asOf: this.#clock.now() });
    const [oldest] = this.#met.keys();
    if (this.#met.size > MET_MAX && oldest !== undefined) this.#met.delete(oldest);
  }

  /**
   * The node that the reference names, as it was last described, no matter how long ago. Undefined if several match.
   */
  lastKnown({ by, value }: NodeReference): Node | undefined {
    if (by === "id") return this.#newest(value);
    const all = [...new Set([...this.#known.keys(), ...this.#met.keys()])].map((id) => this.#newest(id));
    const fitting = all.filter((node) => (by === "name" ? node?.name === value : node && has(node, value)));
    return fitting.length === 1 ? fitting[0] : undefined;
  }

  #newest(id: string): Node | undefined {
    const [known, met] = [this.#known.get(id), this.#met.get(id)];
    return (known?.asOf ?? 0) >= (met?.asOf ?? 0) ? known : met;
  }

  /** Reads all of them from EC2, and forgets the others. */
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

function has(node: Node, address: string): boolean {
  return addressesOf(node).includes(address);
}
