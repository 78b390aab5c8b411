import { onTestFinished } from "vitest";
import { EXCLUDE_LABEL } from "../../src/drain/cluster.ts";
import type { ApiServer } from "../../src/kubernetes/api-server.ts";
import { DELAY_PREFIX } from "../../src/kubernetes/nodes.ts";
import type { Node } from "../../src/kubernetes/objects.ts";
import type { Clock } from "../../src/simulator/clock.ts";
import { type ClusterNode, instanceIdOf } from "../../src/simulator/cluster/cluster-node.ts";
import type { ClassicLoadBalancer } from "../../src/simulator/world/classic-load-balancer.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import type { World } from "../../src/simulator/world/world.ts";
import { never } from "./simulated-region.ts";

/** From an event of a node to the call to AWS, observed with cloud-provider-aws 1.35.3. */
const REACTION_MS = 200;
/** What cloud-provider-aws reads as "not excluded" (Go's strconv.ParseBool). */
const INCLUDES = /^(?:0|f|F|false|FALSE|False)$/;

/**
 * cloud-provider-aws with one classic load balancer: at each event of any node it compares the ready nodes with what is
 * registered, and registers before it deregisters. The real one runs in test/conformance/kubernetes.
 * https://github.com/kubernetes/cloud-provider-aws/blob/master/pkg/providers/v1/aws_loadbalancer.go
 */
export class ClassicController {
  readonly #world: World;
  readonly #classic: ClassicLoadBalancer;
  #nodes: readonly ClusterNode[] = [];

  constructor(world: World, classic: ClassicLoadBalancer) {
    this.#world = world;
    this.#classic = classic;
  }

  setNodes(nodes: readonly ClusterNode[]): void {
    this.#nodes = nodes;
    this.#world.clock.sleep(REACTION_MS, never).then(
      () => this.#reconcile(),
      () => {},
    );
  }

  #reconcile(): void {
    this.#world.catchUp();
    const isWanted = ({ labels, ready }: ClusterNode) =>
      ready === "True" && (labels[EXCLUDE_LABEL] === undefined || INCLUDES.test(labels[EXCLUDE_LABEL]));
    const wanted = new Set(this.#nodes.filter(isWanted).map(instanceIdOf));
    const registered = this.#classic.registered(this.#world.clock.now());
    for (const id of wanted) {
      const isMissing = id !== undefined && !registered.includes(id) && this.#world.isRunning(id);
      if (isMissing) this.#world.registerClassic(this.#classic, id);
    }
    for (const id of registered) if (!wanted.has(id)) this.#world.deregisterClassic(this.#classic, id);
  }
}

/** What an actor that removes nodes has to do it with. */
export interface ActorParts {
  readonly api: ApiServer;
  readonly clock: Clock;
  /** The machine is to go, as the actor asks AWS for it. */
  readonly terminate: (instance: Instance) => void;
}

/** Evicted pods have gone so much later, with the scene's short delays. With Karpenter 1.15 it took 3.3 s. */
const PODS_GONE_MS = 500;
/** From the taint to the first eviction, observed with Karpenter 1.15. */
const EVICTS_AFTER_MS = 150;
/** From the end of the last pod to the end of the machine, observed with Karpenter 1.15. */
const MACHINE_GOES_MS = 500;

/** Resolves once it is gone. */
export interface Evictable {
  evict(): Promise<unknown>;
}

/**
 * Karpenter 1.15, from the disruption of a node to its end, in the order that was observed: taint and label in one step,
 * the ordinary pods, then the pods of DaemonSets that do not tolerate the taint, then the machine. `graceMs`: the NodePool's
 * terminationGracePeriod, after which it waits for no pod any more.
 * https://karpenter.sh/docs/concepts/disruption/#terminationgraceperiod
 */
export async function disrupt(
  instance: Instance,
  { api, clock, terminate }: ActorParts,
  {
    holder,
    pod,
    graceMs,
  }: { readonly holder?: Evictable | undefined; readonly pod?: Evictable; readonly graceMs?: number } = {},
): Promise<void> {
  await api.mergePatch(
    nodePath(instance),
    {
      metadata: { labels: { [EXCLUDE_LABEL]: "karpenter" } },
      spec: { taints: [{ key: "karpenter.sh/disrupted", effect: "NoSchedule" }] },
    },
    never,
  );
  await clock.sleep(pod === undefined ? PODS_GONE_MS : EVICTS_AFTER_MS, never);
  const evicted = async () => {
    await pod?.evict();
    await holder?.evict();
  };
  await (graceMs === undefined ? evicted() : endsWithin(graceMs, evicted(), clock));
  await clock.sleep(MACHINE_GOES_MS, never);
  terminate(instance);
}

/** Resolves when the work has, or the time has passed. */
async function endsWithin(ms: number, work: Promise<unknown>, clock: Clock): Promise<void> {
  const ended = new AbortController();
  const passed = clock.sleep(ms, ended.signal).catch(() => {});
  await Promise.race([work, passed]);
  ended.abort();
}

/** cluster-autoscaler looks every 5 s whether a deletion is still delayed. Here it is a second, as other times are short. */
const AUTOSCALER_POLL_MS = 1_000;

/**
 * cluster-autoscaler 1.35: taint, then the pods are evicted; where an annotation delayed the deletion before the taint, it waits until that is gone
 * or the limit has passed; otherwise for one poll. Then TerminateInstanceInAutoScalingGroup.
 * https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md
 */
export async function scaleDown(
  instance: Instance,
  { api, clock, terminate }: ActorParts,
  { delayLimitMs, pod }: { readonly delayLimitMs: number; readonly pod?: Evictable },
): Promise<"waited" | "not-delayed" | "limit-passed"> {
  const path = nodePath(instance);
  const isDelayed = async () => {
    const { metadata } = await api.get<Node>(path, never);
    return Object.keys(metadata?.annotations ?? {}).some((key) => key.startsWith(DELAY_PREFIX));
  };
  const wasDelayed = await isDelayed();
  const taintedAt = clock.now();
  const value = String(Math.floor(taintedAt / 1_000));
  const taint = { key: "ToBeDeletedByClusterAutoscaler", value, effect: "NoSchedule" };
  await api.mergePatch(path, { spec: { taints: [taint] } }, never);
  await pod?.evict();
  const evictedAt = clock.now();
  let isWaiting = true;
  do {
    await clock.sleep(AUTOSCALER_POLL_MS, never);
    isWaiting = wasDelayed && (await isDelayed());
  } while (isWaiting && clock.now() - evictedAt < delayLimitMs);
  terminate(instance);
  if (isWaiting) return "limit-passed";
  return wasDelayed ? "waited" : "not-delayed";
}

/** Makes a Node object become not ready and ready again by turns, until the test ends: an event of a node each time. */
export function flap(instance: Instance, { api, clock }: Pick<ActorParts, "api" | "clock">, everyMs: number): void {
  const ended = new AbortController();
  const flapping = (async () => {
    for (let isReady = false; ; isReady = !isReady) {
      await api.mergePatch(nodePath(instance), { status: statusOf(isReady) }, ended.signal);
      await clock.sleep(everyMs, ended.signal);
    }
  })().catch(() => {}); // The test's end.
  onTestFinished(() => {
    ended.abort();
    return flapping;
  });
}

export const NODES = "/api/v1/nodes";
export const CLAIMS = "/apis/karpenter.sh/v1/nodeclaims";

/** The Node object of a machine, as the kubelet and the cloud's controller have made it. */
export function nodeObject({ id, name, zone }: Instance): Node {
  return {
    metadata: {
      name,
      labels: {},
      ownerReferences: [{ apiVersion: "karpenter.sh/v1", kind: "NodeClaim", name: id, uid: id }],
    },
    spec: { providerID: `aws:///${zone}/${id}`, taints: [] },
    status: statusOf(true),
  };
}

function statusOf(isReady: boolean) {
  return { conditions: [{ type: "Ready", status: isReady ? "True" : "False" }] };
}

function nodePath({ name }: Instance): string {
  return `${NODES}/${name}`;
}
