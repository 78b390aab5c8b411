import { createRoute, type OpenAPIHono, type RouteConfig } from "@hono/zod-openapi";
import type * as z from "zod";
import { FAILURE, PROBLEM, UNDO_FAILURE, UNDONE } from "./answer-schemas.ts";
import { DRAIN, DRAINS } from "./drain-schemas.ts";
import { DRAIN_EVENTS_HEADERS, DRAIN_RECORD_PATH, DRAIN_RECORD_QUERY, DRAINS_QUERY } from "./drains-request.ts";

export interface ForSecretRoutes {
  readonly security: NonNullable<RouteConfig["security"]>;
  /** What is answered where the secret or a parameter is wrong. */
  readonly refused: RouteConfig["responses"];
}

/** Describes what `drain-routes.ts` serves. */
export function describeDrainRoutes(
  { openAPIRegistry: registry }: OpenAPIHono,
  { security, refused }: ForSecretRoutes,
): void {
  const common = { method: "get" as const, tags: ["Drains"], security };
  const notThere = failed("There is no such drain, or it is too long ago.", PROBLEM);
  const unreadable = {
    ...failed("The ledger can't be read now, or too many read already.", PROBLEM.or(FAILURE)),
    headers: header("Retry-After", "Seconds."),
  };
  registry.registerPath(
    createRoute({
      ...common,
      path: "/drains",
      operationId: "drains",
      summary: "What drains there were, and which run",
      description: "As many as are kept: those that run, and the newest of those that have ended.",
      request: { query: DRAINS_QUERY.omit({ pw: true }) },
      responses: { 200: succeeded("The newest first.", DRAINS), ...refused },
    }),
  );
  registry.registerPath(
    createRoute({
      ...common,
      path: "/drains/{drain}",
      operationId: "drainRecord",
      summary: "Who asked for a drain, what was registered before, each step, and the outcome",
      request: { params: DRAIN_RECORD_PATH, query: DRAIN_RECORD_QUERY.omit({ pw: true }) },
      responses: {
        200: succeeded("As far as it has come.", DRAIN),
        ...refused,
        404: notThere,
        500: failed("A fault of the service: its log says where.", PROBLEM),
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
      summary: "The steps of a drain as they come, until its end",
      description:
        "Server-sent events: each step as GET /drains/{drain} has it, with its `id` and its `type` as the event's name. " +
        "The steps so far come first. The stream ends with the drain, or when its reader is too slow.",
      request: {
        params: DRAIN_RECORD_PATH,
        query: DRAIN_RECORD_QUERY.omit({ pw: true }),
        headers: DRAIN_EVENTS_HEADERS,
      },
      responses: {
        200: { description: "The steps.", content: { "text/event-stream": { schema: { type: "string" as const } } } },
        204: { description: "The drain has ended, and Last-Event-ID is its last step." },
        ...refused,
        404: notThere,
        500: failed("A fault of the service: its log says where.", PROBLEM),
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
      summary: "Cancel a drain: register again what it has deregistered",
      description:
        "Stops the drain, if it runs, registers again exactly what it has deregistered, and answers when that was seen. " +
        "An address comes back to an ALB only after its deregistration delay. Needs UNDO. Who cancels it meanwhile joins; " +
        "who leaves stops nothing; and what failed is tried again by cancelling once more.",
      request: { params: DRAIN_RECORD_PATH, query: DRAIN_RECORD_QUERY.omit({ pw: true }) },
      responses: {
        200: succeeded("All that the drain had deregistered is registered again.", UNDONE),
        ...refused,
        404: failed("There is no such drain, or its machine is gone.", UNDO_FAILURE),
        409: failed("UNDO is not set, or another drain of the node runs.", UNDO_FAILURE),
        500: failed("A fault of the service: its log says where.", PROBLEM.or(UNDO_FAILURE)),
        502: failed("Not all could be registered again: `undo` says what, and why.", UNDO_FAILURE),
        503: {
          ...failed("The service is stopping, or the ledger can't be read now.", PROBLEM.or(UNDO_FAILURE)),
          headers: header("Retry-After", "Seconds."),
        },
      },
    }),
  );
}

/** Answers in the words of the API's description. */

export function succeeded<T extends z.ZodType>(description: string, schema: T) {
  return { description, content: { "application/json": { schema } } };
}

export function failed<T extends z.ZodType>(description: string, schema: T) {
  return { description, content: { "application/problem+json": { schema } } };
}

export function header(name: string, description: string) {
  return { [name]: { description, schema: { type: "string" as const } } };
}
