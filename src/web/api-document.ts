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
  POSSIBLY_REGISTERED,
  PROBLEM,
  READY,
  REFUSED,
  STOPPED,
  UNRECORDED,
} from "./answer-schemas.ts";
import { CONNECTION_REPORT, CONNECTIONS_PATH, CONNECTIONS_QUERY, COUNTING_ORDER } from "./connection-reports.ts";
import { DOCTOR, DOCTOR_QUERY } from "./doctor-route.ts";
import {
  describeCancelNode,
  describeDrainRoutes,
  type ForSecretRoutes,
  failed,
  header,
  succeeded,
} from "./drain-document.ts";
import { DRAIN_BODY, DRAIN_QUERY } from "./drain-request.ts";
import { NODE_PATH, NODE_QUERY } from "./drains-request.ts";
import { NODES, NODES_QUERY } from "./node-list.ts";
import { describeDashboard, describeOverview } from "./overview-document.ts";

/** Answers to any request, before its path is known. */
const ANY_REQUEST = {
  400: failed("The request is malformed.", PROBLEM),
  408: failed("The request was not complete in time.", PROBLEM),
  414: failed("The URL is too long.", PROBLEM),
  417: failed("The Expect header has a value other than `100-continue`.", PROBLEM),
  431: failed("The URL and the headers are too large.", PROBLEM),
};

/** Answers of every route that requires the secret, before the route does its work. */
const REFUSED_AT_THE_DOOR = {
  ...ANY_REQUEST,
  400: failed("The request is wrong: see `detail`.", PROBLEM),
  401: {
    ...failed("The request has no secret, or its token is not valid.", PROBLEM),
    headers: header("WWW-Authenticate", "Bearer"),
  },
  403: failed(
    "The secret is wrong, the required client certificate is missing, or the user of the token may not do this.",
    PROBLEM,
  ),
  429: {
    ...failed("Too many wrong secrets or tokens came from this address. The right secret is still accepted.", PROBLEM),
    headers: header("Retry-After", "Seconds."),
  },
  503: {
    ...failed("The API server does not say whether the token is valid. The secret is still accepted.", PROBLEM),
    headers: header("Retry-After", "Seconds."),
  },
};

/**
 * The API's description (OpenAPI), from the schemas that check requests. `npm run docs` writes it to `openapi.json`,
 * which the service sends, because the code that creates it is larger than the rest of the API.
 */
export function apiDocument(): object {
  const app = new OpenAPIHono();
  const guarded: ForSecretRoutes = { security: secretSchemes(app), refused: REFUSED_AT_THE_DOOR };
  addDrainRoute(app, guarded);
  describeDrainRoutes(app, guarded);
  addNodeListRoute(app, guarded);
  addNodeRoute(app, guarded);
  addConnectionRoute(app, guarded);
  addDoctorRoute(app, guarded);
  describeCancelNode(app, guarded);
  describeOverview(app, guarded);
  describeDashboard(app, ANY_REQUEST);
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
      { name: "Nodes", description: "Require the secret." },
      { name: "Drains", description: "Running and past drains. Require the secret." },
      { name: "Service", description: "The service itself. The overview requires the secret." },
    ],
  });
}

/** The two ways to send the secret. Either one is sufficient. */
function secretSchemes({ openAPIRegistry: registry }: OpenAPIHono): ForSecretRoutes["security"] {
  const bearer = registry.registerComponent("securitySchemes", "bearer", {
    type: "http",
    scheme: "bearer",
    description:
      "SECRET of the service, or any secret in SECRET_FILE. With TOKEN_REVIEW also a Kubernetes token for the audience TOKEN_AUDIENCE. With TLS_CLIENT_CA_FILE, a client certificate is required too.",
  });
  const pw = registry.registerComponent("securitySchemes", "pw", {
    type: "apiKey",
    in: "query",
    name: "pw",
    description:
      "The same secret, for callers that can't send headers. Disabled by QUERY_SECRET=false. Proxies may log queries.",
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
        "Deregisters a node from every load balancer that could send it traffic, and answers when traffic has stopped. " +
        "Name the node by exactly one of `id`, `ip` and `node`. Send parameters in the query or in the body. " +
        "The content type of the body is ignored. A request for a node that is being drained joins that drain. A caller " +
        "that disconnects cancels nothing. With STATE_DIR, the next process resumes unfinished drains. Without STATE_DIR, " +
        "drains are kept in memory: after a restart of the service, request the drain again, also after 202.",
      request: {
        query: DRAIN_QUERY.omit({ pw: true }),
        body: { content: { "application/json": { schema: DRAIN_BODY } } },
      },
      responses: {
        200: succeeded("The node can be terminated. For a dry run: the plan.", DONE),
        202: {
          ...succeeded("The drain has begun and continues without the caller.", ACCEPTED),
          headers: header("Location", "Path of the drain: /drains/{drain}"),
        },
        ...refused,
        404: failed("The node does not exist, or belongs to another cluster.", DRAIN_FAILURE),
        409: failed(
          "Too few healthy targets would remain, too many drains are running, the address or name matches several nodes, a target may be the node's or another machine's, or the drain was cancelled.",
          REFUSED.or(POSSIBLY_REGISTERED).or(DRAIN_FAILURE).or(CANCELLED),
        ),
        413: failed("The body is too large.", PROBLEM),
        500: failed("Internal error. The log of the service has the details.", PROBLEM.or(DRAIN_FAILURE)),
        502: failed("AWS failed, or denied a call.", DRAIN_FAILURE),
        503: {
          ...failed(
            "The service is stopping, or the ledger could not be written for a request that does not wait.",
            STOPPED.or(UNRECORDED),
          ),
          headers: header("Retry-After", "Seconds."),
        },
        504: failed(
          "The deadline or timeout came before the end. `outcome` has the remaining registrations.",
          NOT_IN_TIME,
        ),
      },
    }),
  );
}

function addNodeListRoute({ openAPIRegistry: registry }: OpenAPIHono, { security, refused }: ForSecretRoutes): void {
  registry.registerPath(
    createRoute({
      method: "get",
      path: "/nodes",
      operationId: "nodes",
      tags: ["Nodes"],
      security,
      summary: "List the nodes of the cluster that have labels",
      description: "Requires KUBERNETES. Changes nothing.",
      request: { query: NODES_QUERY.omit({ pw: true }) },
      responses: {
        200: succeeded("The nodes, read from the API server now.", NODES),
        ...refused,
        500: failed("Internal error. The log of the service has the details.", PROBLEM),
        502: failed("The API server failed, denied the request, or does not understand the selector.", FAILURE),
      },
    }),
  );
}

function addConnectionRoute({ openAPIRegistry: registry }: OpenAPIHono, { security, refused }: ForSecretRoutes): void {
  registry.registerPath(
    createRoute({
      method: "post",
      path: "/nodes/{node}/connections",
      operationId: "reportConnections",
      tags: ["Nodes"],
      security,
      summary: "Report the connections of a node",
      description:
        "For the agent on the node. Requires EARLY_RELEASE. A token must belong to a pod of the node. Reports count only " +
        "if each was made after the answer to the one before.",
      request: {
        params: CONNECTIONS_PATH,
        query: CONNECTIONS_QUERY.omit({ pw: true }),
        body: { content: { "application/json": { schema: CONNECTION_REPORT } } },
      },
      responses: {
        200: succeeded("What to count before the next report.", COUNTING_ORDER),
        ...refused,
        403: failed(
          "The secret is wrong, the required client certificate is missing, the user of the token may not do this, or the token belongs to a pod of another node.",
          PROBLEM,
        ),
        409: failed("EARLY_RELEASE is not set for the service.", PROBLEM),
        413: failed("The body is too large.", PROBLEM),
        500: failed("Internal error. The log of the service has the details.", PROBLEM),
      },
    }),
  );
}

function addDoctorRoute({ openAPIRegistry: registry }: OpenAPIHono, { security, refused }: ForSecretRoutes): void {
  registry.registerPath(
    createRoute({
      method: "get",
      path: "/doctor",
      operationId: "doctor",
      tags: ["Doctor"],
      security,
      summary: "Find what would make drains lose requests",
      description:
        "Reads all load balancers, so that it can take minutes in a large account. Callers within a minute get the same report. Changes nothing.",
      request: { query: DOCTOR_QUERY.omit({ pw: true }) },
      responses: {
        200: succeeded("What was found, and what could not be looked at.", DOCTOR),
        ...refused,
        500: failed("Internal error. The log of the service has the details.", PROBLEM),
        502: failed("AWS failed, or denied to list load balancers.", FAILURE),
        503: { ...failed("The service is stopping.", PROBLEM), headers: header("Retry-After", "Seconds.") },
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
      summary: "Show the registrations of a node and its running drain",
      request: { params: NODE_PATH, query: NODE_QUERY.omit({ pw: true }) },
      responses: {
        200: succeeded("The registrations, read from AWS now.", NODE_STATUS),
        ...refused,
        404: failed("The node does not exist, is terminated, or belongs to another cluster.", FAILURE),
        409: failed("The address or name matches several nodes.", FAILURE),
        500: failed("Internal error. The log of the service has the details.", PROBLEM),
        502: failed("AWS failed, or denied a call.", FAILURE),
        503: { ...failed("The service is stopping.", PROBLEM), headers: header("Retry-After", "Seconds.") },
      },
    }),
  );
}

/** Paths that require no secret. */
function addOpenRoutes({ openAPIRegistry: registry }: OpenAPIHono): void {
  const open = { method: "get" as const, tags: ["Service"], security: [] };
  registry.registerPath(
    createRoute({
      ...open,
      path: "/health",
      operationId: "health",
      summary: "Check that the service is alive",
      responses: { 200: succeeded("The service is alive.", HEALTHY), ...ANY_REQUEST },
    }),
  );
  registry.registerPath(
    createRoute({
      ...open,
      path: "/ready",
      operationId: "ready",
      summary: "Check that drains can work",
      description:
        "Returns the result of the last background check, which makes each read call of a drain, at most once per minute.",
      responses: {
        200: succeeded("Drains can work.", READY),
        503: { ...failed("Drains can't work: see `detail`.", NOT_READY), headers: header("Retry-After", "Seconds.") },
        ...ANY_REQUEST,
      },
    }),
  );
  registry.registerPath(
    createRoute({
      ...open,
      path: "/metrics",
      operationId: "metrics",
      summary: "Metrics for Prometheus",
      responses: {
        200: {
          description: "Metrics in the text format of Prometheus.",
          content: { "text/plain": { schema: { type: "string" } } },
        },
        500: failed("Internal error. The log of the service has the details.", PROBLEM),
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
        200: { description: "The description.", content: { "application/json": { schema: { type: "object" } } } },
        ...ANY_REQUEST,
      },
    }),
  );
}
