import * as z from "zod";
import { EVICT_ALL, type EvictionOptions, GRACE_SECONDS_MAX, SELECTOR_CHARACTERS_MAX } from "../drain/eviction.ts";
import {
  DEADLINE_SECONDS_MAX,
  type DrainRequest,
  type NodeReference,
  REASON_CHARACTERS_MAX,
  TIMEOUT_SECONDS_MAX,
  typedNodeReference,
} from "../drain/request.ts";
import { BadRequest, queryFields, quoted, readParameters, refuseRepeated } from "./parameters.ts";

/** A string of JSON, and the colon after it if it is the name of a field. */
const JSON_TEXT = /("(?:[^"\\]|\\.)*")\s*(:?)/g;
const NAMES = ["id", "ip", "node"] as const;
const WAIT = `give true, false, or seconds from 0 to ${TIMEOUT_SECONDS_MAX}`;
const DEADLINE = `give seconds from 0 to ${DEADLINE_SECONDS_MAX}`;
const TIMEOUT = `give seconds from 1 to ${TIMEOUT_SECONDS_MAX}`;
const GRACE = `give whole seconds from 0 to ${GRACE_SECONDS_MAX}`;
const SELECTOR = `give labels such as app=web, and at most ${SELECTOR_CHARACTERS_MAX} characters`;
/** The parameters that need `evict`. */
const OF_EVICTION = ["gracePeriod", "podSelector", "deleteEmptydirData", "evictUnmanaged", "disableEviction"] as const;

export const FLAGS = z
  .enum(["true", "1", "false", "0"], "give true or false")
  .transform((text) => text === "true" || text === "1");
/** Seconds in the query, where every value is a string. */
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
  gracePeriod: "With `evict`: seconds that each pod has to end. Default: the pod's own grace period.",
  podSelector: "With `evict`: label selector. Only pods that it selects are evicted. Default: all pods.",
  deleteEmptydirData:
    "With `evict`: evict pods with emptyDir volumes too, whose data is lost. If false and there is such a pod, a drain " +
    "without `deadline` fails before it changes anything. Default: true.",
  evictUnmanaged:
    "With `evict`: evict pods without a controller too, which no controller creates again. If false and there is such a " +
    "pod, a drain without `deadline` fails before it changes anything. Default: true.",
  disableEviction:
    "With `evict`: delete the pods, whatever their disruption budgets say. The role of the service must allow to delete " +
    "pods: `rbac --disable-eviction` prints it. Default: false.",
  reason: "Why the node is drained. Shown in the log and in GET /drains/{drain}.",
};
const podSelector = z
  .string()
  .refine((text) => text.trim() !== "" && text.length <= SELECTOR_CHARACTERS_MAX, SELECTOR)
  .optional()
  .meta({ description: ABOUT.podSelector, minLength: 1, maxLength: SELECTOR_CHARACTERS_MAX });
const reason = z
  .string()
  .max(REASON_CHARACTERS_MAX, `give at most ${REASON_CHARACTERS_MAX} characters`)
  .optional()
  .describe(ABOUT.reason);

/** The place of the secret in version 1.0. */
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
  gracePeriod: z
    .string()
    .refine((text) => /^\d{1,5}$/.test(text) && Number(text) <= GRACE_SECONDS_MAX, GRACE)
    .transform(Number)
    .optional()
    .meta({ description: ABOUT.gracePeriod, type: "integer", minimum: 0, maximum: GRACE_SECONDS_MAX }),
  podSelector,
  deleteEmptydirData: FLAGS.optional().describe(ABOUT.deleteEmptydirData),
  evictUnmanaged: FLAGS.optional().describe(ABOUT.evictUnmanaged),
  disableEviction: FLAGS.optional().describe(ABOUT.disableEviction),
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
  gracePeriod: z.int(GRACE).min(0, GRACE).max(GRACE_SECONDS_MAX, GRACE).optional().describe(ABOUT.gracePeriod),
  podSelector,
  deleteEmptydirData: z.boolean().optional().describe(ABOUT.deleteEmptydirData),
  evictUnmanaged: z.boolean().optional().describe(ABOUT.evictUnmanaged),
  disableEviction: z.boolean().optional().describe(ABOUT.disableEviction),
  reason,
});

type Given = z.infer<typeof DRAIN_BODY>;

export interface DrainRequestInput {
  readonly query: URLSearchParams;
  /** The body of the request, unchanged. */
  readonly body: string;
  /** From the configuration: nothing is changed, whatever the caller requests. */
  readonly dryRun: boolean;
  /** Why no pods are evicted, whatever the caller requests. Absent: they may be. */
  readonly noEviction?: string | undefined;
  /** When the request arrived, in milliseconds since the epoch. */
  readonly now: number;
}

export interface ReadDrainRequest {
  readonly request: DrainRequest;
  /** How long the caller waits for the outcome before it is answered 202, in milliseconds. Absent: until the end. */
  readonly waitMs?: number;
}

/** Reads `POST /drain`: parameters in the query, in a JSON body, or in both. Throws `BadRequest`. */
export function readDrainRequest({ query, body, dryRun, noEviction, now }: DrainRequestInput): ReadDrainRequest {
  const { pw: _, ...fromQuery } = readParameters(DRAIN_QUERY, queryFields(query), "query");
  const fromBody = body.trim() === "" ? {} : readParameters(DRAIN_BODY, parseJson(body), "body");
  refuseRepeated(namesIn(body), "body");
  for (const name of Object.keys(fromBody)) {
    if (Object.hasOwn(fromQuery, name))
      throw new BadRequest(`'${name}' is given in the query and in the body: give it once`);
  }
  const given: Given = { ...fromQuery, ...fromBody };
  const { wait = true, timeout, deadline, reason = "" } = given;
  if (given.evict === true && noEviction !== undefined)
    throw new BadRequest(`'evict' is given, and ${noEviction}: leave it out, or configure the service`);
  const evict = readEviction(given);
  const request = {
    node: readNode(given),
    dryRun: dryRun || (given.dryRun ?? false),
    // A drain with a deadline is never refused.
    isVoluntary: deadline === undefined,
    ...(deadline === undefined ? {} : { deadline: now + deadline * 1_000 }),
    ...(given.force === true ? { force: true } : {}),
    ...(evict === undefined ? {} : { evict }),
    ...(timeout === undefined ? {} : { timeoutMs: timeout * 1_000 }),
    ...(reason.trim() === "" ? {} : { reason: reason.trim() }),
  };
  return wait === true || request.dryRun ? { request } : { request, waitMs: Number(wait) * 1_000 };
}

/** Undefined: no pods are evicted. Pods that would end with the machine are evicted, unless the caller forbids it. */
function readEviction(given: Pick<Given, "evict" | (typeof OF_EVICTION)[number]>): EvictionOptions | undefined {
  const { evict, gracePeriod, podSelector: labels, deleteEmptydirData, evictUnmanaged, disableEviction } = given;
  if (evict !== true) {
    const useless = OF_EVICTION.filter((name) => given[name] !== undefined);
    if (useless.length === 0) return undefined;
    throw new BadRequest(`${quoted(useless)} requires 'evict': give "evict": true too, or leave it out`);
  }
  const { deletesEmptyDirData, evictsUnmanaged } = EVICT_ALL;
  return {
    ...(gracePeriod !== undefined && { gracePeriodSeconds: gracePeriod }),
    ...(labels !== undefined && { podSelector: labels.trim() }),
    ...(deleteEmptydirData !== false && { deletesEmptyDirData }),
    ...(evictUnmanaged !== false && { evictsUnmanaged }),
    ...(disableEviction === true && { disablesEviction: true }),
  };
}

function readNode(fields: Pick<Given, (typeof NAMES)[number]>): NodeReference {
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
 * The fields of a body in their order, each as often as it was given. JSON.parse silently keeps the last of several.
 * The body must be checked before: no field has an object with fields of its own.
 */
function namesIn(body: string): readonly string[] {
  const names = [...body.matchAll(JSON_TEXT)].filter(([, , colon]) => colon === ":");
  return names.map(([, text = ""]) => String(JSON.parse(text)));
}
