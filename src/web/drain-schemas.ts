import * as z from "zod";
import {
  code,
  drainId,
  elsewhere,
  error,
  limit,
  moment,
  OUTCOME,
  problem,
  registration,
  running,
  seconds,
  UNDONE,
  undone,
} from "./answer-schemas.ts";
import { node } from "./node-schemas.ts";

/** The answers of `GET /drains` and the paths below it: see `answer-schemas.ts`. Reports are made in `drain/record-report.ts`. */

const status = z.enum(["running", "ended"]);
const startedAt = moment.describe("When the first request was received.");
const endedAt = moment.optional().describe("Absent while the drain runs.");

/** 200 from `GET /drains`. */
export const DRAINS = z
  .strictObject({
    drains: z
      .array(
        z.strictObject({
          drainId,
          node,
          status,
          startedAt,
          reasons: running.reasons,
          endedAt,
          outcome: z.string().optional().describe("`status` of the outcome. Absent while the drain runs."),
          undo: status.optional().describe("Absent if the drain was not cancelled."),
        }),
      )
      .describe("Drains, newest first."),
  })
  .meta({ id: "Drains" });

const asker = z
  .strictObject({
    via: z.string().describe("Source of the request: http, or the kind of the event."),
    event: z.string().optional().describe("Id of the event."),
    address: z
      .string()
      .optional()
      .describe("Client address of the connection. It is the address of the proxy if there is one."),
    agent: z.string().optional().describe("User-Agent of the caller."),
    traceparent: z.string().optional().describe("The header of that name: the trace that the caller is in."),
    tracestate: z.string().optional().describe("The header of that name, beside traceparent."),
    user: z
      .string()
      .optional()
      .describe("User of the caller's token, such as system:serviceaccount:ci:deployer. Absent: it sent the secret."),
  })
  .optional();

const request = z
  .strictObject({
    askedAt: moment,
    deadline: moment.optional().describe("When the machine may be terminated."),
    timeoutSeconds: seconds.optional().describe("Timeout that the caller gave. Absent: TIMEOUT applies."),
    reason: z.string().optional(),
    evict: z
      .strictObject({
        gracePeriod: seconds.optional().describe("Absent: the grace period of each pod."),
        podSelector: z.string().optional().describe("Absent: all pods."),
        deleteEmptydirData: z.boolean(),
        evictUnmanaged: z.boolean(),
        disableEviction: z.boolean(),
      })
      .optional()
      .describe("How the pods are to be evicted. Absent: the request did not ask for it."),
    asker,
  })
  .meta({ id: "Request", description: "One request for the drain." });

const base = { id: z.int().describe("Number of the step, from 1."), at: moment };
const registrations = z.array(registration);

const STEP = z
  .discriminatedUnion("type", [
    z.strictObject({ ...base, type: z.enum(["accepted", "joined"]), request }),
    z
      .strictObject({ ...base, type: z.literal("found"), registrations, elsewhere })
      .describe("State of the registrations before the drain changed them."),
    z.strictObject({
      ...base,
      type: z.literal("planned"),
      longestHoldSeconds: seconds,
      limit,
      warnings: z.array(z.string()),
    }),
    z.strictObject({
      ...base,
      type: z.literal("deregistered"),
      registrations,
      foundDraining: z
        .boolean()
        .describe("Another program, or this service earlier, had already deregistered the target."),
      heldSince: moment,
    }),
    z.strictObject({
      ...base,
      type: z.literal("deregistering-again"),
      registrations,
      because: z
        .enum(["back", "ignored"])
        .describe(
          "back: another program registered the target again. ignored: AWS accepted the call and the target stayed registered.",
        ),
    }),
    z.strictObject({
      ...base,
      type: z.enum(["deregister-failed", "poll-failed", "failed", "register-failed"]),
      registrations,
      error: error.describe(
        "failed: the target could not be deregistered. register-failed: the target could not be registered again. The others are retried.",
      ),
    }),
    z.strictObject({
      ...base,
      type: z.literal("guarded"),
      registrations,
      verdict: z
        .enum(["waiting", "waited", "overridden", "kept"])
        .describe(
          "waiting: for a healthy replacement. waited: enough healthy targets remain now. overridden: the time to wait was over. kept: the last healthy target stays registered.",
        ),
      standing: z
        .strictObject({ zone: z.string().optional(), healthyNow: z.int(), wouldStay: z.int(), needed: z.int() })
        .optional()
        .describe("Healthy targets of the pool, if known."),
    }),
    z
      .strictObject({
        ...base,
        type: z.enum(["excluded", "included", "tainted", "untainted"]),
        name: z.string().optional(),
      })
      .describe(
        "excluded: the Node object has the label that excludes it from load balancers. included: the label was removed. tainted: the Node object has the taint with which kube-proxy fails health checks. untainted: the taint was removed, because a load balancer that was found later would close connections. name: of the Node object; absent if the cluster has none for the instance.",
      ),
    z
      .strictObject({
        ...base,
        type: z.enum(["exclude-failed", "include-failed", "taint-failed", "untaint-failed"]),
        error,
      })
      .describe("The label or the taint could not be set or removed. It is retried."),
    z
      .strictObject({ ...base, type: z.enum(["evicting", "evicted"]), pods: z.array(z.string()) })
      .describe(
        "evicting: the node is cordoned, and the pods are being evicted. evicted: the pods no longer run on the node. Pods are named namespace/name.",
      ),
    z
      .strictObject({
        ...base,
        type: z.literal("eviction-refused"),
        pod: z.string(),
        budget: z.string().optional().describe("Name of the disruption budget that does not allow the eviction now."),
        willRetry: z.boolean(),
        error,
      })
      .describe("The API server refused to evict the pod."),
    z
      .strictObject({ ...base, type: z.literal("evict-failed"), error })
      .describe("The pods could not be read or evicted. It is retried while the drain lasts."),
    z.strictObject({ ...base, type: z.enum(["released", "registered"]), registrations }),
    z
      .strictObject({ ...base, type: z.literal("cancelled"), asker })
      .describe("The drain was cancelled. Its targets are registered again from now on."),
    z.strictObject({ ...base, type: z.literal("undone"), registrations: z.array(undone) }),
    z
      .strictObject({ ...base, type: z.enum(["interrupted", "resumed", "gap"]) })
      .describe(
        "interrupted: the service stopped before the end. resumed: the next process continued the drain. gap: the service found at its start that earlier steps were missing or damaged.",
      ),
    z.strictObject({ ...base, type: z.literal("ended"), outcome: OUTCOME.optional() }),
  ])
  .meta({ id: "Step" });

/** 200 from `GET /drains/{drain}`. */
export const DRAIN = z
  .strictObject({
    drainId,
    node,
    status,
    startedAt,
    endedAt,
    requests: z.array(request).describe("All requests for the drain. The first one began it."),
    registrations: z
      .array(registration.extend({ foundAt: moment }).strict())
      .describe("Registrations before the drain changed them."),
    elsewhere,
    steps: z.array(STEP),
    missingSteps: z
      .int()
      .describe(
        "Number of steps that could not be stored, or were lost: a disk failed, memory was full, or the ledger was damaged.",
      ),
    outcome: OUTCOME.optional().describe("Absent while the drain runs."),
    undo: z
      .strictObject({
        cancelledAt: moment,
        asker,
        status,
        endedAt,
        registrations: z.array(undone).optional().describe("Absent while the drain runs."),
      })
      .optional()
      .describe("Absent if the drain was not cancelled."),
    now: z
      .strictObject({ drainId, startedAt, ...running })
      .optional()
      .describe("Current state. Absent once the drain has ended."),
  })
  .meta({ id: "Drain" });

/** 200 from `DELETE /nodes/{node}/drains`. */
export const NODE_UNDONE = z
  .strictObject({
    status: z
      .enum(["undone", "nothing-to-undo", "not-undone"])
      .describe("nothing-to-undo: no drain of the node is known that was not undone before."),
    node,
    drains: z.array(UNDONE).describe("The drains that were undone, newest first."),
    uncordoned: z
      .string()
      .optional()
      .describe("Name of the Node object that is schedulable now. Absent: not requested, or there is no Node object."),
    error: error
      .optional()
      .describe(
        "Why the exclusion label or the cordon could not be removed. Absent: it was, or KUBERNETES is not set.",
      ),
  })
  .meta({ id: "NodeUndone", description: "Result of undoing the drains of a node." });
export const NODE_UNDO_FAILURE = z
  .strictObject({ ...problem, code, undo: NODE_UNDONE.optional().describe("Absent if nothing was undone.") })
  .meta({ id: "NodeUndoFailure" });
