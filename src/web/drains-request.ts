import * as z from "zod";
import { DRAIN_STATES, type DrainSummary } from "../drain/ledger.ts";
import type { NodeUndoRequest } from "../drain/node-undo.ts";
import { type NodeReference, parseNodeReference } from "../drain/request.ts";
import { FLAGS, pw } from "./drain-request.ts";
import { BadRequest, queryFields, readParameters } from "./parameters.ts";

const SINCE_SECONDS_MAX = 366 * 86_400;
const SINCE = `give seconds from 1 to ${SINCE_SECONDS_MAX}`;
const NODE_CHARACTERS_MAX = 253;
const NODE = `give an instance id or a node name, of at most ${NODE_CHARACTERS_MAX} characters`;
const LISTED_MAX = 1_000;
const LISTED = 100;
const ID_CHARACTERS_MAX = 100;
const BEFORE = `give the drainId of a drain, of at most ${ID_CHARACTERS_MAX} characters`;
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
  node: z
    .string()
    .refine((text) => text !== "" && text.length <= NODE_CHARACTERS_MAX, NODE)
    .optional()
    .describe("Only drains of this node: its instance id or its name."),
  status: z
    .enum(DRAIN_STATES, `give one of ${DRAIN_STATES.join(", ")}`)
    .optional()
    .describe("Only drains that are running, that have ended, or that have ended with this outcome."),
  before: z
    .string()
    .refine((text) => text !== "" && text.length <= ID_CHARACTERS_MAX, BEFORE)
    .optional()
    .describe("Only drains that follow this one in the list, for the next page: its drainId. 404 if it is not known."),
  since: z
    .string()
    .refine((text) => /^\d{1,8}$/.test(text) && Number(text) >= 1 && Number(text) <= SINCE_SECONDS_MAX, SINCE)
    .transform(Number)
    .optional()
    .meta({
      description: "Only drains that began within the last so many seconds.",
      type: "integer",
      minimum: 1,
      maximum: SINCE_SECONDS_MAX,
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

/** The drains to be listed. */
export interface DrainsRequest {
  readonly max: number;
  /** Absent: all drains. */
  readonly isWanted?: (summary: DrainSummary) => boolean;
  /** The id of the drain after which the list continues. Absent: it begins with the newest. */
  readonly before?: string;
}

/** `now`: milliseconds since the epoch. Throws `BadRequest`. */
export function readDrainsRequest(query: URLSearchParams, now: number): DrainsRequest {
  const read = readParameters(DRAINS_QUERY, queryFields(query), "query");
  const { limit: max = LISTED, node, status, since, before } = read;
  const page = { max, ...(before !== undefined && { before }) };
  if (node === undefined && status === undefined && since === undefined) return page;
  const isOfNode = ({ id, name }: DrainSummary["node"]) => node === undefined || id === node || name === node;
  const isSo = ({ end }: DrainSummary) => {
    if (status === undefined) return true;
    if (end === undefined) return status === "running";
    return status === "ended" || end.status === status;
  };
  const began = since === undefined ? Number.NEGATIVE_INFINITY : now - since * 1_000;
  return { ...page, isWanted: (summary) => summary.startedAt >= began && isSo(summary) && isOfNode(summary.node) };
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

/** The parameters in its path. */
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
