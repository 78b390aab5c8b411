import * as z from "zod";
import {
  drainId,
  elsewhere,
  error,
  limit,
  moment,
  node,
  OUTCOME,
  registration,
  running,
  seconds,
  undone,
} from "./answer-schemas.ts";

/** What `GET /drains` and what is below it answer: see `answer-schemas.ts`. Reports are made in `drain/record-report.ts`. */

const status = z.enum(["running", "ended"]);
const startedAt = moment.describe("When the first request came.");
const endedAt = moment.optional().describe("Absent while it runs.");

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
          outcome: z.string().optional().describe("The `status` of its outcome. Absent while it runs."),
          undo: status.optional().describe("Absent where nobody has cancelled it."),
        }),
      )
      .describe("The newest first."),
  })
  .meta({ id: "Drains" });

const asker = z
  .strictObject({
    via: z.string().describe("By what kind of event it came: http, or what a message announced."),
    event: z.string().optional().describe("That event's own id."),
    address: z.string().optional().describe("At the other end of the connection: a proxy's, where there is one."),
    agent: z.string().optional().describe("What it calls itself."),
  })
  .optional();

const request = z
  .strictObject({
    askedAt: moment,
    deadline: moment.optional().describe("When the machine may be gone."),
    timeoutSeconds: seconds.optional().describe("The caller's own. Absent: TIMEOUT."),
    reason: z.string().optional(),
    asker,
  })
  .meta({ id: "Request", description: "Who asked, and why." });

const base = { id: z.int().describe("Counts the drain's steps from 1."), at: moment };
const registrations = z.array(registration);

const STEP = z
  .discriminatedUnion("type", [
    z.strictObject({ ...base, type: z.enum(["accepted", "joined"]), request }),
    z
      .strictObject({ ...base, type: z.literal("found"), registrations, elsewhere })
      .describe("Registered so before anything was done about it."),
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
      foundDraining: z.boolean().describe("Somebody else had deregistered it, or this service earlier."),
      heldSince: moment,
    }),
    z.strictObject({
      ...base,
      type: z.literal("deregistering-again"),
      registrations,
      because: z
        .enum(["back", "ignored"])
        .describe("back: somebody registered it again. ignored: AWS had accepted the call, and it did nothing."),
    }),
    z.strictObject({
      ...base,
      type: z.enum(["deregister-failed", "look-failed", "failed", "register-failed"]),
      registrations,
      error: error.describe(
        "failed: it could not be taken out. register-failed: it could not be registered again. The others are tried again.",
      ),
    }),
    z.strictObject({
      ...base,
      type: z.literal("guarded"),
      registrations,
      verdict: z
        .enum(["waiting", "waited", "overridden", "kept"])
        .describe(
          "waiting: for a replacement. waited: enough stay now. overridden: time was up. kept: none would stay.",
        ),
      standing: z
        .strictObject({ zone: z.string().optional(), healthyNow: z.int(), wouldStay: z.int(), needed: z.int() })
        .optional()
        .describe("How the pool stood, where that is known."),
    }),
    z.strictObject({ ...base, type: z.enum(["released", "registered"]), registrations }),
    z
      .strictObject({ ...base, type: z.literal("cancelled"), asker })
      .describe("What was done is being undone from now on."),
    z.strictObject({ ...base, type: z.literal("undone"), registrations: z.array(undone) }),
    z
      .strictObject({ ...base, type: z.enum(["interrupted", "resumed"]) })
      .describe("interrupted: the service stopped before the end. resumed: its next start took the drain up."),
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
    requests: z.array(request).describe("Who asked, and why: the first one began the drain."),
    registrations: z
      .array(registration.extend({ foundAt: moment }).strict())
      .describe("What was registered before anything was done about it."),
    elsewhere,
    steps: z.array(STEP),
    missingSteps: z.int().describe("How many steps could not be kept: a disk failed, or memory had no room."),
    outcome: OUTCOME.optional().describe("Absent while it runs."),
    undo: z
      .strictObject({
        cancelledAt: moment,
        asker,
        status,
        endedAt,
        registrations: z.array(undone).optional().describe("Absent while it runs."),
      })
      .optional()
      .describe("Absent where nobody has cancelled the drain."),
    now: z
      .strictObject({ drainId, startedAt, ...running })
      .optional()
      .describe("How it stands, while it runs."),
  })
  .meta({ id: "Drain" });
