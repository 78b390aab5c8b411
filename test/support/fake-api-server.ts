import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { onTestFinished } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import type { Clock } from "../../src/drain/clock.ts";
import type { KubernetesObject, Pod } from "../../src/kubernetes/objects.ts";
import { Authority, type Certificate } from "./certificates.ts";
import { creationRefusal, isSelected, updateRefusal } from "./optimistic-concurrency.ts";
import { applied, type Owners } from "./server-side-apply.ts";

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  /** The name in the client's certificate; empty without one. */
  readonly client: string;
  readonly body: unknown;
}

export interface FakeAnswer {
  readonly status: number;
  /** An object is sent as JSON, a text as it is. */
  readonly body?: object | string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a test may have in place of the answer: `hang` sends none, `drop` ends the connection. */
export type Intercepted = FakeAnswer | "hang" | "drop" | undefined;

interface Watcher {
  readonly path: string;
  /** The version of its last line. */
  version: number;
  readonly response: ServerResponse;
  readonly ended: AbortController;
}

interface HistoryEntry {
  readonly version: number;
  readonly path: string;
  readonly line: string;
}

/** An authority is slow to make, and as good for all tests. */
let authority: Authority | undefined;
export const TOKEN = "token-of-the-fake-api-server";
/** As the API server does: a bookmark two seconds before the end of a watch. */
const BOOKMARK_BEFORE_END_MS = 2_000;

/**
 * An API server that has any collections, speaks HTTPS on 127.0.0.1, and can be made to fail in each way that one does.
 * Times of watches come from `clock`.
 */
export class FakeApiServer {
  readonly requests: FakeRequest[] = [];
  /** The token that is valid. */
  token = TOKEN;
  /** Others that are valid too. */
  readonly tokens = new Set<string>();
  intercept: (request: FakeRequest) => Intercepted = () => undefined;
  /** As after SIGSTOP: takes connections and requests, and does nothing. */
  isStopped = false;
  /** How much its clock is ahead of `clock`. */
  aheadMs = 0;
  /** How many connections there have been. */
  connections = 0;
  readonly #clock: Clock;
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();
  readonly #watchers = new Set<Watcher>();
  readonly #collections = new Map<string, Map<string, KubernetesObject>>();
  readonly #owners: Owners = new Map();
  #history: HistoryEntry[] = [];
  #oldest = 0;
  #version = 1_000;
  #port = 0;
  #uid = 0;

  private constructor(clock: Clock) {
    this.#clock = clock;
    authority ??= new Authority();
    const identity = {
      ...authority.sign("kube-apiserver"),
      ca: authority.cert,
      requestCert: true,
      rejectUnauthorized: false,
    };
    this.#server = createServer(identity, (request, response) => {
      void this.#answer(request, response);
    });
    this.#server.on("connection", (socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  static async start(clock: Clock): Promise<FakeApiServer> {
    const server = new FakeApiServer(clock);
    await server.restart();
    onTestFinished(() => server.kill());
    return server;
  }

  get ca(): string {
    return authority?.cert ?? "";
  }

  /** A client certificate that this server knows. */
  certificate(name: string): Certificate {
    return (authority ?? new Authority()).sign(name);
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  get version(): string {
    return String(this.#version);
  }

  get watches(): number {
    return this.#watchers.size;
  }

  /** Requests for a list or a watch of a collection; a list of one item only asks for the version. */
  asked(kind: "list" | "watch", path = "/api/v1/nodes"): readonly FakeRequest[] {
    const reads = this.requests.filter(({ method, path: at }) => method === "GET" && at === path);
    return reads.filter(({ query }) =>
      kind === "watch" ? query.has("watch") : !query.has("watch") && query.get("limit") !== "1",
    );
  }

  /** Creates or replaces an object. Without a uid it keeps the one that it has. */
  put(path: string, object: KubernetesObject): void {
    const collection = this.#collection(path);
    const key = keyIn(path, object);
    const before = collection.get(key);
    const { uid = before?.metadata?.uid ?? `uid-${++this.#uid}` } = object.metadata ?? {};
    const resourceVersion = String(++this.#version);
    const stored = { ...object, metadata: { ...object.metadata, uid, resourceVersion } } as KubernetesObject;
    collection.set(key, stored);
    this.#announce(path, before === undefined ? "ADDED" : "MODIFIED", stored);
  }

  /** An object as it is now. */
  stored(path: string, key: string): KubernetesObject | undefined {
    return this.#collections.get(path)?.get(key);
  }

  remove(path: string, key: string): void {
    const before = this.#collection(path).get(key);
    if (before === undefined) return;
    this.#collection(path).delete(key);
    const resourceVersion = String(++this.#version);
    this.#announce(path, "DELETED", { ...before, metadata: { ...before.metadata, resourceVersion } });
  }

  /** Changes the store without a word to watchers, as happens while there is no watch. */
  unseen(change: () => void): void {
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    change();
    for (const watcher of watchers) this.#watchers.add(watcher);
  }

  /** Forgets what has happened: a version from before is too old. */
  compact(): void {
    this.#history = [];
    this.#oldest = ++this.#version;
  }

  /** Goes on from a backup: versions that were handed out are from the future now. */
  restoreBackup(): void {
    this.#history = [];
    this.#oldest = 0;
    this.#version -= 500;
  }

  /** Writes as it is to everything that watches. */
  writeToWatches(text: string): void {
    for (const { response } of this.#watchers) response.write(text);
  }

  /** Ends all watches as their timeouts do, without a bookmark. */
  endWatches(): void {
    for (const { ended, response } of this.#watchers) {
      ended.abort();
      response.end();
    }
    this.#watchers.clear();
  }

  /** The connections of all watches are dead, and neither end has noticed. */
  loseWatches(): void {
    for (const { ended } of this.#watchers) ended.abort();
    this.#watchers.clear();
  }

  /** Ends the connections of all watches, as a proxy that restarts does. */
  dropWatches(): void {
    for (const { response } of this.#watchers) response.destroy();
  }

  /** As `kill -9` does. */
  kill(): void {
    for (const { ended } of this.#watchers) ended.abort();
    this.#watchers.clear();
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** On the same port as before. */
  async restart(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams: query } = new URL(request.url ?? "/", "https://host");
    let text = "";
    for await (const chunk of request) text += chunk;
    const { method = "", headers } = request;
    const body: unknown = text === "" ? undefined : JSON.parse(text);
    const client = String((request.socket as TLSSocket).getPeerCertificate?.()?.subject?.CN ?? "");
    const asked = { method, path: pathname, query, headers, client, body };
    this.requests.push(asked);
    response.setHeader("date", new Date(this.#clock.now() + this.aheadMs).toUTCString());
    if (this.isStopped) return;
    const intercepted = this.intercept(asked);
    if (intercepted === "hang") return;
    if (intercepted === "drop") {
      request.socket.destroy();
      return;
    }
    if (intercepted !== undefined) return send(response, intercepted);
    const sent = headers.authorization?.replace(/^Bearer /, "") ?? "";
    const isKnown = client !== "" || sent === this.token || this.tokens.has(sent);
    if (!isKnown) return send(response, refusal(401, "Unauthorized"));
    if (query.has("watch")) return this.#watch(asked, response);
    send(response, this.#stored(asked));
  }

  #stored({ method, path, query, body, headers }: FakeRequest): FakeAnswer {
    const collection = COLLECTION_OF_NAMESPACE.test(path) ? this.#collection(path) : this.#collections.get(path);
    if (method === "GET" && collection !== undefined) return this.#page(collection, query);
    const { parent, name } = parentOf(path);
    const given = body as KubernetesObject | undefined;
    if (method === "POST" && given !== undefined) {
      const refused = creationRefusal(path, collection?.get(keyIn(path, given)));
      if (refused !== undefined) return refusal(...refused);
      this.put(path, given);
      return { status: 201, body: this.#collection(path).get(keyIn(path, given)) ?? {} };
    }
    const before = this.#collections.get(parent)?.get(name);
    if (before === undefined) return refusal(404, "NotFound", `"${name}" not found`);
    if (method === "DELETE") this.remove(parent, name);
    if (method === "PUT" && given !== undefined) {
      const refused = updateRefusal(before, given);
      if (refused !== undefined) return refusal(...refused);
      this.put(parent, given);
    }
    if (method === "PATCH" && headers["content-type"]?.includes("apply-patch")) {
      const apply = { manager: query.get("fieldManager") ?? "", force: query.get("force") === "true" };
      const after = applied(before, given ?? {}, apply, this.#owners);
      if (typeof after === "string") return refusal(409, "Conflict", after);
      this.put(parent, after);
    } else if (method === "PATCH") {
      // A patch may say which version of which object it is meant for.
      const { uid = before.metadata?.uid, resourceVersion = before.metadata?.resourceVersion } = given?.metadata ?? {};
      const isMeant = uid === before.metadata?.uid && resourceVersion === before.metadata?.resourceVersion;
      if (!isMeant) return refusal(409, "Conflict", "the object has been modified; please apply your changes");
      this.put(parent, merged(before, given ?? {}) as KubernetesObject);
    }
    return { status: 200, body: this.#collection(parent).get(name) ?? before };
  }

  #page(collection: ReadonlyMap<string, KubernetesObject>, query: URLSearchParams): FakeAnswer {
    const limit = Number(query.get("limit") ?? "0") || Number.POSITIVE_INFINITY;
    const [version = this.version, from = "0"] = (query.get("continue") ?? "").split(":").filter((part) => part !== "");
    if (Number(version) < this.#oldest) return refusal(410, "Expired", "the provided continue parameter is too old");
    const node = /^spec\.nodeName=(.+)$/.exec(query.get("fieldSelector") ?? "")?.[1];
    const selected = [...collection.values()].filter((object) => isSelected(object, query.get("labelSelector")));
    const all = selected.filter((object) => node === undefined || (object as Pod).spec?.nodeName === node);
    const items = all.slice(Number(from), Number(from) + limit);
    const next = Number(from) + items.length;
    const more = next < all.length ? { continue: `${version}:${next}` } : {};
    return { status: 200, body: { kind: "List", metadata: { resourceVersion: version, ...more }, items } };
  }

  #watch({ path, query }: FakeRequest, response: ServerResponse): void {
    const from = Number(query.get("resourceVersion"));
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    if (from < this.#oldest) {
      response.end(`${JSON.stringify({ type: "ERROR", object: refusal(410, "Expired").body })}\n`);
      return;
    }
    const watcher = { path, version: from, response, ended: newAbort() };
    // What it has never had it waits for.
    if (from <= this.#version) {
      this.#watchers.add(watcher);
      for (const entry of this.#history) if (entry.path === path && entry.version > from) response.write(entry.line);
    }
    response.once("close", () => {
      watcher.ended.abort();
      this.#watchers.delete(watcher);
    });
    void this.#endInTime(watcher, Number(query.get("timeoutSeconds") ?? "300") * 1_000);
  }

  async #endInTime(watcher: Watcher, timeoutMs: number): Promise<void> {
    const { signal } = watcher.ended;
    try {
      await this.#clock.sleep(timeoutMs - BOOKMARK_BEFORE_END_MS, signal);
      const bookmark = { type: "BOOKMARK", object: { kind: "Node", metadata: { resourceVersion: this.version } } };
      // As the real one, which sends none if its version is not higher than the watch's.
      const isDue = this.#watchers.has(watcher) && watcher.version < this.#version;
      if (isDue && !this.isStopped) watcher.response.write(`${JSON.stringify(bookmark)}\n`);
      await this.#clock.sleep(BOOKMARK_BEFORE_END_MS, signal);
      if (this.isStopped) return;
      // At once: nothing may be written after the end.
      this.#watchers.delete(watcher);
      watcher.response.end();
    } catch {
      // The watch has ended before.
    }
  }

  #announce(path: string, type: string, object: object): void {
    const line = `${JSON.stringify({ type, object })}\n`;
    this.#history.push({ version: this.#version, path, line });
    if (this.isStopped) return;
    for (const watcher of this.#watchers) {
      if (watcher.path !== path) continue;
      watcher.version = this.#version;
      watcher.response.write(line);
    }
  }

  #collection(path: string): Map<string, KubernetesObject> {
    const known = this.#collections.get(path) ?? new Map<string, KubernetesObject>();
    this.#collections.set(path, known);
    return known;
  }
}

export function refusal(status: number, reason: string, message = reason, details?: object): FakeAnswer {
  return { status, body: { kind: "Status", status: "Failure", code: status, reason, message, details } };
}

function send(response: ServerResponse, { status, body, headers = {} }: FakeAnswer): void {
  const text = typeof body === "string" ? body : JSON.stringify(body ?? {});
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(text);
}

/** Of a kind that every API server has, though there may be nothing in it. */
const COLLECTION_OF_NAMESPACE = /\/namespaces\/[^/]+\/[^/]+$/;

/** In a collection of one namespace the name alone. */
function keyIn(path: string, { metadata }: KubernetesObject): string {
  return metadata?.namespace === undefined || path.includes("/namespaces/")
    ? (metadata?.name ?? "")
    : `${metadata.namespace}/${metadata.name}`;
}

/** `/api/v1/nodes/a` is `a` in `/api/v1/nodes`. */
function parentOf(path: string): { readonly parent: string; readonly name: string } {
  const at = path.lastIndexOf("/");
  return { parent: path.slice(0, at), name: decodeURIComponent(path.slice(at + 1)) };
}

/** RFC 7396. */
export function merged(before: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = typeof before === "object" && before !== null ? { ...before } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merged(result[name], value);
  }
  return result;
}
