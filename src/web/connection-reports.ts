import { isIP } from "node:net";
import type { Context, Hono, MiddlewareHandler } from "hono";
import * as z from "zod";
import { COUNTED_PORTS_MAX, type ConnectionReport, type CountingOrder } from "../drain/early-release.ts";
import { pw } from "./drain-request.ts";
import { BadRequest, queryFields, queryOf, readParameters, refuseRepeated } from "./parameters.ts";
import { type Answer, problem, send } from "./problem.ts";
import type { NeedAccess } from "./secret-guard.ts";

const INSTANCE = /^i-[0-9a-f]{8,17}$/;
const TURN_CHARACTERS_MAX = 64;
/** More than Linux can track. */
const OPEN_MAX = 10_000_000;
const TABLES = "give some of sockets and conntrack, each once";
const PORT = "give a whole number from 1 to 65535";

const countedPort = {
  port: z.int(PORT).min(1, PORT).max(65_535, PORT).describe("TCP port that the target is registered with."),
  address: z
    .string()
    .refine((text) => isIP(text) !== 0, "give an IP address")
    .optional()
    .describe("Address of the target. Absent: the target is registered by its instance id."),
};

export const CONNECTIONS_PATH = z.strictObject({ node: z.string().describe("EC2 instance id.") });
export const CONNECTIONS_QUERY = z.strictObject({ pw });

/** What `POST /nodes/{node}/connections` takes. */
export const CONNECTION_REPORT = z
  .strictObject({
    turn: z
      .string()
      .max(TURN_CHARACTERS_MAX, `give at most ${TURN_CHARACTERS_MAX} characters`)
      .optional()
      .describe("`turn` of the last answer. Absent in the first report."),
    tables: z
      .array(z.enum(["sockets", "conntrack"], TABLES), TABLES)
      .max(2, TABLES)
      .describe("Tables of the kernel that were counted in. Empty: nothing was counted."),
    ports: z
      .array(
        z.strictObject({
          ...countedPort,
          open: z.int().min(0).max(OPEN_MAX).describe("Open connections to it."),
          seen: z.boolean().describe("Whether a connection from elsewhere, open or closed, is in the tables."),
        }),
        `give at most ${COUNTED_PORTS_MAX} ports`,
      )
      .max(COUNTED_PORTS_MAX, `give at most ${COUNTED_PORTS_MAX} ports`)
      .describe("Counts for the ports that the last answer named."),
  })
  .meta({ id: "ConnectionReport", description: "What the agent on a node has counted." });

/** 200 from `POST /nodes/{node}/connections`. */
export const COUNTING_ORDER = z
  .strictObject({
    draining: z.boolean().describe("Whether the node is being drained."),
    ports: z.array(z.strictObject(countedPort)).describe("Ports to count connections to before the next report."),
    turn: z.string().describe("Send it with the next report."),
    afterSeconds: z.number().describe("When to count and report next."),
  })
  .meta({ id: "CountingOrder", description: "What the agent on a node is to count next." });

/** Takes the report of the agent on a node, and returns what to count next. */
export type TakeConnections = (instanceId: string, report: ConnectionReport) => CountingOrder;

interface ConnectionRouteOptions {
  readonly needs: NeedAccess;
  readonly byLeader: MiddlewareHandler;
  readonly limitsBody: MiddlewareHandler;
  /** Absent: holds do not end early. */
  readonly takeConnections: TakeConnections | undefined;
  /** The instance of a Node object. Undefined: not known. */
  readonly instanceOf: ((name: string) => Promise<string | undefined>) | undefined;
}

/** The route by which agents report the connections of their nodes. */
export function addConnectionRoute(app: Hono, options: ConnectionRouteOptions): void {
  const { needs, byLeader, limitsBody, takeConnections, instanceOf } = options;
  const access = needs({ verb: "create", resource: "connections" });
  app.post("/nodes/:node/connections", access, limitsBody, byLeader, async (context) => {
    readParameters(CONNECTIONS_QUERY, queryFields(queryOf(context)), "query");
    const node = context.req.param("node");
    if (!INSTANCE.test(node)) throw new BadRequest("the path names no instance: give the id of an EC2 instance");
    const refusal = await strangerRefusal(context, node, instanceOf);
    if (refusal !== undefined) return send(refusal);
    const report = readReport(await context.req.text());
    if (takeConnections === undefined)
      return send(problem(409, "holds do not end early: set EARLY_RELEASE for the service, or not for the agent"));
    return send(orderAnswer(takeConnections(node, report)));
  });
}

/** A pod's token names the node that the pod is on, and is valid for no other node. The secret permits everything. */
async function strangerRefusal(
  context: Context,
  node: string,
  instanceOf: ConnectionRouteOptions["instanceOf"],
): Promise<Answer | undefined> {
  const caller = context.get("caller");
  if (caller === undefined) return undefined;
  const { nodeName } = caller;
  if (nodeName === undefined)
    return problem(403, "the token does not name the node of its pod: that takes Kubernetes 1.32, or send the secret");
  if ((await instanceOf?.(nodeName)) === node) return undefined;
  return problem(403, "the token belongs to a pod of another node, or its Node object is not known: report your own");
}

function readReport(body: string): ConnectionReport {
  const { turn, tables, ports } = readParameters(CONNECTION_REPORT, parseJson(body), "body");
  refuseRepeated(tables, "body");
  return {
    tables,
    ...(turn === undefined ? {} : { turn }),
    ports: ports.map(({ address, ...count }) => ({ ...count, ...(address === undefined ? {} : { address }) })),
  };
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new BadRequest('the body is not JSON: send an object such as {"tables": [], "ports": []}');
  }
}

function orderAnswer({ isDraining: draining, ports, turn, afterMs }: CountingOrder): Answer {
  const body = { draining, ports, turn, afterSeconds: afterMs / 1_000 };
  return { status: 200, headers: { "content-type": "application/json" }, body };
}
