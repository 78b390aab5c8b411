import { createHash } from "node:crypto";
import { newAbort, whenAborted } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { DrainError } from "../drain/errors.ts";
import { LimitPassed, withLimit } from "../drain/limit.ts";
import type { Counted, WrongSecrets } from "./wrong-secrets.ts";

/** What a path requires of a caller, in the terms of RBAC: a verb, and a resource of the group `hasta-la-vista.io`. */
export interface Access {
  readonly verb: "create" | "get" | "list" | "delete";
  readonly resource: "drains" | "nodes" | "connections" | "audits";
}

/** The user of a valid token, and the permissions of that user. */
export interface ReviewedCaller {
  readonly username: string;
  /** The node of the pod that the token was issued for. Absent: the API server does not say. */
  readonly nodeName?: string;
  /** Throws the failure if it can't be found out. */
  may(access: Access, signal: AbortSignal): Promise<boolean>;
}

export interface TokenCheckOptions extends CheckedWith {
  /** Undefined: the token is not valid. Throws the failure within a few seconds if it can't be found out. */
  readonly review: (token: string, signal: AbortSignal) => Promise<ReviewedCaller | undefined>;
  /** Called for each token that could not be reviewed. */
  readonly onFailure: (error: unknown) => void;
}

/** What the guard of the API provides. */
interface CheckedWith {
  readonly clock: Clock;
  readonly wrongSecrets: WrongSecrets;
}

/** The check of tokens, which is loaded only if they are accepted. */
export interface TokenChecking {
  /** The audience of accepted tokens. */
  readonly audience: string;
  check(this: void, guard: CheckedWith): Pick<TokenCheck, "check">;
}

/** `unknown`: the API server does not say. */
export type TokenVerdict =
  | { readonly is: "allowed" | "denied"; readonly username: string; readonly nodeName?: string }
  | { readonly is: "invalid"; readonly counted: Counted }
  | { readonly is: "unknown" };

/** A caller is not kept waiting for longer. */
const WITHIN_MS = 5_000;
/** Between the 10 s of Kubernetes' extension API servers and the two minutes of the kubelet. */
const VALID_MS = 60_000;
const ALLOWED_MS = 60_000;
/** Granted permissions, and tokens that become valid, take effect soon. */
const DENIED_MS = 10_000;
const INVALID_MS = 10_000;
/** Each takes a few hundred bytes. Invalid tokens are kept separately, so that they displace no valid one. */
const VALID_MAX = 10_000;
const ALLOWED_MAX = 20_000;
const INVALID_MAX = 1_000;
/** Requests with an unknown token that wait for the API server or for each other. */
const WAITING_MAX = 2_000;
const NO_ANSWER = `the API server has not said within ${WITHIN_MS / 1_000} s whether a token is valid`;
const TOO_MANY = `${WAITING_MAX} requests with unknown tokens wait for the API server, and no more can`;

/**
 * Whether a token is valid, and its user may do what it is sent for. The answers of the cluster are kept for a minute
 * at most, under a digest of the token. Unknown tokens of one client are reviewed one after the other, and not at all
 * once the client has sent too many wrong ones: a stranger must not make the service flood the API server.
 */
export class TokenCheck {
  readonly #options: TokenCheckOptions;
  readonly #valid: Kept<ReviewedCaller>;
  readonly #invalid: Kept<true>;
  /** By the digest of a token, and the access that it was sent for. */
  readonly #allowed: Kept<boolean>;
  /** The calls in progress, each for all that wait for it. */
  readonly #asked = new Map<string, Promise<unknown>>();
  readonly #turns = new Map<string, Turn>();
  #waiting = 0;

  constructor(options: TokenCheckOptions) {
    this.#options = options;
    this.#valid = new Kept(options.clock, VALID_MAX);
    this.#invalid = new Kept(options.clock, INVALID_MAX);
    this.#allowed = new Kept(options.clock, ALLOWED_MAX);
  }

  /** Rejects only with the reason of `signal`. */
  async check(token: string, access: Access, client: string, signal: AbortSignal): Promise<TokenVerdict> {
    const { clock, onFailure } = this.#options;
    const limit = { reason: "timeout", at: clock.now() + WITHIN_MS } as const;
    try {
      return await withLimit({ clock, limit, signal }, (within) =>
        // A call that others wait for too continues without this caller.
        Promise.race([this.#verdict(token, access, client, within), whenAborted(within)]),
      );
    } catch (error) {
      signal.throwIfAborted();
      onFailure(error instanceof LimitPassed ? new DrainError("unreachable", NO_ANSWER) : error);
      return { is: "unknown" };
    }
  }

  async #verdict(token: string, access: Access, client: string, signal: AbortSignal): Promise<TokenVerdict> {
    const key = createHash("sha256").update(token).digest("base64");
    const found = this.#valid.get(key) ?? (await this.#inTurn(client, () => this.#find(key, token, client), signal));
    if ("waitMs" in found) return { is: "invalid", counted: found };
    const isAllowed = await this.#mayDo(found, key, access);
    const { username, nodeName } = found;
    return { is: isAllowed ? "allowed" : "denied", username, ...(nodeName !== undefined && { nodeName }) };
  }

  /** The user of the token, or how the token counts for its client. */
  async #find(key: string, token: string, client: string): Promise<ReviewedCaller | Counted> {
    const { wrongSecrets, review, clock } = this.#options;
    const known = this.#valid.get(key);
    if (known !== undefined) return known;
    if (this.#invalid.get(key) !== undefined || wrongSecrets.isLimited(client)) return wrongSecrets.count(client);
    const caller = await this.#once(key, (signal) => review(token, signal));
    const now = clock.now();
    if (caller === undefined) this.#invalid.keep(key, true, now + INVALID_MS);
    else this.#valid.keep(key, caller, Math.min(now + VALID_MS, expiryOf(token)));
    return caller ?? wrongSecrets.count(client);
  }

  async #mayDo(caller: ReviewedCaller, key: string, access: Access): Promise<boolean> {
    const asked = `${key} ${access.verb} ${access.resource}`;
    const known = this.#allowed.get(asked);
    if (known !== undefined) return known;
    const isAllowed = await this.#once(asked, (signal) => caller.may(access, signal));
    this.#allowed.keep(asked, isAllowed, this.#options.clock.now() + (isAllowed ? ALLOWED_MS : DENIED_MS));
    return isAllowed;
  }

  /** One call for all that wait for the same. It ends by its own limit, even if they have left. */
  async #once<T>(key: string, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const asked = this.#asked.get(key) ?? ask(newAbort().signal);
    this.#asked.set(key, asked);
    try {
      return (await asked) as T;
    } finally {
      this.#asked.delete(key);
    }
  }

  async #inTurn<T>(client: string, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    if (this.#waiting >= WAITING_MAX) throw new DrainError("throttled", TOO_MANY);
    const turn = this.#turns.get(client) ?? { waiting: 0, last: Promise.resolve() };
    this.#turns.set(client, turn);
    turn.waiting += 1;
    this.#waiting += 1;
    const own = turn.last
      .then(() => {
        signal.throwIfAborted();
        return work();
      })
      .finally(() => {
        this.#waiting -= 1;
        turn.waiting -= 1;
        if (turn.waiting === 0) this.#turns.delete(client);
      });
    turn.last = own.catch(() => {});
    return own;
  }
}

/** The requests of one client that wait for each other. */
interface Turn {
  waiting: number;
  /** Never rejects. */
  last: Promise<unknown>;
}

/** Values until their time is over, or until there are too many. Then the oldest is removed. */
class Kept<T> {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #values = new Map<string, { readonly value: T; readonly until: number }>();

  constructor(clock: Clock, max: number) {
    this.#clock = clock;
    this.#max = max;
  }

  get(key: string): T | undefined {
    const found = this.#values.get(key);
    return found !== undefined && this.#clock.now() < found.until ? found.value : undefined;
  }

  /** `until`: in milliseconds since the epoch. */
  keep(key: string, value: T, until: number): void {
    this.#values.delete(key);
    this.#values.set(key, { value, until });
    const [oldest] = this.#values.keys();
    if (this.#values.size > this.#max && oldest !== undefined) this.#values.delete(oldest);
  }
}

/** In milliseconds since the epoch, according to the token itself. */
function expiryOf(token: string): number {
  try {
    const { exp } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
    return typeof exp === "number" ? exp * 1_000 : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
