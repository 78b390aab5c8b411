import type { TargetDescription, TargetGroup } from "../world/target-group.ts";
import type { World } from "../world/world.ts";
import { type ClusterNode, instanceIdOf } from "./cluster-node.ts";
import { TargetCache } from "./target-cache.ts";

/** The nodes or pods that a target group should have, as in the controller's resource of that name. */
export interface TargetGroupBinding {
  readonly group: TargetGroup;
  /** The service's node port. Default: the group's port. */
  readonly port?: number;
  /** Labels that nodes must have, in addition to the rules for all. */
  readonly nodeSelector?: Readonly<Record<string, string>>;
}

/** A pod in the endpoint slices of its service. */
export interface PodEndpoint {
  readonly ip: string;
  readonly port?: number;
  readonly ready: boolean;
  /** The status of the pod's condition ContainersReady. */
  readonly containersReady: boolean;
  readonly terminating?: boolean;
  readonly nodeName?: string;
}

/** From an event of a node to the call to AWS: 0.11 to 0.3 s, observed with version 3.5.0. */
const REACTION_MS = 200;
/** For a failed reconcile, by controller-runtime's default. */
const RETRY_FIRST_MS = 5;
const RETRY_MAX_MS = 1_000_000;
/**
 * An older checkpoint is renewed after the delay, by the flag `--sync-period`. The jitter of up to 15 min is not
 * simulated.
 */
const SYNC_PERIOD_MS = 10 * 60 * 60 * 1_000;
const DEFERRED_MS = 30 * 60 * 1_000;

type Endpoint = Required<Pick<TargetDescription, "id" | "port">>;

interface BindingState {
  readonly binding: TargetGroupBinding;
  /** The result of the last reconcile, kept in an annotation, which survives the process. */
  checkpoint: string;
  checkpointAt: number;
  pods: readonly PodEndpoint[] | undefined;
  failures: number;
  isQueued: boolean;
  isDeferred: boolean;
}

/**
 * aws-load-balancer-controller, version 3.5, as far as it registers and deregisters targets. `Controller` is a simpler
 * one, which reconciles at an interval.
 *
 * Each rule comes from its source code or was observed. Its changes to load balancers and security groups are left out.
 * https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/main/pkg/targetgroupbinding/resource_manager.go
 */
export class LoadBalancerController {
  readonly #world: World;
  readonly #bindings: readonly BindingState[];
  readonly #cache = new TargetCache();
  readonly #closed = new AbortController();
  #nodes: ReadonlyMap<string, ClusterNode> = new Map();

  constructor(world: World, bindings: readonly TargetGroupBinding[]) {
    this.#world = world;
    this.#bindings = bindings.map((binding) => ({
      binding,
      checkpoint: "",
      checkpointAt: Number.NEGATIVE_INFINITY,
      pods: undefined,
      failures: 0,
      isQueued: false,
      isDeferred: false,
    }));
  }

  /** Sets all nodes of the cluster, from now on. */
  setNodes(nodes: readonly ClusterNode[]): void {
    const before = this.#nodes;
    this.#nodes = new Map(nodes.map((node) => [node.name, node]));
    const names = new Set([...before.keys(), ...this.#nodes.keys()]);
    for (const state of this.#bindings) {
      if (state.binding.group.targetType !== "instance") continue;
      const isConcerned = (name: string) => concerns(before.get(name), this.#nodes.get(name), state.binding);
      if ([...names].some(isConcerned)) this.#enqueue(state, REACTION_MS);
    }
  }

  /** Sets all endpoints of the service of a group of type ip. Labels and taints of nodes do not affect them. */
  setPods(group: TargetGroup, pods: readonly PodEndpoint[]): void {
    for (const state of this.#bindings.filter(({ binding }) => binding.group === group)) {
      state.pods = pods;
      this.#enqueue(state, REACTION_MS);
    }
  }

  /** Applies each list of nodes, until the lists end or `signal` aborts. */
  async follow(lists: AsyncIterable<readonly ClusterNode[]>, signal: AbortSignal): Promise<void> {
    for await (const nodes of lists) {
      if (signal.aborted) return;
      this.setNodes(nodes);
    }
  }

  /** The process ends and starts again: it has forgotten the targets, and reconciles all bindings. */
  restart(): void {
    this.#cache.clear();
    for (const state of this.#bindings) {
      state.failures = 0;
      this.#enqueue(state, REACTION_MS);
    }
  }

  /** Stops. */
  close(): void {
    this.#closed.abort();
  }

  #enqueue(state: BindingState, afterMs: number): void {
    if (state.isQueued) return;
    state.isQueued = true;
    this.#later(afterMs, () => {
      state.isQueued = false;
      this.#reconcile(state);
    });
  }

  #reconcile(state: BindingState): void {
    this.#world.catchUp();
    const wanted = this.#wanted(state);
    const checkpoint = `${wanted?.map(({ id, port }) => `${id}:${port}`).sort()}/`;
    // A single Ready node without an instance id fails the reconcile for all nodes of the binding.
    if (wanted === undefined) this.#retry(state);
    else if (checkpoint === state.checkpoint) this.#defer(state);
    else if (!this.#change(state, wanted)) this.#retry(state);
    else Object.assign(state, { checkpoint, checkpointAt: this.#world.clock.now(), failures: 0 });
  }

  /** Returns whether AWS accepted everything. */
  #change(state: BindingState, wanted: readonly Endpoint[]): boolean {
    const { group } = state.binding;
    const isSame = (a: Endpoint, b: Endpoint) => a.id === b.id && a.port === b.port;
    // A draining target counts as not registered, so targets that another program has deregistered are registered
    // again.
    const live = this.#cache.list(group, this.#world.clock.now()).filter(({ state: health }) => health !== "draining");
    const surplus = live.filter((target) => !wanted.some((one) => isSame(one, target)));
    const missing = wanted.filter((target) => !live.some((one) => isSame(one, target)));
    if (surplus.length > 0 || missing.length > 0) state.checkpoint = "";
    for (const target of surplus) this.#world.deregisterTarget(group, target);
    this.#cache.changed(group, surplus);
    // AWS refuses the whole call if one instance does not run.
    if (group.targetType === "instance" && missing.some(({ id }) => !this.#world.isRunning(id))) return false;
    for (const target of missing) this.#world.registerTarget(group, target);
    this.#cache.changed(group, missing);
    return true;
  }

  /** Undefined if it can't be determined, because a node has no instance id. */
  #wanted({ binding, pods }: BindingState): readonly Endpoint[] | undefined {
    const { group, port = group.port } = binding;
    if (group.targetType !== "instance") {
      return (pods ?? []).filter((pod) => this.#isServing(pod)).map((pod) => ({ id: pod.ip, port: pod.port ?? port }));
    }
    const suitable = [...this.#nodes.values()].filter((node) => isTrafficProxy(node, binding));
    const ids = suitable.filter(({ ready }) => ready === "True").map(instanceIdOf);
    if (ids.some((id) => id === undefined)) return undefined;
    return ids.map((id = "") => ({ id, port }));
  }

  /**
   * An endpoint that is not ready still counts while its containers are ready, its node is ready, and it does not
   * terminate.
   * https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/main/pkg/backend/endpoint_resolver.go
   */
  #isServing({ ready, containersReady, terminating = false, nodeName = "" }: PodEndpoint): boolean {
    if (ready) return true;
    return containersReady && !terminating && this.#nodes.get(nodeName)?.ready === "True";
  }

  #retry(state: BindingState): void {
    const afterMs = Math.min(RETRY_FIRST_MS * 2 ** state.failures, RETRY_MAX_MS);
    state.failures += 1;
    this.#enqueue(state, afterMs);
  }

  /**
   * Nothing has changed since the checkpoint, so it reads no target.
   * https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/main/controllers/elbv2/targetgroupbinding_deferred_reconciler.go
   */
  #defer(state: BindingState): void {
    const isOld = () => this.#world.clock.now() - state.checkpointAt > SYNC_PERIOD_MS;
    if (state.isDeferred || !isOld()) return;
    state.isDeferred = true;
    this.#later(DEFERRED_MS, () => {
      state.isDeferred = false;
      if (!isOld()) return;
      state.checkpoint = "";
      this.#enqueue(state, REACTION_MS);
    });
  }

  #later(ms: number, act: () => void): void {
    this.#world.clock.sleep(ms, this.#closed.signal).then(act, () => {}); // Closed.
  }
}

/** https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/main/pkg/backend/endpoint_utils.go */
const EXCLUDING_LABELS = [
  "node-role.kubernetes.io/master",
  "node.kubernetes.io/exclude-from-external-load-balancers",
  "alpha.service-controller.kubernetes.io/exclude-balancer",
];

/**
 * Whether a ready node is to be registered. The label excludes it with any value, including `false`. A cordon does not,
 * nor do other taints than these two.
 */
function isTrafficProxy({ labels, taints }: ClusterNode, { nodeSelector = {} }: TargetGroupBinding): boolean {
  if (EXCLUDING_LABELS.some((label) => Object.hasOwn(labels, label))) return false;
  if (labels["eks.amazonaws.com/compute-type"] === "fargate") return false;
  if (Object.entries(nodeSelector).some(([label, value]) => labels[label] !== value)) return false;
  return !taints.some(
    ({ key, effect }) =>
      key === "ToBeDeletedByClusterAutoscaler" || (key === "karpenter.sh/disrupted" && effect === "NoSchedule"),
  );
}

/**
 * Whether a binding is reconciled for a change of a node. An id that the node gets later is not such a change: only the
 * retries notice it.
 * https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/main/controllers/elbv2/eventhandlers/node.go
 */
function concerns(
  before: ClusterNode | undefined,
  after: ClusterNode | undefined,
  binding: TargetGroupBinding,
): boolean {
  const was = before !== undefined && isTrafficProxy(before, binding);
  const is = after !== undefined && isTrafficProxy(after, binding);
  if (was && is) return before.ready !== after.ready;
  if (was) return before.ready !== "False";
  return is && after.ready !== "False";
}
