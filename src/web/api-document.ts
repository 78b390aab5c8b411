import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import {
  ACCEPTED,
  CANCELLED,
  DONE,
  DRAIN_FAILURE,
  FAILURE,
  HEALTHY,
  NODE_STATUS,
  NOT_IN_TIME,
  NOT_READY,
  PROBLEM,
  READY,
  REFUSED,
  STOPPED,
  UNRECORDED,
} from "./answer-schemas.ts";
import { describeDrainRoutes, type ForSecretRoutes, failed, header, succeeded } from "./drain-document.ts";
import { DRAIN_BODY, DRAIN_QUERY } from "./drain-request.ts";
import { NODE_PATH, NODE_QUERY } from "./drains-request.ts";

/** What is answered to whatever is asked for, before anybody looks what that is. */
const ANY_REQUEST = {
  400: failed("The request is malformed.", PROBLEM),
  408: failed("The request did not come to its end in time.", PROBLEM),
  414: failed("The URL is too long.", PROBLEM),
  417: failed("Only `100-continue` can be expected.", PROBLEM),
  431: failed("The URL and the headers are too large.", PROBLEM),
};

/** What every route that needs the secret may answer before it does its work. */
const REFUSED_AT_THE_DOOR = {
  ...ANY_REQUEST,
  400: failed("The request is wrong: `detail` says what to mend.", PROBLEM),
  401: { ...failed("There is no secret.", PROBLEM), headers: header("WWW-Authenticate", "Bearer") },
  403: failed("The secret is wrong, or there is no client certificate where one is needed.", PROBLEM),
  429: {
    ...failed("Too many wrong secrets came from this address. A right one passes.", PROBLEM),
    headers: header("Retry-After", "Seconds."),
  },
};

/**
 * The API's description (OpenAPI), from the schemas that check requests. `npm run docs` writes it to `openapi.json`,
 * which the service sends: what makes it is larger than the rest of the API.
 */
export function apiDocument(): object {
  const app = new OpenAPIHono();
  const guarded: ForSecretRoutes = { security: secretSchemes(app), refused: REFUSED_AT_THE_DOOR };
  addDrainRoute(app, guarded);
  describeDrainRoutes(app, guarded);
  addNodeRoute(app, guarded);
  addOpenRoutes(app);
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "hasta-la-vista",
      version: "0.0.0",
      description: "Takes Kubernetes nodes out of AWS load balancers. Errors are problem details (RFC 9457).",
      license: { name: "MIT", url: "https://opensource.org/license/mit" },
    },
    servers: [{ url: "/" }],
    tags: [
      { name: "Nodes", description: "Need the secret." },
      { name: "Drains", description: "What was asked for, and what has become of it. Need the secret." },
      { name: "Service", description: "Answer anybody." },
    ],
  });
}

/** The two ways to send the secret, either of which is enough. */
function secretSchemes({ openAPIRegistry: registry }: OpenAPIHono): ForSecretRoutes["security"] {
  const bearer = registry.registerComponent("securitySchemes", "bearer", {
    type: "http",
    scheme: "bearer",
    description:
      "The service's SECRET, or any of SECRET_FILE. TLS_CLIENT_CA_FILE makes it need a client certificate besides.",
  });
  const pw = registry.registerComponent("securitySchemes", "pw", {
    type: "apiKey",
    in: "query",
    name: "pw",
    description:
      "The same, where a caller can't send headers, unless QUERY_SECRET is false. Queries stand in the logs of whatever is between.",
  });
  return [{ [bearer.name]: [] }, { [pw.name]: [] }];
}

function addDrainRoute({ openAPIRegistry: registry }: OpenAPIHono, { security, refused }: ForSecretRoutes): void {
  registry.registerPath(
    createRoute({
      method: "post",
      path: "/drain",
      operationId: "drain",
      tags: ["Nodes"],
      security,
      summary: "Take a node out of its load balancers",
      description:
        "Takes a node out of every load balancer that could send it traffic, and answers when traffic has ended. " +
        "Name the node by exactly one of `id`, `ip` and `node`. Every parameter may stand in the query or in the body, " +
        "whatever the body's content type is. Requests for a node that is being drained join that drain; who leaves " +
        "cancels nothing. With STATE_DIR the next start of the service takes up what had not ended; without it drains " +
        "live in memory, and 202 promises no more than that: when the service has ended, ask again.",
      request: {
        query: DRAIN_QUERY.omit({ pw: true }),
        body: { content: { "application/json": { schema: DRAIN_BODY } } },
      },
      responses: {
        200: succeeded("The node can go; or the plan of a dry run.", DONE),
        202: {
          ...succeeded("The drain has begun, and goes on without the caller.", ACCEPTED),
          headers: header("Location", "Where to see how it fares: /drains/{drain}"),
        },
        ...refused,
        404: failed("There is no such node, or it belongs to another cluster.", DRAIN_FAILURE),
        409: failed(
          "Too few healthy targets would stay, or too many drains run already; the address or name fits several nodes; or somebody has cancelled the drain.",
          REFUSED.or(DRAIN_FAILURE).or(CANCELLED),
        ),
        413: failed("The body is too large.", PROBLEM),
        500: failed("A fault of the service: its log says where.", PROBLEM.or(DRAIN_FAILURE)),
        502: failed("AWS failed or denied something.", DRAIN_FAILURE),
        503: {
          ...failed("The service is stopping, or can't promise to whoever does not wait.", STOPPED.or(UNRECORDED)),
          headers: header("Retry-After", "Seconds."),
        },
        504: failed("The deadline or the timeout came first: `outcome` says what remains.", NOT_IN_TIME),
      },
    }),
  );
}

function addNodeRoute({ openAPIRegistry: registry }: OpenAPIHono, { security, refused }: ForSecretRoutes): void {
  registry.registerPath(
    createRoute({
      method: "get",
      path: "/nodes/{node}",
      operationId: "nodeStatus",
      tags: ["Nodes"],
      security,
      summary: "Where a node is registered now, and how its drain fares",
      request: { params: NODE_PATH, query: NODE_QUERY.omit({ pw: true }) },
      responses: {
        200: succeeded("Read from AWS just now.", NODE_STATUS),
        ...refused,
        404: failed("There is no such node, it is terminated, or it belongs to another cluster.", FAILURE),
        409: failed("The address or name fits several nodes.", FAILURE),
        500: failed("A fault of the service: its log says where.", PROBLEM),
        502: failed("AWS failed or denied something.", FAILURE),
        503: { ...failed("The service is stopping.", PROBLEM), headers: header("Retry-After", "Seconds.") },
      },
    }),
  );
}

/** What anybody may ask. */
function addOpenRoutes({ openAPIRegistry: registry }: OpenAPIHono): void {
  const open = { method: "get" as const, tags: ["Service"], security: [] };
  registry.registerPath(
    createRoute({
      ...open,
      path: "/health",
      operationId: "health",
      summary: "Whether the service is alive",
      responses: { 200: succeeded("It is.", HEALTHY), ...ANY_REQUEST },
    }),
  );
  registry.registerPath(
    createRoute({
      ...open,
      path: "/ready",
      operationId: "ready",
      summary: "Whether drains can work",
      description: "The last check in the background, which makes each read that a drain makes, once a minute at most.",
      responses: {
        200: succeeded("They can.", READY),
        503: { ...failed("They can't: `detail` says why.", NOT_READY), headers: header("Retry-After", "Seconds.") },
        ...ANY_REQUEST,
      },
    }),
  );
  registry.registerPath(
    createRoute({
      ...open,
      path: "/metrics",
      operationId: "metrics",
      summary: "What Prometheus reads",
      responses: {
        200: { description: "The text exposition.", content: { "text/plain": { schema: { type: "string" } } } },
        500: failed("A fault of the service: its log says where.", PROBLEM),
        ...ANY_REQUEST,
      },
    }),
  );
  registry.registerPath(
    createRoute({
      ...open,
      path: "/openapi.json",
      operationId: "openApi",
      summary: "This description",
      responses: {
        200: { description: "It.", content: { "application/json": { schema: { type: "object" } } } },
        ...ANY_REQUEST,
      },
    }),
  );
}
