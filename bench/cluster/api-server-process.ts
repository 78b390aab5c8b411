// The API server of a large cluster, as a process of its own: what it keeps is not in the memory of the service.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { newAbort } from "../../src/drain/abort.ts";
import { SystemClock } from "../../src/drain/clock.ts";

/** What it is told and asked by the process that has started it. */
export type ToApiServer =
  | {
      readonly type: "build";
      readonly nodes: readonly { readonly name: string; readonly id: string }[];
      readonly podsPerNode: number;
    }
  /** Karpenter removes so many of the first nodes. */
  | { readonly type: "taint"; readonly nodes: number }
  /** The status of one pod changes. */
  | { readonly type: "touch"; readonly pod: number }
  | { readonly type: "counts" };
export type FromApiServer = { readonly url: string } | { readonly counts: Readonly<Record<string, number>> };

const [NODES, PODS] = ["/api/v1/nodes", "/api/v1/pods"];
const FILLING = { pods: "f".repeat(4_500), nodes: "f".repeat(14_000) };
const TAINT = { key: "karpenter.sh/disrupted", effect: "NoSchedule" };

interface Stored {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly nodeName?: string };
}

const collections = new Map<string, Stored[]>([
  [NODES, []],
  [PODS, []],
]);
const watches = new Set<{ readonly path: string; readonly response: ServerResponse }>();
const counts: Record<string, number> = {};
let version = 1_000_000;

const server = createServer((request, response) => {
  void answer(request, response);
});
process.on("message", (message: ToApiServer) => act(message));

function act(message: ToApiServer): void {
  switch (message.type) {
    case "build":
      build(message.nodes, message.podsPerNode);
      server.listen(0, "127.0.0.1", () => send({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
      return;
    case "taint":
      for (const one of (collections.get(NODES) ?? []).slice(0, message.nodes))
        change(NODES, { ...one, spec: { ...one.spec, taints: [TAINT] } } as Stored);
      return;
    case "touch": {
      const pods = collections.get(PODS) ?? [];
      const touched = pods[message.pod % pods.length];
      if (touched !== undefined) change(PODS, touched);
      return;
    }
    case "counts":
      send({ counts: { ...counts } });
      return;
    default:
      message satisfies never;
  }
}

function build(nodes: readonly { readonly name: string; readonly id: string }[], podsPerNode: number): void {
  for (const { name, id } of nodes) {
    const spec = { providerID: `aws:///eu-west-1a/${id}` };
    add(NODES, { metadata: metadata(name, undefined, FILLING.nodes), spec, status: { conditions: [READY] } });
    for (let at = 0; at < podsPerNode; at += 1) add(PODS, podOn(name, at));
  }
}

const READY = { type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" };

function podOn(nodeName: string, at: number): Stored {
  const name = `web-6d4cf56db6-${nodeName}-${at}`;
  const ownerReferences = [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: "r", controller: true }];
  const podIP = `10.${(version >> 16) & 255}.${(version >> 8) & 255}.${version & 255}`;
  return {
    metadata: { ...metadata(name, "production", FILLING.pods), ownerReferences },
    spec: { nodeName, terminationGracePeriodSeconds: 30, volumes: [{ name: "cache", emptyDir: {} }] },
    status: { phase: "Running", podIP, podIPs: [{ ip: podIP }] },
  } as Stored;
}

function metadata(name: string, namespace: string | undefined, filling: string) {
  version += 1;
  const uid = `00000000-0000-4000-8000-${String(version).padStart(12, "0")}`;
  return { name, ...(namespace && { namespace }), uid, resourceVersion: String(version), annotations: { filling } };
}

function add(path: string, object: object): void {
  collections.get(path)?.push(object as Stored);
}

function change(path: string, object: Stored): void {
  version += 1;
  const changed = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
  const all = collections.get(path) ?? [];
  all[all.findIndex(({ metadata: { name } }) => name === object.metadata.name)] = changed;
  const line = `${JSON.stringify({ type: "MODIFIED", object: changed })}\n`;
  for (const watch of watches) if (watch.path === path) watch.response.write(line);
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname: path, searchParams: query } = new URL(request.url ?? "/", "http://host");
  for await (const _ of request);
  const kind = query.has("watch")
    ? "watch"
    : query.get("limit") === "1"
      ? "version"
      : query.has("fieldSelector")
        ? "node"
        : "all";
  const what =
    collections.has(path) && request.method === "GET" ? `${path.split("/").at(-1)} ${kind}` : `${request.method}`;
  counts[what] = (counts[what] ?? 0) + 1;
  if (kind === "watch") return watch(path, Number(query.get("timeoutSeconds")), response);
  const all = collections.get(path);
  const isApply = request.method === "PATCH" || request.method === "POST";
  if (all === undefined || isApply) return end(response, isApply ? 200 : 404, { metadata: {} });
  const node = query.get("fieldSelector")?.split("=")[1];
  const of = node === undefined ? all : all.filter(({ spec }) => spec.nodeName === node);
  const from = Number(query.get("continue") ?? 0);
  const items = of.slice(from, from + Number(query.get("limit") ?? of.length));
  const next = from + items.length;
  const more = next < of.length ? { continue: String(next) } : {};
  end(response, 200, { metadata: { resourceVersion: String(version), ...more }, items });
}

const clock = new SystemClock();
/** As kube-apiserver, which sends a bookmark so long before the end. */
const BOOKMARK_MS = 2_000;

function watch(path: string, seconds: number, response: ServerResponse): void {
  response.writeHead(200, { "content-type": "application/json" }).flushHeaders();
  const one = { path, response };
  const closed = newAbort();
  watches.add(one);
  response.once("close", () => {
    watches.delete(one);
    closed.abort();
  });
  endInTime(seconds * 1_000, response, closed.signal).catch(() => {});
}

async function endInTime(ms: number, response: ServerResponse, closed: AbortSignal): Promise<void> {
  await clock.sleep(ms - BOOKMARK_MS, closed);
  const bookmark = { type: "BOOKMARK", object: { metadata: { resourceVersion: String(version) } } };
  response.write(`${JSON.stringify(bookmark)}\n`);
  await clock.sleep(BOOKMARK_MS, closed);
  response.end();
}

function end(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function send(message: FromApiServer): void {
  process.send?.(message);
}
