import { createRoute, type OpenAPIHono, type RouteConfig } from "@hono/zod-openapi";
import type * as z from "zod";
import { FAILURE, PROBLEM, UNDO_FAILURE, UNDONE } from "./answer-schemas.ts";
import { DRAIN, DRAINS, NODE_UNDO_FAILURE, NODE_UNDONE } from "./drain-schemas.ts";
import {
  DRAIN_EVENTS_HEADERS,
  DRAIN_RECORD_PATH,
  DRAIN_RECORD_QUERY,
  DRAINS_QUERY,
  NODE_DRAINS_QUERY,
  NODE_PATH,
} from "./drains-request.ts";

export interface ForSecretRoutes {
  readonly security: NonNullable<RouteConfig["security"]>;
  /** The answers for a wrong secret or parameter. */
  readonly refused: RouteConfig["responses"];
}

/** Describes what `drain-routes.ts` serves. */
export function describeDrainRoutes(
  { openAPIRegistry: registry }: OpenAPIHono,
  { security, refused }: ForSecretRoutes,
): void {
  const common = { method: "get" as const, tags: ["Drains"], security };
  const notThere = failed("The drain does not exist, or was removed because of its age.", PROBLEM);
  const unreadable = {
    ...failed("The ledger can't be read now, or too many readers are connected.", PROBLEM.or(FAILURE)),
    headers: header("Retry-After", "Seconds."),
  };
  registry.registerPath(
    createRoute({
      ...common,
      path: "/drains",
      operationId: "drains",
      summary: "List running and past drains",
      description: "Lists all running drains, and the newest of the ended drains that the ledger still has.",
      request: { query: DRAINS_QUERY.omit({ pw: true }) },
      responses: {
        200: succeeded("Drains, newest first.", DRAINS),
        ...refused,
        404: failed("The drain that `before` names is not known.", PROBLEM),
      },
    }),
  );
  registry.registerPath(
    createRoute({
      ...common,
      path: "/drains/{drain}",
      operationId: "drainRecord",
      summary: "Show a drain: its requests, registrations, steps and outcome",
      request: { params: DRAIN_RECORD_PATH, query: DRAIN_RECORD_QUERY.omit({ pw: true }) },
      responses: {
        200: succeeded("The drain, as far as it has progressed.", DRAIN),
        ...refused,
        404: notThere,
        500: failed("Internal error. The log of the service has the details.", PROBLEM),
        503: unreadable,
      },
    }),
  );
  describeCancel(registry, { security, refused });
  registry.registerPath(
    createRoute({
      ...common,
      path: "/drains/{drain}/events",
      operationId: "drainEvents",
      summary: "Stream the steps of a drain",
      description:
        "Server-sent events. Each event is a step as in GET /drains/{drain}; its `id` is the `id`, and its name is the `type`. " +
        "Past steps come first. The stream ends with the drain, or when the reader is too slow.",
      request: {
        params: DRAIN_RECORD_PATH,
        query: DRAIN_RECORD_QUERY.omit({ pw: true }),
        headers: DRAIN_EVENTS_HEADERS,
      },
      responses: {
        200: { description: "The steps.", content: { "text/event-stream": { schema: { type: "string" as const } } } },
        204: { description: "The drain has ended, and Last-Event-ID was its last step." },
        ...refused,
        404: notThere,
        500: failed("Internal error. The log of the service has the details.", PROBLEM),
        503: unreadable,
      },
    }),
  );
}

function describeCancel(registry: OpenAPIHono["openAPIRegistry"], { security, refused }: ForSecretRoutes): void {
  registry.registerPath(
    createRoute({
      method: "delete",
      path: "/drains/{drain}",
      operationId: "cancelDrain",
      tags: ["Drains"],
      security,
      summary: "Cancel a drain and register its targets again",
      description:
        "Stops the drain if it runs, registers exactly the targets that it has deregistered, and answers when AWS lists them. " +
        "An IP target of an ALB can be registered only after its deregistration delay. Requires UNDO. A second request " +
        "joins the running undo, or retries registrations that failed. A caller that disconnects stops nothing.",
      request: { params: DRAIN_RECORD_PATH, query: DRAIN_RECORD_QUERY.omit({ pw: true }) },
      responses: {
        200: succeeded("All targets of the drain are registered again.", UNDONE),
        ...refused,
        404: failed("The drain does not exist, or its instance is terminated.", UNDO_FAILURE),
        409: failed("UNDO is not set, or another drain of the node is running.", UNDO_FAILURE),
        500: failed("Internal error. The log of the service has the details.", PROBLEM.or(UNDO_FAILURE)),
        502: failed("Some targets could not be registered again: see `undo`.", UNDO_FAILURE),
        503: {
          ...failed("The service is stopping, or the ledger can't be read now.", PROBLEM.or(UNDO_FAILURE)),
          headers: header("Retry-After", "Seconds."),
        },
      },
    }),
  );
}

/** Describes `DELETE /nodes/{node}/drains`. */
export function describeCancelNode(
  { openAPIRegistry: registry }: OpenAPIHono,
  { security, refused }: ForSecretRoutes,
): void {
  registry.registerPath(
    createRoute({
      method: "delete",
      path: "/nodes/{node}/drains",
      operationId: "cancelNodeDrains",
      tags: ["Nodes"],
      security,
      summary: "Cancel the drains of a node and register its targets again",
      description:
        "Cancels the running drain of the node, and undoes the drains that have ended, from the newest to the last one that " +
        "was undone. It also removes the exclusion label and the cordon of this service. Safe to repeat: with nothing left " +
        "to undo, the answer is 200 with the status `nothing-to-undo`. Requires UNDO.",
      request: { params: NODE_PATH, query: NODE_DRAINS_QUERY.omit({ pw: true }) },
      responses: {
        200: succeeded("All targets of the node are registered again, or there was nothing to undo.", NODE_UNDONE),
        ...refused,
        404: failed("The node does not exist, is terminated, or belongs to another cluster.", NODE_UNDO_FAILURE),
        409: failed(
          "UNDO is not set, the machine of the running drain is about to leave, or the address or name matches several nodes.",
          NODE_UNDO_FAILURE,
        ),
        500: failed("Internal error. The log of the service has the details.", PROBLEM.or(NODE_UNDO_FAILURE)),
        502: failed(
          "Some targets could not be registered again, or the Kubernetes API refused a call: see `undo`.",
          NODE_UNDO_FAILURE,
        ),
        503: {
          ...failed("The service is stopping, or the ledger can't be read now.", PROBLEM.or(NODE_UNDO_FAILURE)),
          headers: header("Retry-After", "Seconds."),
        },
      },
    }),
  );
}

export function succeeded<T extends z.ZodType>(description: string, schema: T) {
  return { description, content: { "application/json": { schema } } };
}

export function failed<T extends z.ZodType>(description: string, schema: T) {
  return { description, content: { "application/problem+json": { schema } } };
}

export function header(name: string, description: string) {
  return { [name]: { description, schema: { type: "string" as const } } };
}
