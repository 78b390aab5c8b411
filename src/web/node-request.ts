import * as z from "zod";
import { type NodeReference, parseNodeReference } from "../drain/request.ts";
import { pw } from "./drain-request.ts";
import { BadRequest, queryFields, readParameters } from "./parameters.ts";

/** What `GET /nodes/{node}` takes in the query. */
export const NODE_QUERY = z.strictObject({ pw });

/** What it takes in its path. */
export const NODE_PATH = z.strictObject({
  node: z.string().describe("An instance id, a private IP address, or a node name."),
});

/** Reads `GET /nodes/{node}`. Throws `BadRequest`. */
export function readNodeRequest({
  query,
  node,
}: {
  readonly query: URLSearchParams;
  readonly node: string;
}): NodeReference {
  readParameters(NODE_QUERY, queryFields(query), "query");
  try {
    return parseNodeReference(node);
  } catch (error) {
    throw new BadRequest((error as Error).message, "node: not of its form");
  }
}
