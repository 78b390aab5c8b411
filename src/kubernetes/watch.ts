import { newAbort, WOKEN, withAnyOf } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { printable } from "../drain/errors.ts";
import type { ApiServer, Query } from "./api-server.ts";
import { type Change, Collection } from "./collection.ts";
import { Condition } from "./condition.ts";
import { KubernetesError, localError, statusError } from "./errors.ts";
import type { KubernetesObject } from "./objects.ts";

/**
 * What a watch reports: once when it stops being up to date, once for each further reason, and once when it is up to
 * date again.
 */
export type WatchState =
  | { readonly kind: "failing"; readonly path: string; readonly error: KubernetesError }
  | { readonly kind: "recovered"; readonly path: string; readonly failedForMs: number };

export interface WatchOptions<T, V> {
  readonly server: ApiServer;
  readonly clock: Clock;
  /** The collection, such as `/api/v1/nodes`. */
  readonly path: string;
  /** Such as `labelSelector` and `fieldSelector`. */
  readonly query?: Query;
  /**
   * The few fields of an object that are needed, as plain data. Nothing else is kept in memory. Undefined: the object
   * is not kept. It must not keep references to its input.
   */
  readonly project: (object: T) => V | undefined;
  /** See `Collection`. */
  readonly groupOf?: (value: V) => string | undefined;
  readonly onState: (state: WatchState) => void;
  /** How long one watch lasts. Absent: 30 s. */
  readonly watchSeconds?: number;
  /** From 0 to 1. Absent: `Math.random`. */
  readonly random?: () => number;
}

/**
 * The server ends each watch after this time, and sends a bookmark two seconds before if there was a change. So a dead
 * connection, and a resource version that the server has never had, are noticed soon. Another watch from where the last
 * one ended costs next to nothing. https://kubernetes.io/docs/reference/using-api/api-concepts/#watch-bookmarks
 */
const WATCH_SECONDS = 30;
/** On a busy server, the end comes a little late. */
const LATE_MS = 10_000;
const BACK_OFF_MIN_MS = 500;
const BACK_OFF_MAX_MS = 15_000;
const RETRY_AFTER_MAX_MS = 60_000;
/** A watch that ends sooner than this has not worked. The next one waits, so that there is no tight loop. */
const WORKED_AFTER_MS = 5_000;
/** This many lists in a row whose version is too old at once are reported. */
const EXPIRED_MAX = 3;
/** A change in the last seconds of a watch is too late for its bookmark, but not for that of the next one. */
const SILENCES_MAX = 2;

/**
 * A collection of the API server, listed and watched into memory. `run` keeps it up to date, whatever happens to the
 * server, the connection and the credentials. It is empty until it was listed. While the watch fails, it has the last
 * known state. A deletion that no watch has seen is found by the next list.
 */
export class Watch<T extends KubernetesObject, V> {
  readonly #options: WatchOptions<T, V>;
  readonly #collection: Collection<V>;
  /** The version from which the next watch begins. Undefined: the collection must be listed. */
  #version: string | undefined;
  #backOffMs = BACK_OFF_MIN_MS;
  #failing: Failing | undefined;
  #isListed = false;
  /** The number of consecutive versions that were too old. */
  #expired = 0;
  /** The number of consecutive watches without an event although something was written. */
  #silences = 0;
  /** The last watch was accepted, and ended before it has worked. */
  #hasEnded = false;
  #heardAt = Number.NEGATIVE_INFINITY;
  /** Ends the running watch, so that the collection is listed. */
  #listAgain = newAbort();
  readonly #progress = new Condition();

  constructor(options: WatchOptions<T, V>) {
    this.#options = options;
    this.#collection = new Collection(options.groupOf);
  }

  /** By `keyOf`. */
  get(key: string): V | undefined {
    return this.#collection.get(key);
  }

  get size(): number {
    return this.#collection.size;
  }

  entries(): IterableIterator<readonly [key: string, value: V]> {
    return this.#collection.entries();
  }

  /** All objects of one group, by `groupOf`. */
  group(name: string): readonly V[] {
    return this.#collection.group(name);
  }

  /** Whether the collection has been listed at least once. */
  get isListed(): boolean {
    return this.#isListed;
  }

  /** Why the copy may be out of date. Undefined: it is up to date, as far as this is known. */
  get failure(): KubernetesError | undefined {
    return this.#failing?.error;
  }

  /** When the API server has last sent something, or ended a watch in time, in milliseconds since the epoch. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /**
   * The resource version up to which all changes are known. Undefined: unknown, because the collection is being listed.
   */
  get version(): string | undefined {
    return this.#version;
  }

  /** Resolves when the collection has been listed. Rejects with the signal's reason. */
  listed(signal: AbortSignal): Promise<void> {
    return this.#progress.until(() => this.#isListed, signal);
  }

  /** Resolves when all changes up to a resource version are known. Rejects with the signal's reason. */
  reached(version: string, signal: AbortSignal): Promise<void> {
    return this.#progress.until(() => isAsNew(this.#version, version), signal);
  }

  /** Lists the collection again, and continues to watch from there, because a watch may have missed something. */
  listAgain(): void {
    this.#listAgain.abort(WOKEN);
  }

  /**
   * Every existing object as `added`, and then each change, for any number of readers. A slow reader gets the last
   * state of each object instead of every step. Ends with the signal's reason.
   */
  changes(signal: AbortSignal): AsyncGenerator<Change<V>, never> {
    return this.#collection.changes(signal);
  }

  /** Lists and watches until `signal` aborts. Rejects only with its reason. */
  async run(signal: AbortSignal): Promise<never> {
    const { clock, random = Math.random } = this.#options;
    for (;;) {
      const round = new Round();
      let error: KubernetesError | undefined;
      try {
        if (this.#listAgain.signal.aborted) {
          this.#version = undefined;
          this.#listAgain = newAbort();
        }
        if (this.#version === undefined) await this.#list(signal);
        await this.#watch(round, signal);
      } catch (thrown) {
        signal.throwIfAborted();
        error = this.#failed(round, asKubernetesError(thrown));
      }
      // A watch that has worked and was ended in time is followed by the next one at once.
      if (error === undefined && round.hasWorked) continue;
      const asked = Math.min(error?.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
      await clock.sleep(Math.max(asked, this.#backOffMs * (0.5 + random())), signal);
      this.#backOffMs = Math.min(this.#backOffMs * 2, BACK_OFF_MAX_MS);
    }
  }

  /** Objects that are not listed any more are removed at the end, so that a list that fails half-way removes none. */
  async #list(signal: AbortSignal): Promise<void> {
    const { server, path, query } = this.#options;
    const seen = new Set<string>();
    let version = "";
    for await (const { items, resourceVersion } of server.pages<T>(path, signal, query, "first")) {
      for (const item of items) seen.add(this.#put(item));
      version = resourceVersion;
    }
    for (const key of [...this.#collection.keys()]) if (!seen.has(key)) this.#collection.remove(key);
    this.#version = version;
    this.#isListed = true;
    this.#hears();
  }

  async #watch(round: Round, signal: AbortSignal): Promise<void> {
    const { server, clock, path, query, watchSeconds = WATCH_SECONDS } = this.#options;
    const from = this.#version;
    const asked = { watch: true, allowWatchBookmarks: true, timeoutSeconds: watchSeconds, resourceVersion: from };
    const ended = newAbort();
    const works = () => this.#works(round);
    const startedAt = clock.now();
    const handlers = {
      onOpen: () => {
        round.isOpen = true;
        this.#hears();
        clock.sleep(WORKED_AFTER_MS, ended.signal).then(works, () => {});
      },
      onLine: (line: string) => {
        this.#take(line, from);
        round.lines++;
        works();
        this.#hears();
      },
    };
    const request = { path, query: { ...query, ...asked }, limitMs: watchSeconds * 1_000 + LATE_MS };
    try {
      await withAnyOf([signal, this.#listAgain.signal], (either) => server.lines(request, either, handlers));
      this.#hears();
    } catch (error) {
      signal.throwIfAborted();
      if (error !== WOKEN) throw error;
      return works();
    } finally {
      ended.abort(WOKEN);
    }
    const wasSilent = round.lines === 0 && clock.now() - startedAt >= (watchSeconds / 2) * 1_000;
    if (wasSilent && (await this.#isLost(from, signal))) this.#version = undefined;
    else if (!wasSilent) this.#silences = 0;
  }

  /**
   * Whether a watch without events must not continue from its version. A server sends a bookmark if its version is
   * higher than the watch's. So silence means that something was written only in the last seconds, or that the server
   * was restored from a backup and waits for a version that is still to come.
   */
  async #isLost(from: string | undefined, signal: AbortSignal): Promise<boolean> {
    const { server, path, query } = this.#options;
    let newest = "";
    for await (const { resourceVersion } of server.pages(path, signal, { ...query, limit: 1 }, "first")) {
      newest = resourceVersion;
      break;
    }
    this.#silences = newest === from ? 0 : this.#silences + 1;
    return isOlder(newest, from) || this.#silences >= SILENCES_MAX;
  }

  #take(line: string, from: string | undefined): void {
    const { path } = this.#options;
    // If a line is wrong, what follows it can't be trusted.
    this.#version = undefined;
    const { type, object } = asEvent(line, path);
    if (type === "ERROR") throw statusError(`GET ${path} (watch)`, 500, object, undefined);
    const version = object.metadata?.resourceVersion;
    if (typeof version !== "string") throw unreadable(path, "an event has no resource version");
    if (isOlder(version, from)) throw unreadable(path, "the API server has gone back to an earlier resource version");
    if (type === "DELETED") this.#collection.remove(keyOf(object));
    else if (type !== "BOOKMARK") this.#put(object as T);
    this.#version = version;
  }

  #hears(): void {
    this.#heardAt = this.#options.clock.now();
    this.#progress.changed();
  }

  #put(object: T): string {
    const key = keyOf(object);
    this.#collection.put(key, object.metadata?.uid ?? "", this.#projected(object, key));
    return key;
  }

  #projected(object: T, key: string): V | undefined {
    try {
      return this.#options.project(object);
    } catch (error) {
      throw unreadable(this.#options.path, `'${printable(key)}' is not as expected (${printable(String(error), 200)})`);
    }
  }

  #works(round: Round): void {
    round.hasWorked = true;
    this.#hasEnded = false;
    this.#backOffMs = BACK_OFF_MIN_MS;
    const failing = this.#failing;
    if (failing === undefined) return;
    this.#failing = undefined;
    const { onState, path, clock } = this.#options;
    onState({ kind: "recovered", path, failedForMs: clock.now() - failing.since });
  }

  /** Decides where the next watch begins, and reports each reason once. */
  #failed(round: Round, error: KubernetesError): KubernetesError {
    const isSilent = error.reason === "Timeout" && round.isOpen && round.lines === 0;
    if (isSilent || error.isExpired || error.status === 400) this.#version = undefined;
    this.#expired = error.isExpired ? this.#expired + 1 : 0;
    // A version that is too old is not a fault, and a connection may end. The next attempt decides.
    const isEnd = round.isOpen && (error.reason === "Unreachable" || error.reason === "Timeout") && !isSilent;
    const isOrdinary = error.isExpired ? this.#expired < EXPIRED_MAX : isEnd && !this.#hasEnded;
    this.#hasEnded = isEnd;
    if (!isOrdinary) this.#report(error);
    return error;
  }

  #report(error: KubernetesError): void {
    const { clock, onState, path } = this.#options;
    this.#failing ??= { since: clock.now(), error, reported: new Set() };
    this.#failing.error = error;
    const reason = `${error.status} ${error.reason}`;
    if (this.#failing.reported.has(reason)) return;
    this.#failing.reported.add(reason);
    onState({ kind: "failing", path, error });
  }
}

/** A period in which the watch fails. */
interface Failing {
  readonly since: number;
  error: KubernetesError;
  /** The reasons that were reported. An outage may alternate between two. */
  readonly reported: Set<string>;
}

/** One list or watch, or both. */
class Round {
  /** The server has accepted the watch. */
  isOpen = false;
  /** The watch has sent a line, or has stayed open for a while. */
  hasWorked = false;
  lines = 0;
}

/** `namespace/name`, or the name of an object without a namespace. */
function keyOf({ metadata }: KubernetesObject): string {
  const { namespace, name = "" } = metadata ?? {};
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/**
 * Versions are decimal numbers that grow, in all of Kubernetes' own servers.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
 */
export function isOlder(version: string, than = ""): boolean {
  return DECIMAL.test(version) && DECIMAL.test(than) && BigInt(version) < BigInt(than);
}

function isAsNew(version = "", as: string): boolean {
  return DECIMAL.test(version) && DECIMAL.test(as) && !isOlder(version, as);
}

const DECIMAL = /^\d{1,30}$/;

interface WatchEvent {
  readonly type: string;
  readonly object: KubernetesObject;
}

function asEvent(line: string, path: string): WatchEvent {
  let event: Partial<WatchEvent> | null;
  try {
    event = JSON.parse(line);
  } catch {
    throw unreadable(path, "a line is not JSON");
  }
  const { type, object } = event ?? {};
  if (!EVENT_TYPES.has(String(type)) || typeof object !== "object" || object === null) {
    throw unreadable(path, "a line is not a watch event");
  }
  return { type: String(type), object };
}

const EVENT_TYPES: ReadonlySet<string> = new Set(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]);

function unreadable(path: string, why: string): KubernetesError {
  return localError("Unreadable", `GET ${path} (watch): ${why}`);
}

function asKubernetesError(error: unknown): KubernetesError {
  if (error instanceof KubernetesError) return error;
  return localError("Unreadable", `an object can't be read: ${printable(String(error), 200)}`, error);
}
