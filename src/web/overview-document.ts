import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import * as z from "zod";
import { PROBLEM } from "./answer-schemas.ts";
import { type ForSecretRoutes, failed, header, succeeded } from "./drain-document.ts";
import { DRAIN_RECORD_QUERY } from "./drains-request.ts";
import { OVERVIEW } from "./overview-schemas.ts";

const TEXT = { schema: { type: "string" as const } };

/** Describes what `overview-routes.ts` serves. */
export function describeOverview(
  { openAPIRegistry: registry }: OpenAPIHono,
  { security, refused }: ForSecretRoutes,
): void {
  const common = { method: "get" as const, tags: ["Service"], security };
  const request = { query: DRAIN_RECORD_QUERY.omit({ pw: true }) };
  const unavailable = {
    ...failed("The service is stopping, or too many readers are connected.", PROBLEM),
    headers: header("Retry-After", "Seconds."),
  };
  registry.registerPath(
    createRoute({
      ...common,
      path: "/overview",
      operationId: "overview",
      summary: "Show running drains, decisions of the guard, quotas and the index",
      description: "What the dashboard shows. Makes no call to AWS. Past drains: GET /drains.",
      request,
      responses: { 200: succeeded("The state of the service now.", OVERVIEW), ...refused, 503: unavailable },
    }),
  );
  registry.registerPath(
    createRoute({
      ...common,
      path: "/overview/events",
      operationId: "overviewEvents",
      summary: "Stream the overview and its changes",
      description:
        "Server-sent events. The first is named `overview`, and has everything, as in GET /overview. The others are named " +
        "`changes`: at most one each second, and at least one every five seconds. They have the same fields, with these " +
        "differences: `running` has the drains that have changed, `over` the ids of drains that no longer run, and `decisions` " +
        "the new ones. The stream ends when the reader is too slow, or the leader changes. Connect again, and everything " +
        "comes first.",
      request,
      responses: {
        200: { description: "The overview and its changes.", content: { "text/event-stream": TEXT } },
        ...refused,
        503: unavailable,
      },
    }),
  );
}

/** Describes what `dashboard-routes.ts` serves. */
export function describeDashboard(
  { openAPIRegistry: registry }: OpenAPIHono,
  anyRequest: ForSecretRoutes["refused"],
): void {
  const open = { method: "get" as const, tags: ["Service"], security: [] };
  const notThere = failed("The file does not exist.", PROBLEM);
  registry.registerPath(
    createRoute({
      ...open,
      path: "/",
      operationId: "dashboard",
      summary: "The dashboard, for browsers",
      description: "The page holds no data. It asks for the secret or a token, and sends it as Authorization: Bearer.",
      responses: {
        200: { description: "The page.", content: { "text/html": TEXT } },
        ...anyRequest,
        404: notThere,
      },
    }),
  );
  const asset = z.string().describe("Name of the file, which has a digest of its content.");
  registry.registerPath(
    createRoute({
      ...open,
      path: "/assets/{asset}",
      operationId: "dashboardAsset",
      summary: "A file of the dashboard",
      request: { params: z.strictObject({ asset }) },
      responses: {
        200: {
          description: "The file.",
          content: { "text/javascript": TEXT, "text/css": TEXT, "image/svg+xml": TEXT },
        },
        ...anyRequest,
        404: notThere,
      },
    }),
  );
}
