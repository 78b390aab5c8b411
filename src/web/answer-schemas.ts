import * as z from "zod";
import { node, place } from "./node-schemas.ts";

/** The answers of the API, for its description: see `api-document.ts`. Reports are made in `drain/report.ts`. */

export const seconds = z.number();
export const moment = z.iso.datetime();
export const drainId = z
  .string()
  .describe("Id of the drain, in answers and logs. All requests that joined the drain have the same id.");

export const registration = z
  .strictObject({
    ...place,
    state: z.string().describe("State of the target as AWS reports it."),
    doubt: z.string().optional().describe("Why it may be another machine's. Absent: it is the node's."),
  })
  .meta({ id: "Registration" });

export const error = z.strictObject({ code: z.string(), message: z.string() }).meta({ id: "Error" });

const listed = z.strictObject({
  Id: z.string(),
  Port: z.int().optional(),
  AvailabilityZone: z.string().optional(),
  QuicServerId: z.string().optional(),
});

const drainingRegistration = z
  .strictObject({
    ...place,
    poolId: z
      .string()
      .describe(
        "ARN of the target group, or name of the classic load balancer, which has its place before it if AWS_PLACES is set.",
      ),
    listed: listed.optional().describe("Target as AWS lists it. Absent if `target` has all of it."),
    alsoListed: z.array(listed).optional().describe("The same id and port in other zones, as AWS lists them."),
    state: z
      .enum(["released", "holding", "registered", "failed", "kept"])
      .describe(
        "released: traffic has stopped. holding: deregistered, and the hold has not ended. registered: not yet deregistered. failed: see error. kept: the last healthy target, which stays registered until its machine terminates.",
      ),
    guard: z
      .enum(["waited", "overridden", "forced"])
      .optional()
      .describe(
        "Result of the guard. waited: deregistered once enough other targets were healthy. overridden: deregistered although too few remain, or their health could not be read. forced: not checked. Absent: the guard changed nothing.",
      ),
    deregistered: z
      .boolean()
      .describe("Whether this drain has deregistered the target. Cancelling the drain registers it again."),
    heldSeconds: seconds.describe("Seconds since AWS accepted the deregistration."),
    holdSeconds: seconds.optional().describe("Planned duration of the hold. Absent until it is known."),
    idleSeconds: seconds
      .optional()
      .describe(
        "The hold ended early, because the agent on the node had counted no connection for this long. Absent: it did not.",
      ),
    newTrafficStopped: z.boolean().describe("Whether new requests and connections have stopped."),
    cameBack: z.int().describe("Number of times that another program registered the target again."),
    error: error.optional(),
  })
  .meta({ id: "DrainingRegistration", description: "Current or final state of one registration of a drain." });

const guarded = z
  .strictObject({
    kind: place.kind,
    loadBalancer: place.loadBalancer,
    pool: place.pool,
    place: place.place,
    zone: z
      .string()
      .optional()
      .describe("Availability zone. Present if cross-zone load balancing is off, so that each zone counts separately."),
    healthyNow: z.int().describe("Number of healthy targets that AWS reports."),
    wouldStay: z.int().describe("Number of healthy targets without this node and without the targets of other drains."),
    needed: z.int().describe("Number of healthy targets that MIN_HEALTHY requires."),
  })
  .meta({ id: "GuardedPool", description: "Pool in which the node is a healthy target." });

const refusal = {
  reason: z
    .enum(["too-few-healthy", "too-many-drains"])
    .describe(
      "too-few-healthy: too few healthy targets would remain in `pools`. too-many-drains: MAX_VOLUNTARY drains are running.",
    ),
  message: z.string(),
  pools: z.array(guarded),
};

export const limit = z
  .strictObject({
    reason: z
      .enum(["deadline", "timeout"])
      .describe("deadline: the machine terminates. timeout: the longest timeout of all callers has passed."),
    at: moment,
  })
  .meta({ id: "Limit", description: "Moment at which a drain ends even if traffic has not stopped." });

export const elsewhere = z
  .array(registration)
  .describe(
    "They are not changed: with DISCOVERY=tag registrations in pools without the tag of the cluster, and those with `doubt`.",
  );

const asOf = moment.describe("When the registrations were read from AWS. They may have changed since.");

const plan = z
  .strictObject({
    node,
    asOf,
    longestHoldSeconds: seconds,
    limit,
    registrations: z.array(
      z.strictObject({
        ...place,
        pod: z
          .string()
          .optional()
          .describe("The pod that the target is, as namespace/name. Absent: it is none, or KUBERNETES is not set."),
        state: z.string().describe("State of the target as AWS reports it."),
        action: z.enum(["deregister", "hold"]).describe("hold: another program has already deregistered the target."),
        writable: z.boolean().describe("Whether the IAM policy that POLICY_SCOPE names allows the deregistration."),
        waitSeconds: seconds.describe("Time that the deregistration waits for the request quota of AWS."),
        holdSeconds: seconds,
        shortBySeconds: seconds.describe(
          "Time that is missing between the limit and the end of the hold. 0: the hold fits.",
        ),
        unsaved: z
          .array(z.strictObject({ code: z.string(), message: z.string() }))
          .describe("Traffic that is lost even if the drain succeeds."),
      }),
    ),
    guard: z
      .strictObject({
        refusal: z
          .strictObject(refusal)
          .optional()
          .describe("Why the drain would be refused. Absent: it would not be refused."),
        pools: z.array(guarded).describe("Pools in which the node is a healthy target."),
      })
      .optional()
      .describe("What the guard would decide. Absent with MIN_HEALTHY=0."),
    fastPath: z
      .strictObject({
        pools: z.array(z.string()).describe("Names of the NLB target groups whose health checks fail."),
        failsWithinSeconds: seconds.describe("Time from the taint until the last of these health checks has failed."),
      })
      .optional()
      .describe(
        "What NLB_FAST_PATH would do: at the deadline of the request, or for a spot interruption. Absent: nothing, and a warning has the reason.",
      ),
    elsewhere,
    warnings: z.array(z.string()),
  })
  .meta({ id: "Plan" });

const eviction = z
  .strictObject({
    evicted: z.int().describe("Number of pods that no longer run on the node."),
    remaining: z
      .array(
        z.strictObject({
          pod: z.string().describe("namespace/name"),
          why: z.string().optional().describe("Why the last attempt was refused. Absent: the pod is terminating."),
        }),
      )
      .describe("Pods that still run."),
  })
  .optional()
  .describe("What happened to the pods of the node. Absent: no eviction had begun.");
const ended = { drainId, node, eviction };
const begun = { drainId: drainId.optional(), node: node.optional(), eviction };
const drainingRegistrations = z.array(drainingRegistration);

const deadlinePassed = z.strictObject({
  status: z.literal("deadline-passed"),
  ...begun,
  limit,
  searched: z
    .boolean()
    .describe("Whether all pools had been searched. If false, the node may have more registrations."),
  error: error
    .optional()
    .describe("The call that kept failing, if any: a search of a pool, or a read of target health for the guard."),
  registrations: drainingRegistrations,
});
const cancelled = z.strictObject({
  status: z.literal("cancelled"),
  ...ended,
  registrations: drainingRegistrations,
});
/** One registration of an undone drain. */
export const undone = z
  .strictObject({
    ...place,
    state: z
      .enum(["registered", "untouched", "left", "failed"])
      .describe(
        "registered: registered again, and confirmed. untouched: the drain had not deregistered it. left: another program had deregistered it before the drain. failed: error says why.",
      ),
    error: error.optional(),
  })
  .meta({ id: "UndoneRegistration" });

const superseded = z.strictObject({
  status: z.literal("superseded"),
  ...begun,
  message: z.string().describe("What the cloud says of the machine."),
  registrations: drainingRegistrations,
  undone: z.array(undone).optional().describe("What became of what had been deregistered, where UNDO allows it."),
});
const abandoned = z.strictObject({ status: z.literal("abandoned"), ...begun, registrations: drainingRegistrations });
const failed = z.strictObject({ status: z.literal("failed"), ...begun, error, registrations: drainingRegistrations });

const refused = z.strictObject({ status: z.literal("refused"), drainId, node, ...refusal });
const warnings = z.array(z.string()).optional().describe("What could not be looked for. Absent: nothing.");
const drained = z.strictObject({
  status: z.literal("drained"),
  ...ended,
  registrations: drainingRegistrations,
  elsewhere,
  warnings,
});
const possiblyRegistered = z
  .strictObject({
    status: z.literal("possibly-registered"),
    ...ended,
    registrations: drainingRegistrations,
    elsewhere,
    warnings,
  })
  .describe("Targets of `elsewhere` with `doubt` may be the node's. They were not deregistered.");
const nothingRegistered = z.strictObject({
  status: z.literal("nothing-registered"),
  ...ended,
  registrations: drainingRegistrations,
  elsewhere,
  warnings,
});
const instanceGone = z.strictObject({ status: z.literal("instance-gone"), message: z.string() });

/** The outcome of a drain. */
export const OUTCOME = z
  .discriminatedUnion("status", [
    drained,
    nothingRegistered,
    possiblyRegistered,
    deadlinePassed,
    cancelled,
    instanceGone,
    superseded,
    abandoned,
    failed,
    refused,
  ])
  .meta({ id: "Outcome" });

/** 200 from `POST /drain`. */
export const DONE = z
  .discriminatedUnion("status", [
    drained,
    nothingRegistered,
    z.strictObject({ status: z.literal("planned"), drainId, node, plan }),
    instanceGone,
  ])
  .meta({ id: "Done", description: "The node can be terminated. For a dry run: the plan." });

/** 202 from `POST /drain`. */
export const ACCEPTED = z
  .strictObject({
    status: z.literal("accepted"),
    drainId,
    node,
    begun: z
      .literal(false)
      .optional()
      .describe("false: accepted and not begun. The guard has not decided yet, and may refuse. Absent: it has begun."),
  })
  .meta({ id: "Accepted" });

/** A drain that runs. */
export const running = {
  reasons: z.array(z.string()).describe("Reasons that the callers gave."),
  limit: limit.optional().describe("Absent during the search if no caller gave a deadline or timeout."),
  registrations: drainingRegistrations.describe("State of each registration. Empty during the search."),
};

/** 200 from `GET /nodes/{node}`. */
export const NODE_STATUS = z
  .strictObject({
    node,
    asOf,
    registrations: z.array(registration).describe("Registrations of the node."),
    elsewhere,
    warnings: z
      .array(z.string())
      .optional()
      .describe(
        "What to know about the answer: for example that AWS did not answer, and how old it is. Absent: nothing.",
      ),
    drain: z
      .strictObject({
        drainId,
        startedAt: moment,
        ...running,
      })
      .optional()
      .describe("The running drain of the node. Absent if there is none."),
    lastDrain: z
      .strictObject({
        drainId,
        startedAt: moment,
        reasons: running.reasons,
        endedAt: moment,
        status: z.string().describe("The `status` of its outcome."),
        undo: z.enum(["running", "ended"]).optional().describe("Absent: it was not cancelled."),
        outcome: OUTCOME.optional().describe("Absent where the service's disk could not be read in time."),
      })
      .optional()
      .describe("The last drain that has ended, such as a refused one. Absent while one runs, and when none is known."),
  })
  .meta({ id: "NodeStatus" });

export const HEALTHY = z.strictObject({ status: z.literal("ok") });
export const READY = z.strictObject({
  status: z.literal("ready"),
  checkedAt: moment.describe("When the last check ended."),
  leader: z.string().optional().describe("With LEASE: the replica that acts on nodes. Absent: this one does."),
});

export const problem = {
  type: z.literal("about:blank"),
  title: z.string(),
  status: z.int(),
  detail: z.string().describe("What is wrong and what to do, as text for people."),
};

/** An error without further fields. RFC 9457. */
export const PROBLEM = z.strictObject(problem).meta({ id: "Problem", description: "Problem details (RFC 9457)." });

export const code = z.string().describe("Failure code, for programs.");
export const FAILURE = z.strictObject({ ...problem, code }).meta({ id: "Failure" });
export const CANCELLED = z
  .strictObject({ ...problem, outcome: cancelled })
  .meta({ id: "Cancelled", description: "The drain was cancelled. The node must not be terminated." });

/** 200 from `DELETE /drains/{drain}`. */
export const UNDONE = z
  .strictObject({
    status: z.enum(["undone", "not-undone"]),
    drainId,
    node,
    registrations: z.array(undone),
    stillExcluded: error
      .optional()
      .describe(
        "Why the label that excludes the node from load balancers could not be removed. Absent: it was removed, or KUBERNETES is not set.",
      ),
  })
  .meta({ id: "Undone", description: "Result of undoing a drain." });
export const UNDO_FAILURE = z
  .strictObject({ ...problem, code, undo: UNDONE.optional().describe("Absent if the undo was not started.") })
  .meta({ id: "UndoFailure" });
export const DRAIN_FAILURE = z.strictObject({ ...problem, code, outcome: failed }).meta({ id: "DrainFailure" });
/** 409 if a target may belong to the node. */
export const POSSIBLY_REGISTERED = z
  .strictObject({ ...problem, code, outcome: possiblyRegistered })
  .meta({ id: "PossiblyRegistered", description: "All that is known to be the node's is out, but more may be." });

export const REFUSED = z.strictObject({ ...problem, code, outcome: refused }).meta({ id: "Refused" });
export const NOT_IN_TIME = z.strictObject({ ...problem, outcome: deadlinePassed }).meta({ id: "NotInTime" });
export const UNRECORDED = z.strictObject({ ...problem, code, drainId, node }).meta({
  id: "Unrecorded",
  description: "The drain has begun, but is lost if the service stops, because the ledger could not be written.",
});
export const STOPPED = z
  .strictObject({ ...problem, outcome: abandoned.optional().describe("Absent if no drain had begun.") })
  .meta({ id: "Stopped" });
export const NOT_READY = z
  .strictObject({
    ...problem,
    reason: z.string().describe("checking, stopping, or the failure code."),
    checkedAt: moment.optional(),
  })
  .meta({ id: "NotReady" });
