import { isIP } from "node:net";
import { printable } from "./errors.ts";
import { changesEviction, type EvictionOptions, type JointEviction, jointEviction } from "./eviction.ts";

/** How a caller names the node. */
export type NodeReference =
  | { readonly by: "id"; readonly value: string }
  | { readonly by: "ip"; readonly value: string }
  | { readonly by: "name"; readonly value: string };

/** The caller, as far as it is known. It is for the ledger and reports only: nothing is decided by it. */
export interface Asker {
  /** The kind of event by which the request came: `HTTP`, or what a message announced, such as `spot-interruption`. */
  readonly via: string;
  /** The id of that event. */
  readonly event?: string;
  /** The client address of the connection. Behind a proxy, that is the proxy's. */
  readonly address?: string;
  /** The name that the caller gives itself. */
  readonly agent?: string;
  /** The trace of the request, by W3C's headers: https://www.w3.org/TR/trace-context/ */
  readonly traceparent?: string;
  readonly tracestate?: string;
  /**
   * The user of the caller's token, such as `system:serviceaccount:ci:deployer`, as the cluster's API server has
   * confirmed it.
   */
  readonly user?: string;
}

/** `Asker.via` of a request that a caller has sent, as opposed to an event. */
export const HTTP = "http";

export interface DrainRequest {
  readonly node: NodeReference;
  /** When the machine may be gone, in milliseconds since the epoch. Absent: unknown. */
  readonly deadline?: number;
  /**
   * How long this caller waits at most, in milliseconds. Others may wait longer for the same drain. Absent: TIMEOUT.
   */
  readonly timeoutMs?: number;
  /** Why the node goes, in the caller's words. It is for logs and reports only. */
  readonly reason?: string;
  /** Absent: unknown. */
  readonly asker?: Asker;
  /** Answer with the plan, and change nothing. */
  readonly dryRun: boolean;
  /**
   * The caller accepts refusal, and is refused if too few healthy targets would remain. Absent: the machine goes in any
   * case.
   */
  readonly isVoluntary?: boolean;
  /** The caller wants no guard: nothing is refused, and nothing waits. */
  readonly force?: boolean;
  /**
   * Since when the same request may have been tried, perhaps by a process that has ended, in milliseconds since the
   * epoch. A registration that is found draining, or is not found, may have been deregistered by that process. Absent:
   * this is the first attempt.
   */
  readonly firstTriedAt?: number;
  /**
   * The cluster's controllers have begun to deregister the node because of the event that the request announces. Some
   * of its registrations may be gone before any search has seen them. Absent: they have not.
   */
  readonly isExcludedBefore?: true;
  /** Evict the pods of the node when its traffic has ended. Absent: they stay, or another program evicts them. */
  readonly evict?: EvictionOptions;
  /** The program that removes the machine evicts its pods itself. */
  readonly isEvictedByOwner?: true;
  /** The state of the machine that the request depends on. Absent: the request applies in every state. */
  readonly holdsWhile?: HoldsWhile;
}

/**
 * - `stops`: the machine has stopped or is stopping. Such a request may come late, when the machine was started again.
 *   When it runs again, a drain that no other request has asked for ends.
 * - `runs`: the machine was to stop by now. If it does not run, that has happened.
 */
export interface HoldsWhile {
  readonly machine: "stops" | "runs";
  /** When the request was made, in milliseconds since the epoch. The cloud's answer may be a moment older. */
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

/**
 * Throws `RangeError` with what to give instead, if `value` does not have the form that `by` requires. `given`: as it
 * was typed.
 */
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
 * The same for a name that a person gives, as kubectl prints it, or with blanks around it. Ids and names are accepted
 * in upper and lower case, because all of AWS's are in lower case.
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
  // No node name consists of digits and dots only, so this is a mistyped address.
  if (isIP(text) !== 0 || /^[\d.]+$/.test(text)) return nodeReference("ip", text, given);
  return typedNodeReference("name", given);
}

/** A request that may have been tried before, perhaps by a process that has ended. */
export interface EarlierTry {
  /** The id of the event of the request. Undefined: the event has none. */
  readonly event: string | undefined;
  /** Milliseconds since the epoch. */
  readonly firstTriedAt: number;
}

/** The number of different reasons that a drain keeps. */
const REASONS_MAX = 20;

/** The requests for one node, joined. One request that does not accept refusal, or wants no guard, decides for all. */
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
  /** By the event of the request. */
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

  /**
   * Resolves when a request for an eviction has arrived. The promise is made when a caller asks for it, because few drains
   * need it. So is that of `insisted`.
   */
  get evictionAsked(): Promise<void> {
    this.#evictionAsked ??= new Promise((resolve) => {
      if (this.#eviction !== undefined) resolve();
      else this.#onEviction = resolve;
    });
    return this.#evictionAsked;
  }

  /** Resolves when a request that must not be refused has arrived. */
  get insisted(): Promise<void> {
    this.#insisted ??= new Promise((resolve) => {
      if (!this.#isVoluntary || this.#isForced) resolve();
      else this.#insist = resolve;
    });
    return this.#insisted;
  }

  /** Whether the request changes how the drain proceeds. Its reason and its timeout do not count. */
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

  /** The earliest deadline. Absent: no request has a deadline. */
  get deadline(): number | undefined {
    return this.#deadline;
  }

  /** For each event that may have been tried before: see `DrainRequest.firstTriedAt`. */
  get earlierTries(): readonly EarlierTry[] {
    return [...this.#earlierTries].map(([event, firstTriedAt]) => ({ event, firstTriedAt }));
  }

  /** All requests were made because the machine stops. When it runs again, the drain has no purpose. */
  get holdsWhileStopped(): boolean {
    return this.#holdsWhileStopped;
  }

  /** See `DrainRequest.isExcludedBefore`. */
  get isExcludedBefore(): boolean {
    return this.#isExcludedBefore;
  }

  /** The eviction that all requests for one ask for together. Absent: no request asks for an eviction. */
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

  /** All requests accept refusal. */
  get isVoluntary(): boolean {
    return this.#isVoluntary;
  }

  get isForced(): boolean {
    return this.#isForced;
  }

  /** The drain may be refused, so that nothing is deregistered before the guard has allowed it. */
  get isRefusable(): boolean {
    return this.#isGuarded && this.#isVoluntary && !this.#isForced;
  }
}
