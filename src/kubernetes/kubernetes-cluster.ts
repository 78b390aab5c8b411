import type { Clock } from "../drain/clock.ts";
import type { Cluster, ClusterMember, ClusterNode, ClusterPod, PodsRead } from "../drain/cluster.ts";
import { EXCLUDE_LABEL } from "../drain/cluster.ts";
import type { JointEviction, PlannedEviction } from "../drain/eviction.ts";
import type { EvictionStep } from "../drain/steps.ts";
import type { ApiServer } from "./api-server.ts";
import { asClusterError, KubernetesError } from "./errors.ts";
import { longestGraceMs, NodeEviction, podsToEvict } from "./eviction.ts";
import { NodePods } from "./node-pods.ts";
import { applyToNode, clusterNode, NODES_PATH, nodePath, setOwnTaint } from "./nodes.ts";
import type { Node } from "./objects.ts";
import { checkMayEvict } from "./permissions.ts";
import type { NodePod } from "./pods.ts";

/** Owns only the label: an apply without the label removes this manager's label, and no other manager's. */
const EXCLUSION_MANAGER = "hasta-la-vista-exclusion";
/** The same for `spec.unschedulable`, so that a cordon of `kubectl cordon` stays. */
const CORDON_MANAGER = "hasta-la-vista-cordon";
const NAMED_WITHIN_MS = 3_000;

/** The Node objects that are known without a call. */
export interface KnownNodes {
  /** Whether all Node objects are known. */
  readonly isListed: boolean;
  byInstance(instanceId: string): ClusterNode | undefined;
}

export interface KubernetesClusterOptions {
  readonly server: ApiServer;
  readonly clock: Clock;
  /** Absent: the API server is asked for each node. */
  readonly nodes?: KnownNodes;
  /** Absent: the pods of each node are listed. */
  readonly pods?: NodePods;
  /** Absent: nothing delays a deletion. */
  readonly delays?: { release(instanceId: string): void; retain(instanceId: string): void };
}

/** What the drainer needs from a Kubernetes cluster, through its API server. */
export class KubernetesCluster implements Cluster {
  readonly #options: KubernetesClusterOptions;
  readonly #pods: NodePods;

  constructor(options: KubernetesClusterOptions) {
    this.#options = options;
    this.#pods = options.pods ?? new NodePods(options);
  }

  exclude(node: ClusterMember, signal: AbortSignal): Promise<string | undefined> {
    return this.#withNode(node, signal, async (known) => {
      try {
        await this.#apply(known, { [EXCLUDE_LABEL]: "true" }, false, signal);
      } catch (error) {
        if (!(error instanceof KubernetesError && error.status === 409) || isGone(error)) throw error;
        // Another manager has set the label. A value that some controller reads as "included" is replaced.
        const { labels } = clusterNode(await this.#options.server.get<Node>(nodePath(known.name), signal));
        const value = labels[EXCLUDE_LABEL];
        if (value === undefined || INCLUDES.test(value))
          await this.#apply(known, { [EXCLUDE_LABEL]: "true" }, true, signal);
      }
    });
  }

  taint(node: ClusterMember, signal: AbortSignal): Promise<string | undefined> {
    return this.#withNode(node, signal, (known) => setOwnTaint(this.#options.server, known, true, signal));
  }

  untaint(node: ClusterMember, signal: AbortSignal): Promise<string | undefined> {
    return this.#withNode(node, signal, (known) => setOwnTaint(this.#options.server, known, false, signal));
  }

  include(node: ClusterMember, signal: AbortSignal): Promise<string | undefined> {
    this.#options.delays?.retain(node.id);
    return this.#withNode(node, signal, async (known) => {
      await this.#apply(known, {}, false, signal);
      await this.#applyCordon(known, {}, signal);
      await setOwnTaint(this.#options.server, known, false, signal);
    });
  }

  uncordon(node: ClusterMember, signal: AbortSignal): Promise<string | undefined> {
    return this.#withNode(node, signal, async (known) => {
      await this.#applyCordon(known, {}, signal);
      // With the uid, so that a new node of the same name is not changed.
      const patch = { metadata: { uid: known.uid }, spec: { unschedulable: null } };
      await this.#options.server.mergePatch(nodePath(known.name), patch, signal);
    });
  }

  release({ id }: ClusterMember): void {
    this.#options.delays?.release(id);
  }

  async podsOf(node: ClusterMember, read: PodsRead, signal: AbortSignal): Promise<readonly ClusterPod[]> {
    let pods: readonly ClusterPod[] = [];
    await this.#withNode(node, signal, async ({ name }) => {
      pods = await (read === "now" ? this.#pods.on(name, signal) : this.#pods.seenOn(name, signal));
    });
    return pods;
  }

  async planEviction(node: ClusterMember, options: JointEviction, signal: AbortSignal): Promise<PlannedEviction> {
    const { server } = this.#options;
    this.#pods.needed();
    let planned: PlannedEviction = { pods: [], graceMs: 0 };
    await this.#withNode(node, signal, async ({ name }) => {
      const pods = await podsToEvict(this.#pods, name, options, signal);
      await checkMayEvict(server, pods, options, signal);
      planned = { pods: pods.map((pod) => pod.name), graceMs: longestGraceMs(pods, options) };
    });
    return planned;
  }

  async evict(
    node: ClusterMember,
    options: JointEviction,
    onEvent: (step: EvictionStep) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { server, clock } = this.#options;
    const cordon = async (within: AbortSignal) => {
      let pods: readonly NodePod[] = [];
      const name = await this.#withNode(node, within, async (known) => {
        // If the pods may not be evicted, the node is not cordoned either.
        pods = await podsToEvict(this.#pods, known.name, options, within);
        await this.#applyCordon(known, { unschedulable: true }, within);
      });
      return name === undefined ? undefined : { name, pods };
    };
    await new NodeEviction({ server, pods: this.#pods, clock, options, onEvent }).run(cordon, signal);
  }

  /** Force, because a manager that has made the node schedulable before did so for another purpose. */
  #applyCordon(node: ClusterNode, spec: { readonly unschedulable?: true }, signal: AbortSignal): Promise<void> {
    return applyToNode(this.#options.server, node, { spec }, { fieldManager: CORDON_MANAGER, force: true }, signal);
  }

  /** Undefined: there is no such Node object, or the API server does not answer in time. */
  async named(name: string, signal: AbortSignal): Promise<ClusterNode | undefined> {
    try {
      return await this.#named(name, signal, NAMED_WITHIN_MS);
    } catch {
      signal.throwIfAborted();
      return undefined;
    }
  }

  /** Throws `DrainError`. */
  async nodesWith(labelSelector: string, signal: AbortSignal): Promise<readonly ClusterNode[]> {
    try {
      const { items } = await this.#options.server.list<Node>(NODES_PATH, signal, { labelSelector });
      return items.map(clusterNode);
    } catch (error) {
      signal.throwIfAborted();
      throw asClusterError(error);
    }
  }

  #apply(
    node: ClusterNode,
    labels: Readonly<Record<string, string>>,
    force: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    return applyToNode(this.#options.server, node, { labels }, { fieldManager: EXCLUSION_MANAGER, force }, signal);
  }

  async #withNode(
    member: ClusterMember,
    signal: AbortSignal,
    work: (node: ClusterNode) => Promise<void>,
  ): Promise<string | undefined> {
    try {
      const node = await this.#find(member, signal);
      if (node === undefined) return undefined;
      await work(node);
      return node.name;
    } catch (error) {
      signal.throwIfAborted();
      if (isGone(error)) return undefined;
      throw asClusterError(error);
    }
  }

  async #find(member: ClusterMember, signal: AbortSignal): Promise<ClusterNode | undefined> {
    const { nodes, server } = this.#options;
    const known = nodes?.byInstance(member.id);
    if (known !== undefined || nodes?.isListed === true) return known;
    const isMember = ({ instanceId }: ClusterNode) => instanceId === member.id;
    // By default the Node object has the name of the machine.
    const named = await this.#named(member.name, signal);
    if (named !== undefined && isMember(named)) return named;
    for await (const { items } of server.pages<Node>(NODES_PATH, signal)) {
      const found = items.map(clusterNode).find(isMember);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async #named(name: string, signal: AbortSignal, timeoutMs?: number): Promise<ClusterNode | undefined> {
    const node = await this.#options.server.find<Node>(nodePath(name), timeoutMs, signal);
    return node && clusterNode(node);
  }
}

/** The values that cloud-provider-aws reads as false (Go's strconv.ParseBool). */
const INCLUDES = /^(?:0|f|F|false|FALSE|False)$/;

/** The Node object was deleted meanwhile. The API server then refuses the uid of an apply. */
function isGone(error: unknown): boolean {
  if (!(error instanceof KubernetesError)) return false;
  return error.status === 404 || (error.status === 409 && /\buid\b/i.test(error.message));
}
