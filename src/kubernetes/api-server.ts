import type { IncomingMessage } from "node:http";
import { newAbort, WOKEN, withAnyOf } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { checkTerm, type Leadership } from "../drain/leadership.ts";
import { LimitPassed, withLimit } from "../drain/limit.ts";
import type { ServerTime } from "../drain/server-time.ts";
import { KubernetesError, localError, statusError } from "./errors.ts";
import { bodyOf, type Exchange, exchange, isTlsFailure, linesOf, pathAlone } from "./exchange.ts";
import type { Identity } from "./kubeconfig.ts";
import type { KubernetesObject } from "./objects.ts";
import { Pace, type PaceOptions, type Turn } from "./pace.ts";

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** From the root of the API, such as `/api/v1/nodes/ip-10-0-0-1`. Each name in it is encoded by `segment`. */
  readonly path: string;
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Absent: `application/json`. */
  readonly contentType?: string;
  /** For the whole request, including its wait for a turn. Absent: 30 s. */
  readonly timeoutMs?: number;
  /**
   * The order in which waiting requests are sent. `background`: no drain waits for it, as for an Event. Absent:
   * `in-order`.
   */
  readonly turn?: Turn;
  /** The largest answer that is accepted. Absent: 8 MB. */
  readonly bytesMax?: number;
}

export interface ApplyOptions {
  /** The name that owns the fields. https://kubernetes.io/docs/reference/using-api/server-side-apply/ */
  readonly fieldManager: string;
  /** Takes fields over from other managers. Absent: false, and a conflict is a `KubernetesError` of status 409. */
  readonly force?: boolean;
  readonly timeoutMs?: number;
  readonly turn?: Turn;
}

/** The source of a request's identity. `Credentials` implements it. */
export interface IdentitySource {
  readonly name: string;
  current(): Promise<Identity>;
  renew(used: Identity): Promise<Identity>;
  close(): void;
}

export interface ApiServerOptions {
  readonly clock: Clock;
  /** Gets the server's time from its answers. */
  readonly time?: Pick<ServerTime, "sends">;
  readonly credentials: IdentitySource;
  /** Called before every request that changes something. Absent: no other process acts on the same objects. */
  readonly leadership?: Pick<Leadership, "check"> | undefined;
  /** Absent: 20 requests at a time and 50 a second. */
  readonly pace?: RequestPace;
}

export type RequestPace = Omit<PaceOptions, "clock">;

/** One part of a collection. All parts of one list show the same moment. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

const TIMEOUT_MS = 30_000;
/** The head of a watch's answer comes at once, so that an API server that hangs is noticed by its absence. */
const HEAD_TIMEOUT_MS = 10_000;
/** etcd holds objects of at most 1.5 MB. */
const ANSWER_BYTES_MAX = 8 * 1_024 * 1_024;
const PAGE_BYTES_MAX = 64 * 1_024 * 1_024;
const LINE_BYTES_MAX = 8 * 1_024 * 1_024;
/**
 * With nodes of 15 KB, the process had up to 280 MB right after a list of 5,000 with pages of 500, and 156 MB with
 * these.
 */
export const PAGE_ITEMS = 250;
/** Listing a large cluster is slow. Each page has this long. */
const PAGE_TIMEOUT_MS = 60_000;
/** A continue token lives for five minutes. A list that takes longer begins again, at most this many times. */
const LISTS_MAX = 3;
/** A tenth of what API servers allow one client by default. */
const PACE = { inFlightMax: 20, perSecond: 50, burst: 100 };

/** A name, encoded as one segment of a path. */
export function segment(name: string): string {
  return encodeURIComponent(name);
}

/**
 * The Kubernetes API over JSON. Each request is bounded in time and size, waits for its turn, and is repeated once with
 * new credentials after a 401. Nothing else is repeated. Failures are `KubernetesError`, except for the reason of
 * `signal` and the `not-leader` of a term that is over.
 */
export class ApiServer {
  readonly #clock: Clock;
  readonly #credentials: IdentitySource;
  readonly #pace: Pace;
  readonly #time: ApiServerOptions["time"];
  readonly #leadership: ApiServerOptions["leadership"];

  constructor({ clock, credentials, time, leadership, pace = PACE }: ApiServerOptions) {
    this.#clock = clock;
    this.#time = time;
    this.#leadership = leadership;
    this.#credentials = credentials;
    this.#pace = new Pace({ clock, ...pace });
  }

  /** The name of the cluster in messages: the context, or `in-cluster`. */
  get name(): string {
    return this.#credentials.name;
  }

  /** Closes idle connections. Later requests open new ones. */
  close(): void {
    this.#credentials.close();
  }

  /** The answer's object. `T` is what the API promises. It is not validated. */
  async request<T>(request: ApiRequest, signal: AbortSignal): Promise<T> {
    const what = `${request.method} ${pathAlone(request.path)}`;
    return this.#inTime(what, request.timeoutMs ?? TIMEOUT_MS, signal, (inTime) =>
      this.#pace.run(request.turn ?? "in-order", inTime, async () => {
        const answer = await this.#answered(asExchange(request), what, inTime);
        const text = await bodyOf(answer, what, request.bytesMax ?? ANSWER_BYTES_MAX);
        return parsed(text, what) as T;
      }),
    );
  }

  get<T>(path: string, signal: AbortSignal, query: Query = {}): Promise<T> {
    return this.request({ method: "GET", path, query }, signal);
  }

  /** As `get`. Undefined: there is no such object. */
  async find<T>(path: string, timeoutMs: number | undefined, signal: AbortSignal): Promise<T | undefined> {
    try {
      return await this.request<T>({ method: "GET", path, ...(timeoutMs !== undefined && { timeoutMs }) }, signal);
    } catch (error) {
      if (error instanceof KubernetesError && error.status === 404) return undefined;
      throw error;
    }
  }

  create<T>(path: string, body: KubernetesObject, signal: AbortSignal, more: Partial<ApiRequest> = {}): Promise<T> {
    return this.request({ ...more, method: "POST", path, body }, signal);
  }

  /**
   * Server-side apply. Fields that an earlier apply of the same manager set, and that this one does not have, are
   * removed.
   */
  apply<T>(path: string, object: KubernetesObject, options: ApplyOptions, signal: AbortSignal): Promise<T> {
    const { fieldManager, force = false, ...more } = options;
    // JSON is YAML, and the only form of it that is sent.
    const contentType = "application/apply-patch+yaml";
    return this.request(
      { ...more, method: "PATCH", path, query: { fieldManager, force }, body: object, contentType },
      signal,
    );
  }

  /** JSON merge patch: `null` removes a field. */
  mergePatch<T>(path: string, patch: object, signal: AbortSignal, more: Partial<ApiRequest> = {}): Promise<T> {
    const contentType = "application/merge-patch+json";
    return this.request({ ...more, method: "PATCH", path, body: patch, contentType }, signal);
  }

  delete<T>(path: string, signal: AbortSignal, more: Partial<ApiRequest> = {}): Promise<T> {
    return this.request({ ...more, method: "DELETE", path }, signal);
  }

  /** The whole collection, at one moment. */
  async list<T>(path: string, signal: AbortSignal, query: Query = {}, turn?: Turn): Promise<Page<T>> {
    for (let attempt = 1; ; attempt++) {
      const items: T[] = [];
      let resourceVersion = "";
      try {
        for await (const page of this.pages<T>(path, signal, query, turn)) {
          items.push(...page.items);
          resourceVersion = page.resourceVersion;
        }
        return { items, resourceVersion };
      } catch (error) {
        if (!isExpired(error) || attempt === LISTS_MAX) throw error;
      }
    }
  }

  /**
   * The collection page by page. Throws `KubernetesError` with `isExpired` if the API server has forgotten the moment
   * of the first page. The caller must begin again then.
   */
  async *pages<T>(path: string, signal: AbortSignal, query: Query = {}, turn?: Turn): AsyncGenerator<Page<T>, void> {
    const limits = { timeoutMs: PAGE_TIMEOUT_MS, bytesMax: PAGE_BYTES_MAX, ...(turn !== undefined && { turn }) };
    let token: string | undefined;
    do {
      const list = await this.request<List<T>>(
        { method: "GET", path, query: { limit: PAGE_ITEMS, ...query, continue: token }, ...limits },
        signal,
      );
      const { resourceVersion, continue: next } = list.metadata ?? {};
      if (typeof resourceVersion !== "string" || !(Array.isArray(list.items) || list.items === null)) {
        throw localError("Unreadable", `GET ${pathAlone(path)}: the answer is not a list`);
      }
      // Go writes an empty list as null.
      yield { items: list.items ?? [], resourceVersion };
      token = next === "" ? undefined : next;
    } while (token !== undefined);
  }

  /**
   * Calls `onOpen` when the server has accepted the watch, and `onLine` with each line. Resolves when the server ends
   * the answer. Throws after `limitMs`, whatever the server has sent. Ask the server to end before that
   * (`timeoutSeconds`).
   */
  async lines(
    { path, query, limitMs }: { readonly path: string; readonly query: Query; readonly limitMs: number },
    signal: AbortSignal,
    { onOpen, onLine }: { readonly onOpen: () => void; readonly onLine: (line: string) => void },
  ): Promise<void> {
    const what = `GET ${pathAlone(path)} (watch)`;
    const sent = asExchange({ method: "GET", path, query });
    const end = newAbort();
    await this.#inTime(what, limitMs, signal, (inTime) =>
      withAnyOf([inTime, end.signal], async (whole) => {
        try {
          const answer = await this.#head(what, sent, whole);
          onOpen();
          for await (const line of linesOf(answer, LINE_BYTES_MAX)) onLine(line);
        } catch (error) {
          if (error instanceof KubernetesError) throw error;
          throw localError("Unreachable", `${what}: the connection ended`, error);
        } finally {
          // Otherwise a request without a head in time would continue.
          end.abort(WOKEN);
        }
      }),
    );
  }

  /** The time for the head ends before the time for the whole, and the request must outlive it. */
  async #head(what: string, sent: Exchange, whole: AbortSignal): Promise<IncomingMessage> {
    return this.#inTime(what, HEAD_TIMEOUT_MS, whole, (inTime) =>
      this.#pace.run("first", inTime, () => this.#answered(sent, what, whole)),
    );
  }

  /** The head of a successful answer. */
  async #answered(sent: Exchange, what: string, signal: AbortSignal): Promise<IncomingMessage> {
    const identity = await this.#credentials.current();
    const answered = this.#time?.sends();
    const check = () => {
      if (sent.method !== "GET") checkTerm(this.#leadership, signal);
    };
    const send = (as: Identity) => accepted(as, { sent, what, check }, signal);
    try {
      const answer = await send(identity);
      answered?.(answer.headers.date);
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof KubernetesError && (error.status === 401 || isTlsFailure(error)))) throw error;
      return send(await this.#credentials.renew(identity));
    }
  }

  async #inTime<T>(
    what: string,
    ms: number,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const limit = { reason: "timeout", at: this.#clock.now() + ms } as const;
    try {
      return await withLimit({ clock: this.#clock, limit, signal }, work);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof LimitPassed)
        throw localError("Timeout", `${what}: no complete answer within ${ms / 1_000} s`);
      throw error;
    }
  }
}

interface List<T> {
  readonly metadata?: { readonly resourceVersion?: unknown; readonly continue?: string };
  readonly items?: readonly T[] | null;
}

function isExpired(error: unknown): boolean {
  return error instanceof KubernetesError && error.isExpired;
}

function asExchange({ method, path, query = {}, body, contentType = "application/json" }: ApiRequest): Exchange {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  return {
    method,
    path: search.size === 0 ? path : `${path}?${search}`,
    ...(body === undefined ? {} : { body: JSON.stringify(body), contentType }),
  };
}

/** A refusal has a `Status`, which is small. */
const STATUS_BYTES_MAX = 256 * 1_024;

async function accepted(
  identity: Identity,
  { sent, what, check }: { readonly sent: Exchange; readonly what: string; readonly check: () => void },
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const answer = await exchange(identity, sent, signal, check);
  const { statusCode: status = 0, headers } = answer;
  if (status >= 200 && status < 300) return answer;
  const text = await bodyOf(answer, what, STATUS_BYTES_MAX);
  if (status < 400) {
    throw localError(
      "Unreadable",
      `${what}: ${identity.server.host} answered ${status}, as an API server never does: check the address`,
    );
  }
  throw statusError(what, status, asJson(text), headers["retry-after"]);
}

function parsed(text: string, what: string): unknown {
  const value = asJson(text);
  if (typeof value === "object" && value !== null) return value;
  throw localError("Unreadable", `${what}: the answer is not JSON: check that the address is an API server's`);
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
