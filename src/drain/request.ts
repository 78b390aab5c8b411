import { isIP } from "node:net";
import { printable } from "./errors.ts";
import { changesEviction, type EvictionOptions, type JointEviction, jointEviction } from "./eviction.ts";

/** How the one who asks names the node. */
export type NodeReference =
  | { readonly by: "id"; readonly value: string }
  | { readonly by: "ip"; readonly value: string }
  | { readonly by: "name"; readonly value: string };

/** Who asks, as far as it is known. For ledger and reports alone: nothing is decided by it. */
export interface Asker {
  /** By what kind of event the request came: `HTTP`, or what a message announced, such as `spot-interruption`. */
  readonly via: string;
  /** That event's own id. */
  readonly event?: string;
  /** The client address of the connection: that of the proxy, if there is one. */
  readonly address?: string;
  /** What it calls itself. */
  readonly agent?: string;
  /** The trace that it is in, by W3C's headers: https://www.w3.org/TR/trace-context/ */
  readonly traceparent?: string;
  readonly tracestate?: string;
  /** The user of its token, such as `system:serviceaccount:ci:deployer`, as the cluster's API server has confirmed it. */
  readonly user?: string;
}

/** `Asker.via` of a request that a caller has sent, and no event. */
export const HTTP = "http";

export interface DrainRequest {
  readonly node: NodeReference;
  /** When the machine may be gone, in milliseconds since the epoch. Absent: unknown. */
  readonly deadline?: number;
  /** How long the one who asks waits at most, in milliseconds; others may wait longer for the same drain. Absent: TIMEOUT. */
  readonly timeoutMs?: number;
  /** Why the node is to go, in the caller's words. For logs and reports alone. */
  readonly reason?: string;
  /** Absent: unknown. */
  readonly asker?: Asker;
  /** Answer with the plan and change nothing. */
  readonly dryRun: boolean;
  /** The caller accepts refusal, and is refused if too few healthy targets would remain. Absent: the machine goes anyway. */
  readonly isVoluntary?: boolean;
  /** The caller wants no guard: nothing is refused and nothing waits. */
  readonly force?: boolean;
  /**
   * Since when the same request may have been tried, perhaps by a process that is gone, in milliseconds since the epoch:
   * a registration that is found draining, or not found, may have been deregistered by that. Absent: this is the first time.
   */
  readonly firstTriedAt?: number;
  /**
   * The cluster's controllers have begun to deregister the node, because of what the request announces: some of its
   * registrations may be gone that no search has seen. Absent: they have not.
   */
  readonly isExcludedBefore?: true;
  /** Evict the pods of the node, once its traffic has ended. Absent: they stay, or another program evicts them. */
  readonly evict?: EvictionOptions;
  /** The one that removes the machine evicts its pods itself. */
  readonly isEvictedByOwner?: true;
  /** What the cloud has to say of the machine for the request to hold. Absent: it holds whatever the cloud says. */
  readonly holdsWhile?: HoldsWhile;
}

/**
 * - `stops`: the machine is stopped or on its way there. A request that tells of that may come late: the machine may have
 *   been started since. Once it runs again, a drain that nothing else has asked for ends.
 * - `runs`: what the request announces was to stop the machine by now. It has happened where the machine does not run.
 */
export interface HoldsWhile {
  readonly machine: "stops" | "runs";
  /** When the request was made, in milliseconds since the epoch. What the cloud says may be a moment older. */
  readonly saidAt?: number;
}

/** What a drain keeps of a request for its node. */
export type AskedRequest = Pick<
  DrainRequest,
  | "deadline"
  | "timeoutMs"
  | "reason"
  | "asker"
  | "isVoluntary"
  | "force"
  | "firstTriedAt"
  | "holdsWhile"
  | "isExcludedBefore"
  | "evict"
  | "isEvictedByOwner"
> & {
  /** Milliseconds since the epoch. */
  readonly askedAt: number;
};

/** Longer reasons are refused. */
export const REASON_CHARACTERS_MAX = 200;
/** Longer timeouts are refused. */
export const TIMEOUT_SECONDS_MAX = 86_400;
/** Later deadlines, counted from the request, are refused. */
export const DEADLINE_SECONDS_MAX = 86_400;

/** EC2 ids have 8 or, since 2016, 17 hexadecimal digits. */
const INSTANCE_ID = /^i-(?:[0-9a-f]{8}|[0-9a-f]{17})$/;
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i;

/** How kubectl prints nodes: `kubectl get nodes -o name`, and `spec.providerID` of a node that is an instance. */
const KUBECTL_PREFIX = /^nodes?\//i;
const PROVIDER_ID = /^aws:\/\/\/[a-z0-9-]+\/(i-[0-9a-f]+)$/i;

/** Throws `RangeError` with what to give instead, when `value` is not of the form that `by` promises. `given`: as it was typed. */
export function nodeReference(by: NodeReference["by"], value: string, given = value): NodeReference {
  switch (by) {
    case "id":
      if (INSTANCE_ID.test(value)) return { by, value };
      throw new RangeError(`'${printable(given)}' is not an instance id: give one such as i-0123456789abcdef0`);
    case "ip":
      if (isIP(value) !== 0) return { by, value };
      throw new RangeError(`'${printable(given)}' is not an IP address: give one such as 10.0.1.5`);
    case "name":
      if (HOST_NAME.test(value)) return { by, value };
      throw new RangeError(
        `'${printable(given)}' is not a node name: give one such as ip-10-0-1-5.eu-west-1.compute.internal`,
      );
    default:
      return by satisfies never;
  }
}

/**
 * The same for what a person gives, as kubectl prints it, or with blanks around it. Ids and names are taken in any letter
 * case: all of AWS's are in lower case.
 */
export function typedNodeReference(by: NodeReference["by"], given: string): NodeReference {
  const text = given.trim();
  if (by === "ip") return nodeReference(by, text, given);
  const [, idOfProvider] = PROVIDER_ID.exec(text) ?? [];
  if (idOfProvider !== undefined) return nodeReference("id", idOfProvider.toLowerCase(), given);
  return nodeReference(by, text.replace(KUBECTL_PREFIX, "").toLowerCase(), given);
}

/** Reads what a person typed: an instance id, an IP address, or else a node name. Throws like `nodeReference`. */
export function parseNodeReference(given: string): NodeReference {
  const text = given.trim().replace(KUBECTL_PREFIX, "");
  if (/^i-/i.test(text) && !text.includes(".")) return typedNodeReference("id", given);
  // No node is named by digits and dots alone: that is a mistyped address.
  if (isIP(text) !== 0 || /^[\d.]+$/.test(text)) return nodeReference("ip", text, given);
  return typedNodeReference("name", given);
}

/** A request may have been tried before, perhaps by a process that is gone. */
export interface EarlierTry {
  /** The id of the event that asks. Undefined: it has none. */
  readonly event: string | undefined;
  /** Milliseconds since the epoch. */
  readonly firstTriedAt: number;
}

/** Different reasons that a drain remembers. */
const REASONS_MAX = 20;

/** What all requests for one node come to together: one that does not accept refusal, or wants no guard, decides for all. */
export class JointRequest {
  readonly #isGuarded: boolean;
  readonly #reasons = new Set<string>();
  #deadline: number | undefined;
  #isVoluntary = true;
  #isForced = false;
  #holdsWhileStopped = true;
  #isExcludedBefore = false;
  #eviction: JointEviction | undefined;
  #isEvictedByOwner = false;
  #evictionAsked: Promise<void> | undefined;
  #onEviction: () => void = () => {};
  /** By the event that asked for it. */
  readonly #earlierTries = new Map<string | undefined, number>();
  #insisted: Promise<void> | undefined;
  #insist: () => void = () => {};

  /** `isGuarded`: there is a guard that may refuse. */
  constructor({ isGuarded }: { readonly isGuarded: boolean }) {
    this.#isGuarded = isGuarded;
  }

  add(request: Omit<AskedRequest, "askedAt">): void {
    const { deadline, reason, isVoluntary = false, force = false, firstTriedAt, holdsWhile, asker } = request;
    this.#isExcludedBefore ||= request.isExcludedBefore === true;
    this.#isEvictedByOwner ||= request.isEvictedByOwner === true;
    if (request.evict !== undefined) {
      this.#eviction = jointEviction(this.#eviction, request.evict);
      this.#onEviction();
    }
    this.#holdsWhileStopped &&= holdsWhile?.machine === "stops";
    if (firstTriedAt !== undefined) {
      const known = this.#earlierTries.get(asker?.event) ?? firstTriedAt;
      this.#earlierTries.set(asker?.event, Math.min(firstTriedAt, known));
    }
    if (deadline !== undefined && deadline < (this.#deadline ?? Number.POSITIVE_INFINITY)) this.#deadline = deadline;
    if (reason !== undefined && this.#reasons.size < REASONS_MAX) this.#reasons.add(reason);
    this.#isVoluntary &&= isVoluntary;
    this.#isForced ||= force;
    if (!this.#isVoluntary || this.#isForced) this.#insist();
  }

  /** Resolves once a request has come that asks for an eviction. Like `insisted` made when it is asked for: few drains do. */
  get evictionAsked(): Promise<void> {
    this.#evictionAsked ??= new Promise((resolve) => {
      if (this.#eviction !== undefined) resolve();
      else this.#onEviction = resolve;
    });
    return this.#evictionAsked;
  }

  /** Resolves once a request has come that must not be refused. */
  get insisted(): Promise<void> {
    this.#insisted ??= new Promise((resolve) => {
      if (!this.#isVoluntary || this.#isForced) resolve();
      else this.#insist = resolve;
    });
    return this.#insisted;
  }

  /** Whether the drain goes by the request in another way than by those before: its reason and its patience aside. */
  decides({
    deadline,
    isVoluntary = false,
    force = false,
    firstTriedAt,
    asker,
    evict,
  }: Omit<AskedRequest, "askedAt">): boolean {
    return (
      (deadline ?? Number.POSITIVE_INFINITY) < (this.#deadline ?? Number.POSITIVE_INFINITY) ||
      (firstTriedAt !== undefined && !this.#earlierTries.has(asker?.event)) ||
      (!isVoluntary && this.#isVoluntary) ||
      (force && !this.#isForced) ||
      changesEviction(this.#eviction, evict)
    );
  }

  /** The earliest. Absent: no request has one. */
  get deadline(): number | undefined {
    return this.#deadline;
  }

  /** Of each event that may have been tried before: see `DrainRequest.firstTriedAt`. */
  get earlierTries(): readonly EarlierTry[] {
    return [...this.#earlierTries].map(([event, firstTriedAt]) => ({ event, firstTriedAt }));
  }

  /** All requests were made because the machine stops: once it runs, the drain has no purpose. */
  get holdsWhileStopped(): boolean {
    return this.#holdsWhileStopped;
  }

  /** See `DrainRequest.isExcludedBefore`. */
  get isExcludedBefore(): boolean {
    return this.#isExcludedBefore;
  }

  /** What all that ask for an eviction come to. Absent: no request does. */
  get eviction(): JointEviction | undefined {
    return this.#eviction;
  }

  /** See `DrainRequest.isEvictedByOwner`. */
  get isEvictedByOwner(): boolean {
    return this.#isEvictedByOwner;
  }

  get reasons(): readonly string[] {
    return [...this.#reasons];
  }

  /** All accept refusal. */
  get isVoluntary(): boolean {
    return this.#isVoluntary;
  }

  get isForced(): boolean {
    return this.#isForced;
  }

  /** The drain may be refused: nothing of it is deregistered before the guard has allowed it. */
  get isRefusable(): boolean {
    return this.#isGuarded && this.#isVoluntary && !this.#isForced;
  }
}
