import * as z from "zod";

/** What the API answers, for its description: see `api-document.ts`. Reports are made in `drain/report.ts`. */

export const seconds = z.number();
export const moment = z.iso.datetime();
export const drainId = z.string().describe("Names the drain in logs and answers. Requests that joined it share it.");

export const node = z
  .strictObject({
    id: z.string().describe("The instance id."),
    name: z.string().describe("The private DNS name, which is the Kubernetes node name by default."),
    network: z.string().describe("The VPC."),
    cluster: z.string().optional().describe("The cluster that its tags name."),
  })
  .meta({ id: "Node" });

const place = {
  kind: z.enum(["alb", "nlb", "gwlb", "classic", "unattached"]).describe("What sends the traffic."),
  loadBalancer: z.string().optional().describe("Absent where no load balancer uses the target group."),
  pool: z.string().describe("The target group's or classic load balancer's name."),
  target: z.string().describe("The instance or address, with its port."),
};

export const registration = z
  .strictObject({ ...place, state: z.string().describe("AWS's word for it.") })
  .meta({ id: "Registration" });

export const error = z.strictObject({ code: z.string(), message: z.string() }).meta({ id: "Error" });

const fate = z
  .strictObject({
    ...place,
    poolId: z.string().describe("The target group's ARN or the classic load balancer's name."),
    listed: z
      .strictObject({
        Id: z.string(),
        Port: z.int().optional(),
        AvailabilityZone: z.string().optional(),
        QuicServerId: z.string().optional(),
      })
      .optional()
      .describe("The target as AWS listed it, where `target` does not say it all."),
    state: z
      .enum(["released", "holding", "registered", "failed", "kept"])
      .describe(
        "released: traffic has stopped. holding: deregistered, the hold has not ended. registered: not yet deregistered. failed: error says why. kept: left to serve until the machine goes, for no other healthy target would have stayed.",
      ),
    guard: z
      .enum(["waited", "overridden", "forced"])
      .optional()
      .describe(
        "What the guard did. waited: until enough others were healthy. overridden: too few stay, or nobody could say. forced: nobody looked. Absent: nothing.",
      ),
    deregistered: z.boolean().describe("Whether this drain has deregistered it: to cancel it registers it again."),
    heldSeconds: seconds.describe("Since the deregistration was accepted."),
    holdSeconds: seconds.optional().describe("How long the hold is to be. Absent while that is not known."),
    newTrafficStopped: z.boolean().describe("Whether new requests and connections have stopped."),
    cameBack: z.int().describe("How often somebody else registered it again."),
    error: error.optional(),
  })
  .meta({ id: "Fate", description: "How one registration fares, or ended." });

const guarded = z
  .strictObject({
    kind: place.kind,
    loadBalancer: place.loadBalancer,
    pool: place.pool,
    zone: z.string().optional().describe("Where each zone of the load balancer has but its own targets: this one."),
    healthyNow: z.int().describe("Healthy targets, as AWS says."),
    wouldStay: z.int().describe("Without the node, and without those that other drains take away."),
    needed: z.int().describe("By MIN_HEALTHY."),
  })
  .meta({ id: "GuardedPool", description: "A pool in which the node is healthy." });

const refusal = {
  reason: z
    .enum(["too-few-healthy", "too-many-drains"])
    .describe("too-few-healthy: `pools` would keep too few. too-many-drains: MAX_VOLUNTARY."),
  message: z.string(),
  pools: z.array(guarded),
};

export const limit = z
  .strictObject({
    reason: z.enum(["deadline", "timeout"]).describe("deadline: the machine goes. timeout: nobody waits longer."),
    at: moment,
  })
  .meta({ id: "Limit", description: "When a drain ends even if traffic has not." });

export const elsewhere = z
  .array(registration)
  .describe("With DISCOVERY=tag: registrations in pools without the cluster's tag, which stay as they are.");

const asOf = moment.describe("It was so then, and may have changed since: what is known may come from memory.");

const plan = z
  .strictObject({
    node,
    asOf,
    longestHoldSeconds: seconds,
    limit,
    registrations: z.array(
      z.strictObject({
        ...place,
        state: z.string().describe("AWS's word for it."),
        action: z.enum(["deregister", "hold"]).describe("hold: somebody else has deregistered it already."),
        writable: z.boolean().describe("Whether the policy allows deregistering it, as far as POLICY_SCOPE says."),
        waitSeconds: seconds.describe("How long AWS's request quota makes its deregistration wait."),
        holdSeconds: seconds,
        shortBySeconds: seconds.describe("By how much the limit comes too early for this hold. 0: it fits."),
        unsaved: z
          .array(z.strictObject({ code: z.string(), message: z.string() }))
          .describe("What is lost even when everything goes well."),
      }),
    ),
    guard: z
      .strictObject({
        refusal: z.strictObject(refusal).optional().describe("Why the drain would be refused. Absent: it would not."),
        pools: z.array(guarded).describe("Those in which the node is healthy."),
      })
      .optional()
      .describe("What the guard would say. Absent with MIN_HEALTHY=0."),
    elsewhere,
    warnings: z.array(z.string()),
  })
  .meta({ id: "Plan" });

const begun = { drainId: drainId.optional(), node: node.optional() };
const fates = z.array(fate);

const deadlinePassed = z.strictObject({
  status: z.literal("deadline-passed"),
  ...begun,
  limit,
  searched: z
    .boolean()
    .describe("Whether every pool had been asked. If not, the node may be registered in others too."),
  error: error
    .optional()
    .describe(
      "What call kept failing, where one did: not every pool had been asked, or nobody could say whether enough stay.",
    ),
  registrations: fates,
});
const cancelled = z.strictObject({ status: z.literal("cancelled"), drainId, node, registrations: fates });
/** One registration of a drain that was undone. */
export const undone = z
  .strictObject({
    ...place,
    state: z
      .enum(["registered", "untouched", "left", "failed"])
      .describe(
        "registered: again, and seen so. untouched: the drain had not deregistered it. left: somebody else had, before the drain. failed: error says why.",
      ),
    error: error.optional(),
  })
  .meta({ id: "UndoneRegistration" });

const superseded = z.strictObject({
  status: z.literal("superseded"),
  ...begun,
  message: z.string().describe("What the cloud says of the machine."),
  registrations: fates,
  undone: z.array(undone).optional().describe("What became of what had been deregistered, where UNDO allows it."),
});
const abandoned = z.strictObject({ status: z.literal("abandoned"), ...begun, registrations: fates });
const failed = z.strictObject({ status: z.literal("failed"), ...begun, error, registrations: fates });

const refused = z.strictObject({ status: z.literal("refused"), drainId, node, ...refusal });
const drained = z.strictObject({ status: z.literal("drained"), drainId, node, registrations: fates, elsewhere });
const nothingRegistered = z.strictObject({
  status: z.literal("nothing-registered"),
  drainId,
  node,
  registrations: fates,
  elsewhere,
});
const instanceGone = z.strictObject({ status: z.literal("instance-gone"), message: z.string() });

/** How a drain has ended. */
export const OUTCOME = z
  .discriminatedUnion("status", [
    drained,
    nothingRegistered,
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
  .meta({ id: "Done", description: "The node can go; or, of a dry run, what would have been done." });

/** 202 from `POST /drain`. */
export const ACCEPTED = z.strictObject({ status: z.literal("accepted"), drainId, node }).meta({ id: "Accepted" });

/** A drain that runs. */
export const running = {
  reasons: z.array(z.string()).describe("Why, in the callers' words."),
  limit: limit.optional().describe("Absent while the registrations are being looked for and nobody set one."),
  registrations: fates.describe("How each fares. Empty while they are being looked for."),
};

/** 200 from `GET /nodes/{node}`. */
export const NODE_STATUS = z
  .strictObject({
    node,
    asOf,
    registrations: z.array(registration).describe("Where it is registered."),
    elsewhere,
    drain: z
      .strictObject({
        drainId,
        startedAt: moment,
        ...running,
      })
      .optional()
      .describe("The drain that runs for it. Absent when there is none."),
  })
  .meta({ id: "NodeStatus" });

export const HEALTHY = z.strictObject({ status: z.literal("ok") });
export const READY = z.strictObject({
  status: z.literal("ready"),
  checkedAt: moment.describe("When the last check ended."),
});

const problem = {
  type: z.literal("about:blank"),
  title: z.string(),
  status: z.int(),
  detail: z.string().describe("What is wrong and what to do, for people."),
};

/** Any error that has nothing more to say. RFC 9457. */
export const PROBLEM = z.strictObject(problem).meta({ id: "Problem", description: "A problem as RFC 9457 has it." });

const code = z.string().describe("Which failure it is, for programs.");
export const FAILURE = z.strictObject({ ...problem, code }).meta({ id: "Failure" });
export const CANCELLED = z
  .strictObject({ ...problem, outcome: cancelled })
  .meta({ id: "Cancelled", description: "Somebody has cancelled the drain: the node can't go." });

/** 200 from `DELETE /drains/{drain}`. */
export const UNDONE = z
  .strictObject({ status: z.enum(["undone", "not-undone"]), drainId, node, registrations: z.array(undone) })
  .meta({ id: "Undone", description: "How a drain was undone." });
export const UNDO_FAILURE = z
  .strictObject({ ...problem, code, undo: UNDONE.optional().describe("Absent where nothing was begun.") })
  .meta({ id: "UndoFailure" });
export const DRAIN_FAILURE = z.strictObject({ ...problem, code, outcome: failed }).meta({ id: "DrainFailure" });
export const REFUSED = z.strictObject({ ...problem, code, outcome: refused }).meta({ id: "Refused" });
export const NOT_IN_TIME = z.strictObject({ ...problem, outcome: deadlinePassed }).meta({ id: "NotInTime" });
export const UNRECORDED = z
  .strictObject({ ...problem, code, drainId, node })
  .meta({ id: "Unrecorded", description: "The drain has begun, but would be forgotten if the service died." });
export const STOPPED = z
  .strictObject({ ...problem, outcome: abandoned.optional().describe("Absent when no drain had begun.") })
  .meta({ id: "Stopped" });
export const NOT_READY = z
  .strictObject({
    ...problem,
    reason: z.string().describe("checking, stopping, or the code of the failure."),
    checkedAt: moment.optional(),
  })
  .meta({ id: "NotReady" });
