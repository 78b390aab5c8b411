import * as z from "zod";
import type { NodeUndoRequest } from "../drain/node-undo.ts";
import { type NodeReference, parseNodeReference } from "../drain/request.ts";
import { FLAGS, pw } from "./drain-request.ts";
import { BadRequest, queryFields, readParameters } from "./parameters.ts";

const LISTED_MAX = 1_000;
const LISTED = 100;
const LIMIT = `give a whole number from 1 to ${LISTED_MAX}`;

/** What `GET /drains` takes in the query. */
export const DRAINS_QUERY = z.strictObject({
  limit: z
    .string()
    .refine((text) => /^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= LISTED_MAX, LIMIT)
    .transform(Number)
    .optional()
    .meta({
      description: `Maximum number of drains. Default: ${LISTED}.`,
      type: "integer",
      minimum: 1,
      maximum: LISTED_MAX,
    }),
  pw,
});

/** What `GET /drains/{drain}` and its events take. */
export const DRAIN_RECORD_QUERY = z.strictObject({ pw });
export const DRAIN_RECORD_PATH = z.strictObject({ drain: z.string().describe("`drainId` of the drain.") });
export const DRAIN_EVENTS_HEADERS = z.object({
  "last-event-id": z
    .string()
    .optional()
    .describe("`id` of the last step that was received. The stream begins after it."),
});

/** How many drains are to be listed. Throws `BadRequest`. */
export function readDrainsRequest(query: URLSearchParams): number {
  return readParameters(DRAINS_QUERY, queryFields(query), "query").limit ?? LISTED;
}

/** Throws `BadRequest`. */
export function checkRecordRequest(query: URLSearchParams): void {
  readParameters(DRAIN_RECORD_QUERY, queryFields(query), "query");
}

/** The number of the last step that a reader has. 0: none. Throws `BadRequest`. */
export function readLastEventId(header: string | undefined): number {
  if (header === undefined || header === "") return 0;
  if (/^\d{1,15}$/.test(header)) return Number(header);
  const problem = "Last-Event-ID: give the id of the last received event, a whole number";
  throw new BadRequest(problem);
}

/** What `GET /nodes/{node}` takes in the query. */
export const NODE_QUERY = z.strictObject({ pw });

/** What `DELETE /nodes/{node}/drains` takes in the query. */
export const NODE_DRAINS_QUERY = z.strictObject({
  uncordon: FLAGS.optional().describe(
    "Also make the node schedulable, even if another program cordoned it. Requires KUBERNETES.",
  ),
  pw,
});

/** What it takes in its path. */
export const NODE_PATH = z.strictObject({
  node: z.string().describe("Instance id, private IP address, or node name."),
});

interface NodeRequestInput {
  readonly query: URLSearchParams;
  readonly node: string;
}

/** Reads `GET /nodes/{node}`. Throws `BadRequest`. */
export function readNodeRequest({ query, node }: NodeRequestInput): NodeReference {
  readParameters(NODE_QUERY, queryFields(query), "query");
  return readNode(node);
}

/** Reads `DELETE /nodes/{node}/drains`. Throws `BadRequest`. */
export function readNodeUndoRequest({ query, node }: NodeRequestInput): NodeUndoRequest {
  const { uncordon = false } = readParameters(NODE_DRAINS_QUERY, queryFields(query), "query");
  return { node: readNode(node), uncordons: uncordon };
}

function readNode(node: string): NodeReference {
  try {
    return parseNodeReference(node);
  } catch (error) {
    throw new BadRequest((error as Error).message, "node: malformed");
  }
}
