import type { IncomingMessage } from "node:http";
import { newAbort, WOKEN, withAnyOf } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
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
  /** From the root of the API, as `/api/v1/nodes/ip-10-0-0-1`: each name in it encoded by `segment`. */
  readonly path: string;
  readonly query?: Query;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Absent: `application/json`. */
  readonly contentType?: string;
  /** For the whole request, with its wait for a turn. Absent: 30 s. */
  readonly timeoutMs?: number;
  /** When it is sent while others wait too. `background`: no drain waits for it, as for an Event. Absent: `in-order`. */
  readonly turn?: Turn;
  /** The largest answer that is read. Absent: 8 MB. */
  readonly bytesMax?: number;
}

export interface ApplyOptions {
  /** The name that owns the fields. https://kubernetes.io/docs/reference/using-api/server-side-apply/ */
  readonly fieldManager: string;
  /** Takes fields from other managers. Absent: false, and a conflict is a `KubernetesError` of status 409. */
  readonly force?: boolean;
  readonly timeoutMs?: number;
  readonly turn?: Turn;
}

/** What a request is sent as. `Credentials` implements it. */
export interface IdentitySource {
  readonly name: string;
  current(): Promise<Identity>;
  renew(used: Identity): Promise<Identity>;
  close(): void;
}

export interface ApiServerOptions {
  readonly clock: Clock;
  /** Hears what the server's answers say of its clock. */
  readonly time?: Pick<ServerTime, "sends">;
  readonly credentials: IdentitySource;
  /** Absent: 20 requests at a time and 50 a second. */
  readonly pace?: RequestPace;
}

export type RequestPace = Omit<PaceOptions, "clock">;

/** One part of a collection. All parts of one list are of the same moment. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

const TIMEOUT_MS = 30_000;
/** The head of a watch comes at once: an API server that hangs is noticed by its absence. */
const HEAD_TIMEOUT_MS = 10_000;
/** etcd holds objects of at most 1.5 MB. */
const ANSWER_BYTES_MAX = 8 * 1_024 * 1_024;
const PAGE_BYTES_MAX = 64 * 1_024 * 1_024;
const LINE_BYTES_MAX = 8 * 1_024 * 1_024;
/** Nodes of 15 KB: right after a list of 5,000 the process had up to 280 MB with pages of 500, and 156 MB with these. */
export const PAGE_ITEMS = 250;
/** A slow list of a large cluster: each page has this long. */
const PAGE_TIMEOUT_MS = 60_000;
/** A continue token lives for five minutes; a list that is slower begins again, this often. */
const LISTS_MAX = 3;
/** A tenth of what API servers allow one client by default. */
const PACE = { inFlightMax: 20, perSecond: 50, burst: 100 };

/** A name as one segment of a path. */
export function segment(name: string): string {
  return encodeURIComponent(name);
}

/**
 * The Kubernetes API over JSON. Each request is bounded in time and size, waits for its turn, and is sent again once with
 * new credentials after a 401. Nothing else is repeated. Failures are `KubernetesError`, except for the reason of `signal`.
 */
export class ApiServer {
  readonly #clock: Clock;
  readonly #credentials: IdentitySource;
  readonly #pace: Pace;
  readonly #time: ApiServerOptions["time"];

  constructor({ clock, credentials, time, pace = PACE }: ApiServerOptions) {
    this.#clock = clock;
    this.#time = time;
    this.#credentials = credentials;
    this.#pace = new Pace({ clock, ...pace });
  }

  /** The cluster as messages name it: the context, or `in-cluster`. */
  get name(): string {
    return this.#credentials.name;
  }

  /** Closes idle connections. Requests afterwards open new ones. */
  close(): void {
    this.#credentials.close();
  }

  /** The answer's object. `T` is what the API promises: nothing checks it. */
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

  /** Server-side apply. Fields that an earlier apply of the same manager had, and this one has not, are removed. */
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

  /** The whole collection, as of one moment. */
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
   * The collection page by page. Throws `KubernetesError` with `isExpired` where the API server has forgotten the moment
   * of the first page: begin again.
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
   * Calls `onOpen` when the server has accepted the watch, and `onLine` with each line. Resolves when the server ends the
   * answer. Throws after `limitMs`, whatever the server has sent: ask it to end before (`timeoutSeconds`).
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
          // Without it a request whose head has not come in time would go on.
          end.abort(WOKEN);
        }
      }),
    );
  }

  /** The time for the head ends before that for the whole, and the request must outlive it. */
  async #head(what: string, sent: Exchange, whole: AbortSignal): Promise<IncomingMessage> {
    return this.#inTime(what, HEAD_TIMEOUT_MS, whole, (inTime) =>
      this.#pace.run("first", inTime, () => this.#answered(sent, what, whole)),
    );
  }

  /** The head of an answer of success. */
  async #answered(sent: Exchange, what: string, signal: AbortSignal): Promise<IncomingMessage> {
    const identity = await this.#credentials.current();
    const answered = this.#time?.sends();
    try {
      const answer = await accepted(identity, sent, what, signal);
      answered?.(answer.headers.date);
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof KubernetesError && (error.status === 401 || isTlsFailure(error)))) throw error;
      return accepted(await this.#credentials.renew(identity), sent, what, signal);
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
  sent: Exchange,
  what: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const answer = await exchange(identity, sent, signal);
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
