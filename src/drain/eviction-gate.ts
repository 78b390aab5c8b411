import type { Clock } from "./clock.ts";
import { asDrainError, DrainError } from "./errors.ts";
import type { DrainObserver } from "./events.ts";
import { type GatedDrain, GatedDrains, type GatedDrainsOptions } from "./gated-drains.ts";
import { LimitPassed, withLimit } from "./limit.ts";

/** The API server waits a little longer for the webhook, and then allows the eviction itself. */
const ANSWER_WITHIN_MS = 2_000;
/** The number of evictions that may wait for the API server to say which pod and node they are about. */
const UNDER_WAY_MAX = 200;
/** From the departure that a Node object announces to its drain: the watch, and a read of EC2. */
const BEGINS_WITHIN_MS = 30_000;
/** A drain that never began is waited for once more after this time. */
const AWAITED_AGAIN_MS = 900_000;
/** Between the end of the last pod and the end of the drain. */
const SLACK_MS = 10_000;
/** See `retryAfter`. */
const RETRY_AFTER_MAX_SECONDS = 10;
/** A held pod is read again after this time, because another pod may have its name by then. */
const REMEMBERED_MS = 30_000;
/** Far more than the nodes that leave at the same time, and the pods on them. */
const NODES_MAX = 5_000;
const PODS_MAX = 20_000;

/** A request to evict a pod. */
export interface AskedEviction {
  readonly namespace: string;
  readonly name: string;
  /** The uid of the pod. Absent: the pod that has the name now. */
  readonly uid?: string;
  /** The grace period of the request, in milliseconds. Absent: the pod's own. */
  readonly graceMs?: number;
  /** This program evicts the pod, and has waited for the load balancers before. */
  readonly isOwn: boolean;
  /** Nothing will be evicted, whatever the answer is. */
  readonly isDryRun: boolean;
}

/** The part of a pod that decides about its eviction. */
export interface GatedPod {
  readonly uid: string;
  /** The name of its Node object. Absent: it is not scheduled yet. */
  readonly node?: string;
  /** It gets no traffic that matters: it belongs to a DaemonSet, is a mirror pod, has finished or is terminating. */
  readonly isExempt: boolean;
  /** Its grace period, in milliseconds. */
  readonly graceMs: number;
}

/** The part of a Node object that decides about evictions of its pods. */
export interface GatedNode {
  /** Absent: it is not an EC2 instance, and is never drained. */
  readonly instanceId?: string;
  /** It announces a departure that begins a drain. */
  readonly isLeaving: boolean;
  /**
   * When the program that removes the node stops trying to evict, in milliseconds since the epoch. Absent: it does not
   * stop.
   */
  readonly evictBy?: number;
}

/** How the gate reads pods and nodes. The asynchronous methods throw `DrainError` as a rule. */
export interface GatedCluster {
  /** Undefined: there is no such pod. */
  pod(asked: AskedEviction, signal: AbortSignal): Promise<GatedPod | undefined>;
  /** The Node object as it was read last. Makes no call. */
  known(name: string): GatedNode | undefined;
  /** The Node object as it is now. Undefined: there is none. */
  node(name: string, signal: AbortSignal): Promise<GatedNode | undefined>;
}

/** Why an eviction is allowed. */
type PassedBecause =
  /** The end of the machine removes the pod, the pod gets no traffic, or this program itself evicts it. */
  | "exempt"
  | "node-stays"
  /** Load balancers have stopped sending traffic to the node, or its drain has ended. */
  | "released"
  /** Otherwise the pod would not end in time, or the program that evicts it would stop trying. */
  | "deadline"
  /** The node announces its departure, and no drain has begun. */
  | "no-drain"
  /** It could not be found out in time whether the eviction has to be held. */
  | "unknown";

export type GateVerdict =
  | { readonly isHeld: false; readonly because: PassedBecause }
  | {
      readonly isHeld: true;
      /** Absent: the caller's own interval is as good. */
      readonly retryAfterSeconds?: number;
    };

export type GateEvent =
  /** Reported once for each pod. `drainId` absent: the drain has not begun yet. */
  | { readonly type: "eviction-held"; readonly pod: string; readonly instanceId: string; readonly drainId?: string }
  /** An eviction that was held before is allowed. */
  | {
      readonly type: "held-eviction-passed";
      readonly pod: string;
      readonly instanceId: string;
      readonly because: PassedBecause;
      readonly heldMs: number;
    }
  | { readonly type: "gate-failed"; readonly error: DrainError }
  /** Each answer. */
  | { readonly type: "eviction-reviewed"; readonly verdict: GateVerdict };

export interface EvictionGateOptions extends GatedDrainsOptions {
  readonly cluster: GatedCluster;
  /** Nothing is drained, so that nothing is held. */
  readonly dryRun: boolean;
  readonly onEvent: (event: GateEvent) => void;
}

interface Held {
  readonly pod: GatedPod;
  readonly readAt: number;
  readonly since: number;
  readonly instanceId: string;
}

/**
 * Holds evictions of pods on leaving nodes until load balancers have stopped sending traffic to the node. If in doubt,
 * an eviction is allowed.
 */
export class EvictionGate {
  readonly #options: EvictionGateOptions;
  readonly #clock: Clock;
  readonly #drains: GatedDrains;
  /** When the gate began to wait for a drain, by the instance id. */
  readonly #awaited = new Map<string, number>();
  /** The held evictions, by `namespace/name`. */
  readonly #held = new Map<string, Held>();
  #underWay = 0;

  constructor(options: EvictionGateOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#drains = new GatedDrains(options);
  }

  readonly observe: DrainObserver = (event) => {
    this.#drains.note(event);
    if (event.type === "accepted" || event.type === "resumed") this.#awaited.delete(event.node.id);
  };

  /** Rejects only with the reason of `signal`. */
  async judge(asked: AskedEviction, signal: AbortSignal): Promise<GateVerdict> {
    this.#underWay += 1;
    try {
      return this.#reviewed(await this.#inTime(asked, signal));
    } catch (thrown) {
      signal.throwIfAborted();
      this.#options.onEvent({ type: "gate-failed", error: failureOf(thrown) });
      return this.#reviewed(passes("unknown"));
    } finally {
      this.#underWay -= 1;
    }
  }

  async #inTime(asked: AskedEviction, signal: AbortSignal): Promise<GateVerdict> {
    if (asked.isOwn || this.#options.dryRun) return passes("exempt");
    if (this.#underWay > UNDER_WAY_MAX)
      throw new DrainError("throttled", `more than ${UNDER_WAY_MAX} evictions are being reviewed`);
    const limit = { reason: "timeout", at: this.#clock.now() + ANSWER_WITHIN_MS } as const;
    return withLimit({ clock: this.#clock, limit, signal }, (within) => this.#verdict(asked, within));
  }

  async #verdict(asked: AskedEviction, signal: AbortSignal): Promise<GateVerdict> {
    const { cluster } = this.#options;
    const key = `${asked.namespace}/${asked.name}`;
    const { pod, readAt } = this.#remembered(key, asked) ?? {
      pod: await cluster.pod(asked, signal),
      readAt: this.#clock.now(),
    };
    if (pod?.node === undefined || pod.isExempt) {
      if (!asked.isDryRun) this.#held.delete(key);
      return passes("exempt");
    }
    const known = cluster.known(pod.node);
    const isSure = known !== undefined && (known.isLeaving || this.#drainOf(known) !== undefined);
    // The eviction may arrive earlier than the event that has led to it.
    const node = isSure ? known : await cluster.node(pod.node, signal);
    if (node?.instanceId === undefined) return passes("node-stays");
    const drain = this.#drainOf(node);
    if (drain?.isOpen === true && node.isLeaving && !asked.isDryRun) this.#drains.leavesStill(node.instanceId);
    const graceMs = asked.graceMs ?? pod.graceMs;
    const verdict =
      drain === undefined ? this.#withoutDrain(node, node.instanceId, asked) : this.#during(drain, node, graceMs);
    if (!asked.isDryRun) this.#remember(key, verdict, { pod, readAt, instanceId: node.instanceId }, drain?.drainId);
    return verdict;
  }

  #drainOf({ instanceId }: GatedNode): GatedDrain | undefined {
    return instanceId === undefined ? undefined : this.#drains.of(instanceId);
  }

  #during(drain: GatedDrain, { evictBy = Number.POSITIVE_INFINITY }: GatedNode, graceMs: number): GateVerdict {
    if (drain.isOpen) return passes("released");
    const now = this.#clock.now();
    const { until, deadlineAt = Number.POSITIVE_INFINITY } = drain;
    if (now >= evictBy || now + graceMs + SLACK_MS >= deadlineAt) return passes("deadline");
    return { isHeld: true, ...retryAfter(until - now) };
  }

  /** Its drain is about to begin, or never begins. */
  #withoutDrain(node: GatedNode, instanceId: string, { isDryRun }: AskedEviction): GateVerdict {
    const now = this.#clock.now();
    if (!node.isLeaving) {
      this.#awaited.delete(instanceId);
      return passes("node-stays");
    }
    const before = this.#awaited.get(instanceId);
    const since = before === undefined || now - before >= AWAITED_AGAIN_MS ? now : before;
    if (!isDryRun) put(this.#awaited, instanceId, since, NODES_MAX);
    if (now >= (node.evictBy ?? Number.POSITIVE_INFINITY)) return passes("deadline");
    return now - since >= BEGINS_WITHIN_MS ? passes("no-drain") : { isHeld: true };
  }

  /** What was read of a pod whose eviction is held. */
  #remembered(key: string, { uid }: AskedEviction): Held | undefined {
    const held = this.#held.get(key);
    if (held === undefined || this.#clock.now() - held.readAt >= REMEMBERED_MS) return undefined;
    return uid === undefined || uid === held.pod.uid ? held : undefined;
  }

  #remember(
    key: string,
    verdict: GateVerdict,
    { instanceId, ...read }: Omit<Held, "since">,
    drainId: string | undefined,
  ): void {
    const { onEvent } = this.#options;
    const before = this.#held.get(key);
    const now = this.#clock.now();
    if (verdict.isHeld) {
      put(this.#held, key, { ...read, instanceId, since: before?.since ?? now }, PODS_MAX);
      if (before === undefined)
        onEvent({ type: "eviction-held", pod: key, instanceId, ...(drainId !== undefined && { drainId }) });
      return;
    }
    if (!this.#held.delete(key) || before === undefined) return;
    const { because } = verdict;
    onEvent({ type: "held-eviction-passed", pod: key, instanceId, because, heldMs: now - before.since });
  }

  #reviewed(verdict: GateVerdict): GateVerdict {
    this.#options.onEvent({ type: "eviction-reviewed", verdict });
    return verdict;
  }
}

/**
 * Only shortly before the end of a hold. If an answer says when to retry, Kubernetes' own client repeats the request
 * ten times within the caller's call. A call that lasts for minutes would keep Karpenter's workers from evicting other
 * pods. https://github.com/kubernetes/client-go/blob/v0.35.4/rest/with_retry.go
 */
function retryAfter(remainingMs: number): { readonly retryAfterSeconds?: number } {
  const seconds = Math.max(1, Math.ceil(remainingMs / 1_000));
  return seconds > RETRY_AFTER_MAX_SECONDS ? {} : { retryAfterSeconds: seconds };
}

function passes(because: PassedBecause): GateVerdict {
  return { isHeld: false, because };
}

function failureOf(thrown: unknown): DrainError {
  if (!(thrown instanceof LimitPassed)) return asDrainError(thrown);
  const within = `${ANSWER_WITHIN_MS / 1_000} s`;
  return new DrainError(
    "unreachable",
    `the API server did not say within ${within} which pod and node an eviction is about`,
  );
}

/** Keeps the `max` entries that were put last. */
function put<T>(map: Map<string, T>, key: string, value: T, max: number): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > max && oldest !== undefined) map.delete(oldest);
}
