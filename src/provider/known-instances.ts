import type { Instance } from "@aws-sdk/client-ec2";
import type { AwsAccess } from "../aws/aws-caller.ts";
import type { Clock } from "../drain/clock.ts";
import type { CallFor, Node } from "../drain/cloud-provider.ts";
import type { NodeReference } from "../drain/request.ts";
import { describeInstances, findTerminated } from "./instances.ts";
import { addressesOf } from "./node-addresses.ts";

/** The cluster and the network of an instance do not change. What changes is read again before it matters. */
const KEPT_MS = 150_000;
/** For this many instances that callers asked about, the last answer is kept. */
const MET_MAX = 1_000;
/** A read answers whether an instance is terminated for this long: until the index has read it again, and some time more. */
const STATE_KEPT_MS = 75_000;

/** The live instances that are registered somewhere, so that a drain of one of them can begin without a call. */
export class KnownInstances {
  readonly #aws: AwsAccess;
  readonly #clock: Clock;
  readonly #asNode: (instance: Instance) => Node | undefined;
  #known: ReadonlyMap<string, Node> = new Map();
  #at = Number.NEGATIVE_INFINITY;
  /** Those that the last read has described, and whether each was terminated. */
  #terminated: ReadonlyMap<string, boolean> = new Map();
  /** Nodes that are being drained, by when a caller last asked whether they are terminated. No pool may list them any more. */
  readonly #watched = new Map<string, number>();
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

  /**
   * The ids of those that are terminated, which is final. What the index has read a short while ago is not read again: it reads
   * these instances from now on, too.
   */
  async findTerminated(nodes: readonly Pick<Node, "id">[], by: CallFor): Promise<ReadonlySet<string>> {
    const now = this.#clock.now();
    this.#forgetUnwatched(now);
    for (const { id } of nodes) this.#watched.set(id, now);
    const isRead = ({ id }: Pick<Node, "id">) => now - this.#at <= STATE_KEPT_MS && this.#terminated.has(id);
    const found = await findTerminated(
      this.#aws,
      nodes.filter((node) => !isRead(node)),
      by,
    );
    const known = nodes.filter((node) => isRead(node) && this.#terminated.get(node.id) === true);
    return new Set([...found, ...known.map(({ id }) => id)]);
  }

  /** Reads all of them from EC2, and those that are being drained. Forgets the others. */
  async refresh(registered: ReadonlySet<string>, by: CallFor): Promise<void> {
    const at = this.#clock.now();
    this.#forgetUnwatched(at);
    const ids = new Set([...registered, ...this.#watched.keys()]);
    if (ids.size === 0) return;
    const known = new Map<string, Node>();
    const terminated = new Map<string, boolean>();
    for (const instance of await describeInstances(this.#aws, { filter: "instance-id" }, () => [...ids], by)) {
      terminated.set(instance.InstanceId ?? "", instance.State?.Name === "terminated");
      const node = this.#asNode(instance);
      if (node !== undefined) known.set(node.id, { ...node, asOf: at });
    }
    this.#known = known;
    this.#terminated = terminated;
    this.#at = at;
  }

  #forgetUnwatched(now: number): void {
    for (const [id, askedAt] of this.#watched) if (now - askedAt > STATE_KEPT_MS) this.#watched.delete(id);
  }
}

function has(node: Node, address: string): boolean {
  return addressesOf(node).includes(address);
}
