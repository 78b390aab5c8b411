import { type Context, Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { newAbort } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { DrainError } from "../drain/errors.ts";
import type { NodeStatus } from "../drain/outcome.ts";
import type { NodeReference } from "../drain/request.ts";
import {
  acceptedAnswer,
  failureAnswer,
  nodeStatusAnswer,
  nodeUndoAnswer,
  outcomeAnswer,
  readyAnswer,
  unrecordedAnswer,
} from "./answers.ts";
import { askerOf, clientAddress, secretsOf, userOf, withoutSecret } from "./asker.ts";
import { addConnectionRoute, type TakeConnections } from "./connection-reports.ts";
import { addDashboardRoutes, type DashboardFiles } from "./dashboard-routes.ts";
import { addDoctorRoute, type Examine } from "./doctor-route.ts";
import { type ReadDrainRequest, readDrainRequest } from "./drain-request.ts";
import { addDrainRoutes, type Cancel, type CancelNode, type DrainHistory } from "./drain-routes.ts";
import { readNodeRequest, readNodeUndoRequest } from "./drains-request.ts";
import { type HttpSource, NotAccepted, Unrecorded } from "./http-source.ts";
import { constantJson, paced } from "./kept-answers.ts";
import { BODY_BYTES_MAX } from "./limits.ts";
import { addNodeListRoute, type NodesWith } from "./node-list.ts";
import type { Overview } from "./overview.ts";
import { addOverviewRoutes } from "./overview-routes.ts";
import { BadRequest, queryOf } from "./parameters.ts";
import { type Answer, problem, send, unavailable } from "./problem.ts";
import type { ReadyState } from "./readiness.ts";
import { ALONE, isPassedOver, type Replicas } from "./replicas.ts";
import { type SecretGuardOptions, secretGuard } from "./secret-guard.ts";
import { refuseSecretAs, refuseSecretIn } from "./secrets.ts";

export interface WebOptions extends SecretGuardOptions {
  readonly source: Pick<HttpSource, "submit">;
  readonly history: DrainHistory;
  readonly cancel: Cancel;
  readonly cancelNode: CancelNode;
  /** Nothing is changed, whatever callers request. */
  readonly dryRun: boolean;
  /** Why no pods are evicted, whatever callers request. Absent: they may be. */
  readonly noEviction?: string | undefined;
  readonly version: string;
  /**
   * The instance of the Node object of this name, which may differ from the name of the machine. Undefined: not known.
   */
  readonly instanceOf?: ((name: string) => Promise<string | undefined>) | undefined;
  /** Absent: no cluster is configured. */
  readonly nodesWith?: NodesWith | undefined;
  /** Absent: holds do not end early. */
  readonly takeConnections?: TakeConnections | undefined;
  readonly examine: Examine;
  /** The state of a node. Throws `DrainError`. */
  readonly status: (node: NodeReference, signal: AbortSignal) => Promise<NodeStatus>;
  readonly ready: () => ReadyState;
  readonly overview: Pick<Overview, "text" | "follow">;
  /** Reads the files of the dashboard. Rejects if they do not exist. */
  readonly dashboard: () => Promise<DashboardFiles>;
  /** The metrics for Prometheus. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
  /** The other replicas of the service. Absent: there are none. */
  readonly replicas?: Replicas | undefined;
  /** Called once for each request. It never gets the query, which may contain the secret. */
  readonly onAnswered: (request: AnsweredRequest) => void;
  /** A fault of this program. */
  readonly onError: (error: unknown) => void;
}

export interface AnsweredRequest {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** What the caller has to correct, without anything that it has sent. */
  readonly problem?: string;
  /** The client that was refused because of its secret. */
  readonly client?: string;
  /** The user of the caller's token. */
  readonly user?: string;
}

/** The HTTP API. A function from requests to answers: it needs no port. */
export function createWebApp(options: WebOptions): Hono {
  const app = new Hono();
  app.use(logAnswers(options));
  const { replicas = ALONE } = options;
  app.use(replicas.know);
  addOpenRoutes(app, options);
  addSecretRoutes(app, options);

  app.notFound((context) => {
    const { path, method } = context.req;
    const route = routeOf(path);
    if (route === undefined) return send(problem(404, "no such path: GET /openapi.json lists the paths"));
    const allow = ROUTES[route];
    return send(problem(405, `${route} takes ${allow}, not ${method}`, { headers: { allow } }));
  });

  app.onError((error, context) => {
    // The message quotes what the caller has sent.
    if (error instanceof BadRequest)
      return send(problem(400, secretsOf(context, options.secrets()).masked(error.message)));
    if (error instanceof NotAccepted) return send(unavailable(error.message));
    if (error instanceof DrainError && error.code !== "internal") return send(failureAnswer(error));
    // The client has disconnected.
    if (context.req.raw.signal.aborted) return send(problem(400, "the request is incomplete"));
    options.onError(error);
    return send(problem(500, "internal error: the log of the service has the details"));
  });
  return app;
}

function logAnswers({ onAnswered }: WebOptions): MiddlewareHandler {
  return async (context, next) => {
    await next();
    if (isPassedOver(context.res)) return;
    const { method, path } = context.req;
    const { error } = context;
    const { status } = context.res;
    const user = userOf(context);
    onAnswered({
      method,
      path: routeOf(path) ?? "unknown",
      status,
      ...(status === 401 || status === 403 || status === 429 ? { client: clientAddress(context) } : {}),
      ...(user === undefined ? {} : { user }),
      ...(error instanceof BadRequest ? { problem: error.logged } : {}),
    });
  };
}

/** It is a tenth of the service's code, and few callers ask for it, so it is loaded for the first one. */
async function apiDescription(version: string): Promise<() => Response> {
  const { default: openApi } = await import("./openapi.json", { with: { type: "json" } });
  return constantJson({ ...openApi, info: { ...openApi.info, version } });
}

/** Paths that require no secret. */
function addOpenRoutes(app: Hono, { ready, metrics, version, clock, dashboard, onError }: WebOptions): void {
  addDashboardRoutes(app, { read: dashboard, onError });
  const health = constantJson({ status: "ok" });
  let description: Promise<() => Response> | undefined;
  const exposition = paced(clock, async () => {
    const { contentType, body } = await metrics();
    return { contentType, body: Buffer.from(body) };
  });
  app.get("/health", health);
  app.get("/ready", () => send(readyAnswer(ready())));
  app.get("/openapi.json", async () => {
    description ??= apiDescription(version);
    return (await description)();
  });
  app.get("/metrics", async () => {
    const { contentType, body } = await exposition();
    return new Response(body, { headers: { "content-type": contentType } });
  });
}

function addSecretRoutes(app: Hono, options: WebOptions): void {
  const { source, dryRun, noEviction, clock, status, history, cancel, cancelNode } = options;
  const needs = secretGuard(options);
  const secretsFor = (context: Context) => secretsOf(context, options.secrets());
  const { relay: byLeader } = options.replicas ?? ALONE;
  const meant = async (node: NodeReference): Promise<NodeReference> => {
    const id = node.by === "name" ? await options.instanceOf?.(node.value) : undefined;
    return id === undefined ? node : { by: "id", value: id };
  };
  const limitsBody = bodyLimit({
    maxSize: BODY_BYTES_MAX,
    onError: () => send(problem(413, `the body is larger than ${BODY_BYTES_MAX} bytes`)),
  });

  app.post("/drain", needs({ verb: "create", resource: "drains" }), limitsBody, byLeader, async (context) => {
    const [query, body] = [queryOf(context), await context.req.text()];
    const secrets = secretsFor(context);
    refuseSecretIn(secrets, [body]);
    const read = readDrainRequest({ query, body, dryRun, noEviction, now: clock.now() });
    refuseSecretAs(secrets, read.request.node.value);
    const [asker, node] = [askerOf(context, secrets), await meant(read.request.node)];
    const request = { ...withoutSecret(read.request, secrets), node, asker };
    return send(await drainAnswer(source, { ...read, request }, clock));
  });

  addOverviewRoutes(app, { needs, byLeader, overview: options.overview });
  addNodeListRoute(app, { needs, byLeader, nodesWith: options.nodesWith });
  const { takeConnections, instanceOf, examine } = options;
  addConnectionRoute(app, { needs, byLeader, limitsBody, takeConnections, instanceOf });
  addDoctorRoute(app, { needs, byLeader, examine });
  addDrainRoutes(app, {
    needs,
    byLeader,
    history,
    clock,
    cancel,
    askerOf: (context) => askerOf(context, secretsFor(context)),
  });

  app.get("/nodes/:node", needs({ verb: "get", resource: "nodes" }), byLeader, async (context) => {
    const node = readNodeRequest({ query: queryOf(context), node: context.req.param("node") });
    return send(nodeStatusAnswer(await status(await meant(node), context.req.raw.signal)));
  });

  app.delete("/nodes/:node/drains", needs({ verb: "delete", resource: "drains" }), byLeader, async (context) => {
    const request = readNodeUndoRequest({ query: queryOf(context), node: context.req.param("node") });
    const asker = askerOf(context, secretsFor(context));
    return send(nodeUndoAnswer(await cancelNode({ ...request, node: await meant(request.node), asker })));
  });
}

/** If AWS answers soon, the guard decides within this time. */
const BEGINS_WITHIN_MS = 2_000;

/**
 * The outcome, if it comes while the caller waits. Otherwise which drain has begun, or was accepted and has not begun.
 * The lookup of the node is always waited for.
 */
async function drainAnswer(
  source: WebOptions["source"],
  { request, waitMs }: ReadDrainRequest,
  clock: Clock,
): Promise<Answer> {
  const { accepted, begun, outcome } = source.submit(request);
  if (waitMs === undefined) return outcomeAnswer(await outcome);
  const answered = newAbort();
  const waited = async () => {
    if (waitMs > 0) await clock.sleep(waitMs, answered.signal);
    const drain = await accepted;
    // A refusal that comes this soon is the answer.
    const late = clock.sleep(Math.max(0, BEGINS_WITHIN_MS - waitMs), answered.signal).then(() => false);
    const hasBegun = await Promise.race([begun.then(() => true), late]);
    return acceptedAnswer(drain, hasBegun);
  };
  const accepting = waited();
  // Not needed when the outcome is known.
  accepting.catch(() => {});
  // Hundreds of drains may end together, and most of their callers were answered long ago.
  const ended = outcome.then((end) => (answered.signal.aborted ? undefined : outcomeAnswer(end)));
  try {
    return (await Promise.race([ended, accepting])) ?? (await accepting);
  } catch (error) {
    if (error instanceof Unrecorded) return unrecordedAnswer(error);
    throw error;
  } finally {
    answered.abort();
  }
}

/** Every path, and its methods. A part in braces stands for any text. */
export const ROUTES = {
  "/drain": "POST",
  "/drains": "GET, HEAD",
  "/drains/{drain}": "GET, HEAD, DELETE",
  "/drains/{drain}/events": "GET, HEAD",
  "/nodes": "GET, HEAD",
  "/nodes/{node}": "GET, HEAD",
  "/nodes/{node}/connections": "POST",
  "/doctor": "GET, HEAD",
  "/nodes/{node}/drains": "DELETE",
  "/overview": "GET, HEAD",
  "/overview/events": "GET, HEAD",
  "/": "GET, HEAD",
  "/assets/{asset}": "GET, HEAD",
  "/health": "GET, HEAD",
  "/ready": "GET, HEAD",
  "/metrics": "GET, HEAD",
  "/openapi.json": "GET, HEAD",
} as const;

type RoutePath = keyof typeof ROUTES;

const PATTERNS = (Object.keys(ROUTES) as RoutePath[]).map((route) => {
  const pattern = route.replace(".", "\\.").replace(/\{\w+\}/g, "[^/]+");
  return [route, new RegExp(`^${pattern}$`)] as const;
});

/** The route of a request's path. A mistyped URL may have the secret in its path. */
function routeOf(path: string): RoutePath | undefined {
  return PATTERNS.find(([, pattern]) => pattern.test(path))?.[0];
}
