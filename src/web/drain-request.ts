import * as z from "zod";
import { EVICT_ALL } from "../drain/eviction.ts";
import {
  DEADLINE_SECONDS_MAX,
  type DrainRequest,
  type NodeReference,
  REASON_CHARACTERS_MAX,
  TIMEOUT_SECONDS_MAX,
  typedNodeReference,
} from "../drain/request.ts";
import { BadRequest, queryFields, quoted, readParameters, refuseRepeated } from "./parameters.ts";

/** A text of JSON, and the colon after it where it names a field. */
const JSON_TEXT = /("(?:[^"\\]|\\.)*")\s*(:?)/g;
const NAMES = ["id", "ip", "node"] as const;
const WAIT = `give true, false, or seconds from 0 to ${TIMEOUT_SECONDS_MAX}`;
const DEADLINE = `give seconds from 0 to ${DEADLINE_SECONDS_MAX}`;
const TIMEOUT = `give seconds from 1 to ${TIMEOUT_SECONDS_MAX}`;

const FLAGS = z
  .enum(["true", "1", "false", "0"], "give true or false")
  .transform((text) => text === "true" || text === "1");
/** Seconds in the query, where everything is a text. */
const SECONDS = /^\d+(\.\d+)?$/;

const named = {
  id: z.string().optional().describe("EC2 instance id, such as i-0123456789abcdef0."),
  ip: z.string().optional().describe("Any private IP address of the node."),
  node: z.string().optional().describe("Node name, such as ip-10-0-1-5.eu-west-1.compute.internal."),
};
const ABOUT = {
  dryRun: "Answer with the plan and change nothing. `wait` then has no effect.",
  wait:
    "Whether to wait for the end: true, false, or the maximum number of seconds. After that the answer is 202, and the " +
    "drain continues.",
  timeout:
    "Seconds until this caller is answered 504, instead of TIMEOUT. The drain continues while another caller has a " +
    "longer timeout.",
  deadline:
    "Seconds until the machine may be terminated in any case. A drain with a deadline is never refused, and ends before " +
    "it. The earliest deadline of all requests applies.",
  force: "Drain even if too few healthy targets would remain, or too many drains are running.",
  evict:
    "Evict the pods of the node once its traffic has ended, respecting their disruption budgets. Pods of DaemonSets stay. " +
    "Requires KUBERNETES, and EVICT must not be never.",
  reason: "Why the node is drained. Shown in the log and in GET /drains/{drain}.",
};
const reason = z
  .string()
  .max(REASON_CHARACTERS_MAX, `give at most ${REASON_CHARACTERS_MAX} characters`)
  .optional()
  .describe(ABOUT.reason);

/** The secret's old place. */
export const pw = z.string().optional().describe("The secret, for callers that can't send a header.");

/** What `POST /drain` takes in the query. */
export const DRAIN_QUERY = z.strictObject({
  ...named,
  dryRun: FLAGS.optional().describe(ABOUT.dryRun),
  wait: z
    .string()
    .refine((text) => text === "true" || text === "false" || isSeconds(text, 0, TIMEOUT_SECONDS_MAX), WAIT)
    .transform((text) => (text === "true" || text === "false" ? text === "true" : Number(text)))
    .optional()
    .meta({ description: ABOUT.wait, pattern: "^(true|false|\\d+(\\.\\d+)?)$" }),
  timeout: z
    .string()
    .refine((text) => isSeconds(text, 1, TIMEOUT_SECONDS_MAX), TIMEOUT)
    .transform(Number)
    .optional()
    .meta({ description: ABOUT.timeout, type: "number", minimum: 1, maximum: TIMEOUT_SECONDS_MAX }),
  deadline: z
    .string()
    .refine((text) => isSeconds(text, 0, DEADLINE_SECONDS_MAX), DEADLINE)
    .transform(Number)
    .optional()
    .meta({ description: ABOUT.deadline, type: "number", minimum: 0, maximum: DEADLINE_SECONDS_MAX }),
  force: FLAGS.optional().describe(ABOUT.force),
  evict: FLAGS.optional().describe(ABOUT.evict),
  reason,
  pw,
});

/** What `POST /drain` takes in a JSON body. */
export const DRAIN_BODY = z.strictObject({
  ...named,
  dryRun: z.boolean().optional().describe(ABOUT.dryRun),
  wait: z
    .union([z.boolean(), z.number().min(0).max(TIMEOUT_SECONDS_MAX)], WAIT)
    .optional()
    .describe(ABOUT.wait),
  timeout: z.number(TIMEOUT).min(1, TIMEOUT).max(TIMEOUT_SECONDS_MAX, TIMEOUT).optional().describe(ABOUT.timeout),
  deadline: z.number(DEADLINE).min(0, DEADLINE).max(DEADLINE_SECONDS_MAX, DEADLINE).optional().describe(ABOUT.deadline),
  force: z.boolean().optional().describe(ABOUT.force),
  evict: z.boolean().optional().describe(ABOUT.evict),
  reason,
});

export interface DrainRequestInput {
  readonly query: URLSearchParams;
  /** The request's body, as it came. */
  readonly body: string;
  /** From the configuration: nothing is changed, whatever the caller asks for. */
  readonly dryRun: boolean;
  /** Why no pods are evicted, whatever the caller asks for. Absent: they may be. */
  readonly noEviction?: string | undefined;
  /** When the request came, in milliseconds since the epoch. */
  readonly now: number;
}

export interface ReadDrainRequest {
  readonly request: DrainRequest;
  /** How long the caller waits for the outcome before it is answered 202, in milliseconds. Absent: until the end. */
  readonly waitMs?: number;
}

/** Reads `POST /drain`: parameters in the query, in a JSON body, or shared out over both. Throws `BadRequest`. */
export function readDrainRequest({ query, body, dryRun, noEviction, now }: DrainRequestInput): ReadDrainRequest {
  const { pw: _, ...fromQuery } = readParameters(DRAIN_QUERY, queryFields(query), "query");
  const fromBody = body.trim() === "" ? {} : readParameters(DRAIN_BODY, parseJson(body), "body");
  refuseRepeated(namesIn(body), "body");
  for (const name of Object.keys(fromBody)) {
    if (Object.hasOwn(fromQuery, name))
      throw new BadRequest(`'${name}' is given in the query and in the body: give it once`);
  }
  const given = { ...fromQuery, ...fromBody };
  const { wait = true, timeout, deadline, reason = "" } = given;
  if (given.evict === true && noEviction !== undefined)
    throw new BadRequest(`'evict' is given, and ${noEviction}: leave it out, or configure the service`);
  const request = {
    node: readNode(given),
    dryRun: dryRun || (given.dryRun ?? false),
    // A drain with a deadline is never refused.
    isVoluntary: deadline === undefined,
    ...(deadline === undefined ? {} : { deadline: now + deadline * 1_000 }),
    ...(given.force === true ? { force: true } : {}),
    ...(given.evict === true ? { evict: EVICT_ALL } : {}),
    ...(timeout === undefined ? {} : { timeoutMs: timeout * 1_000 }),
    ...(reason.trim() === "" ? {} : { reason: reason.trim() }),
  };
  return wait === true || request.dryRun ? { request } : { request, waitMs: Number(wait) * 1_000 };
}

function readNode(fields: {
  readonly id?: string | undefined;
  readonly ip?: string | undefined;
  readonly node?: string | undefined;
}): NodeReference {
  const given = NAMES.filter((name) => fields[name] !== undefined);
  const [name, ...others] = given;
  if (name === undefined)
    throw new BadRequest(
      "no node is named: give 'id' (an instance id), 'ip' (a private address) or 'node' (a node name)",
    );
  if (others.length > 0) throw new BadRequest(`${quoted(given)} were given: give exactly one of 'id', 'ip' and 'node'`);
  try {
    return typedNodeReference(name === "node" ? "name" : name, fields[name] ?? "");
  } catch (error) {
    throw new BadRequest(`${name}: ${(error as Error).message}`, `${name}: malformed`);
  }
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new BadRequest('the body is not JSON: send an object such as {"id": "i-0123456789abcdef0"}');
  }
}

function isSeconds(text: string, min: number, max: number): boolean {
  return SECONDS.test(text) && Number(text) >= min && Number(text) <= max;
}

/**
 * The fields of a body in their order, each as often as it was given: JSON.parse keeps the last of several and says
 * nothing. The body is taken to be checked: no field holds an object with fields of its own.
 */
function namesIn(body: string): readonly string[] {
  const names = [...body.matchAll(JSON_TEXT)].filter(([, , colon]) => colon === ":");
  return names.map(([, text = ""]) => String(JSON.parse(text)));
}
