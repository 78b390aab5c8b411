import * as z from "zod";
import { drainId, error, limit, moment, running, seconds } from "./answer-schemas.ts";
import { node, place } from "./node-schemas.ts";

/** The answer of `GET /overview`, and its events. Reports are made in `overview.ts` and `live-drain.ts`. */

const standing = z
  .strictObject({
    zone: z.string().optional(),
    healthyNow: z.int().optional(),
    wouldStay: z.int().optional(),
    needed: z.int().optional(),
  })
  .describe("Healthy targets of the pool, as in GuardedPool. Empty: they could not be read.");

const registration = z
  .strictObject({
    ...place,
    state: z.enum(["released", "holding", "registered", "failed", "kept"]).describe("As in DrainingRegistration."),
    heldSince: moment.optional().describe("When the hold began. Present while it lasts."),
    heldSeconds: seconds.optional().describe("How long the target was held. Present once it is released."),
    holdSeconds: seconds.optional().describe("Planned duration of the hold. Absent until it is known."),
    waitsForGuard: standing
      .optional()
      .describe("The target waits until enough others are healthy. Absent: it does not."),
    guard: z.enum(["waited", "overridden", "forced"]).optional().describe("As in DrainingRegistration."),
    newTrafficStopped: z.boolean(),
    cameBack: z.int().describe("Number of times that another program registered the target again."),
    error: error.optional(),
  })
  .meta({ id: "LiveRegistration" });

const liveDrain = z
  .strictObject({
    drainId,
    node,
    startedAt: moment,
    reasons: running.reasons,
    limit: limit.optional().describe("Absent during the search if no caller gave a deadline or timeout."),
    searched: z
      .boolean()
      .describe("Whether all pools have been searched. If false, the node may have more registrations."),
    cancelled: z.literal(true).optional().describe("The drain is being cancelled. Absent: it is not."),
    counts: z
      .partialRecord(registration.shape.state, z.int())
      .describe("Number of registrations in each state. A state without registrations is absent."),
    registrations: z
      .array(registration)
      .describe("At most 64, fewer if many drains run: those that need attention first. GET /drains/{drain} has all."),
    notes: z.array(z.string()).describe("What the drain cannot save, and other warnings of its plan."),
    trouble: z
      .strictObject({ what: z.enum(["registrations", "health", "cluster"]), ...error.shape })
      .optional()
      .describe("A read or a change that keeps failing and is repeated. Absent: there is none."),
    earlierTryUntil: moment
      .optional()
      .describe("The drain waits until then for what an earlier try may have deregistered."),
    pods: z
      .strictObject({ evicted: z.int(), remaining: z.int(), refused: z.string().optional() })
      .optional()
      .describe("The eviction of the pods of the node. Absent: it has not begun."),
  })
  .meta({ id: "LiveDrain", description: "A drain that runs, as the dashboard shows it." });

const decision = z
  .strictObject({
    n: z.int().describe("Counts the decisions since the start of the service."),
    at: moment,
    drainId,
    node,
    verdict: z
      .enum(["waiting", "waited", "overridden", "kept", "refused"])
      .describe(
        "refused: the whole drain was refused, and nothing was deregistered. The others are as in the step `guarded`.",
      ),
    ...z.object(place).partial().shape,
    standing: standing.optional(),
    message: z.string().optional().describe("Why the drain was refused."),
  })
  .meta({ id: "GuardDecision" });

const quota = z
  .strictObject({
    name: z.string().describe("Name of the quota. all: calls to all load balancers together."),
    available: z.number().describe("Calls that may be made at once now."),
    burst: z.number().describe("Calls that may be made at once when none was made before."),
    perSecond: z.number().describe("Further calls a second. It is lower for a while after AWS has throttled a call."),
    fullPerSecond: z.number(),
    waiting: z.int().describe("Calls that wait now."),
    granted: z.int().describe("Calls since the start of the service."),
    throttled: z.int().describe("Those of them that AWS has throttled."),
  })
  .meta({ id: "Quota", description: "QUOTA_SHARE of one of the request quotas of AWS." });

const index = z
  .strictObject({
    kept: z.boolean().describe("Whether the index is refreshed in the background: INDEX_RATE is not 0."),
    listedAt: moment.optional().describe("When all pools were last listed. Absent: never yet."),
    groups: z.int().describe("Known target groups."),
    groupsRead: z.int().describe("Target groups whose targets were read."),
    classics: z.int().describe("Known classic load balancers."),
    oldestReadAt: moment.optional().describe("When the target group was read whose read is longest ago."),
    failure: z
      .strictObject({ at: moment, ...error.shape })
      .optional()
      .describe("Why the last read failed. Absent: it succeeded."),
  })
  .meta({ id: "Index", description: "What the service knows of who is registered where." });

const settings = z.strictObject({
  region: z.string().optional(),
  cluster: z.string().optional().describe("CLUSTERNAME."),
  dryRun: z.boolean().describe("Whether DRYRUN is set: nothing is changed."),
  undo: z.boolean().describe("Whether drains can be cancelled."),
  minHealthy: z.string().describe("MIN_HEALTHY."),
  maxVoluntary: z.string().describe("MAX_VOLUNTARY."),
  leader: z.string().optional().describe("With LEASE: the replica that acts on nodes."),
});

/** 200 from `GET /overview`. */
export const OVERVIEW = z
  .strictObject({
    at: moment.describe("Time of the service."),
    version: z.string(),
    settings,
    ready: z
      .strictObject({
        status: z.enum(["checking", "ready", "not-ready", "stopping"]),
        checkedAt: moment.optional(),
        problems: z.array(z.strictObject({ action: z.string().optional(), ...error.shape })),
      })
      .describe("Whether drains can work, as GET /ready has it."),
    clouds: z
      .array(z.strictObject({ place: place.place, quotas: z.array(quota), index }))
      .describe("One for each account and region."),
    lookups: z
      .array(z.strictObject({ asked: z.string(), at: moment, error }))
      .describe("Requests whose node could not be found yet. They are repeated."),
    decisions: z.array(decision).describe("The newest decisions of the guard, at most 50, the newest first."),
    history: z.int().describe("Changes with each drain that begins, ends or is cancelled: read GET /drains again."),
    running: z.array(liveDrain).describe("Drains that run now."),
  })
  .meta({ id: "Overview" });
