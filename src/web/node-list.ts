import type { Hono, MiddlewareHandler } from "hono";
import * as z from "zod";
import { SELECTOR_CHARACTERS_MAX } from "../drain/eviction.ts";
import { pw } from "./drain-request.ts";
import { BadRequest, queryFields, queryOf, readParameters } from "./parameters.ts";
import { type Answer, send } from "./problem.ts";
import type { NeedAccess } from "./secret-guard.ts";

const SELECTOR = `give labels such as node-group=blue, and at most ${SELECTOR_CHARACTERS_MAX} characters`;

/** What `GET /nodes` takes in the query. */
export const NODES_QUERY = z.strictObject({
  selector: z
    .string(SELECTOR)
    .refine((text) => text.trim() !== "" && text.length <= SELECTOR_CHARACTERS_MAX, SELECTOR)
    .describe("Labels that the nodes have, as kubectl takes them."),
  pw,
});

/** 200 from `GET /nodes`. */
export const NODES = z
  .strictObject({
    nodes: z.array(
      z.strictObject({
        name: z.string().describe("Name of the Node object."),
        id: z.string().optional().describe("EC2 instance id. Absent: the node is no EC2 instance."),
        providerId: z.string().optional().describe("`spec.providerID` of the Node object. Absent: it has none."),
      }),
    ),
  })
  .meta({ id: "Nodes", description: "Nodes of the cluster." });

/** A node of the cluster, whether or not it is an EC2 instance. */
interface ListedNode {
  readonly name: string;
  readonly instanceId?: string;
  readonly providerId?: string;
}

/** The nodes with these labels. Throws `DrainError`. */
export type NodesWith = (selector: string, signal: AbortSignal) => Promise<readonly ListedNode[]>;

interface NodeListOptions {
  readonly needs: NeedAccess;
  /** See `Relay`. */
  readonly byLeader: MiddlewareHandler;
  /** Absent: no cluster is configured. */
  readonly nodesWith: NodesWith | undefined;
}

/** The nodes that match a label selector, for callers of the service that have no access to its cluster. */
export function addNodeListRoute(app: Hono, { needs, byLeader, nodesWith }: NodeListOptions): void {
  app.get("/nodes", needs({ verb: "list", resource: "nodes" }), byLeader, async (context) => {
    const { selector } = readParameters(NODES_QUERY, queryFields(queryOf(context)), "query");
    if (nodesWith === undefined)
      throw new BadRequest("'selector' requires a cluster: set KUBERNETES for the service, or name the nodes");
    return send(nodesAnswer(await nodesWith(selector.trim(), context.req.raw.signal)));
  });
}

function nodesAnswer(listed: readonly ListedNode[]): Answer {
  const nodes = listed.map(({ name, instanceId, providerId }) => ({
    name,
    ...(instanceId === undefined ? {} : { id: instanceId }),
    ...(providerId === undefined ? {} : { providerId }),
  }));
  return { status: 200, headers: { "content-type": "application/json" }, body: { nodes } };
}
