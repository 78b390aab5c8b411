import type { Hono, MiddlewareHandler } from "hono";
import * as z from "zod";
import { FINDING_CODES, SEVERITIES } from "../doctor/finding.ts";
import type { DoctorReport } from "../doctor/report.ts";
import { pw } from "./drain-request.ts";
import { queryFields, queryOf, readParameters } from "./parameters.ts";
import { send } from "./problem.ts";
import type { NeedAccess } from "./secret-guard.ts";

/** What `GET /doctor` takes in the query. */
export const DOCTOR_QUERY = z.strictObject({ pw });

const count = z.int().min(0);

/** 200 from `GET /doctor`. */
export const DOCTOR = z
  .strictObject({
    asOf: z.iso.datetime().describe("When it began to read."),
    region: z.string().optional().describe("Absent: the one that the AWS SDK finds."),
    cluster: z.string().optional().describe("CLUSTERNAME. Absent: all that was found."),
    lookedAt: z
      .strictObject({
        targetGroups: count,
        classicLoadBalancers: count,
        instances: count.describe("Instances that are registered there."),
        autoScalingGroups: count.optional(),
        queues: count.optional(),
        kubernetes: z.boolean().optional(),
      })
      .describe("What was audited. Absent parts are not configured, or stand in `notLookedAt`."),
    findings: z
      .array(
        z.strictObject({
          code: z.enum(FINDING_CODES),
          severity: z.enum(SEVERITIES),
          resource: z.strictObject({
            kind: z.string().describe("`target-group`, `auto-scaling-group` and so on."),
            id: z.string().describe("ARN, name or URL. In a cluster: NAMESPACE/NAME."),
            name: z.string(),
            place: z.string().optional().describe("With AWS_PLACES: the account and region."),
          }),
          cost: z.string().describe("What it costs, as text for people."),
          evidence: z.array(
            z.strictObject({
              read: z.string().describe("Action of AWS, or objects of Kubernetes, that was read."),
              name: z.string(),
              value: z.string(),
            }),
          ),
          mend: z.array(z.string()).describe("Commands for a shell that mend it, in this order. Empty: see `advice`."),
          advice: z.string().optional(),
          page: z.string().describe("Where the documentation explains it."),
        }),
      )
      .describe("The worst first."),
    notLookedAt: z
      .array(z.strictObject({ what: z.string(), why: z.string() }))
      .describe("Parts that could not be read. The report says nothing about them."),
    counts: z.strictObject({ error: count, warning: count, notice: count }),
  })
  .meta({ id: "Doctor", description: "What would make drains lose requests." });

/** Audits the effects of the service's configuration. Throws `DrainError`. */
export type Examine = (signal: AbortSignal) => Promise<DoctorReport>;

interface DoctorRouteOptions {
  readonly needs: NeedAccess;
  /** See `Relay`. */
  readonly byLeader: MiddlewareHandler;
  readonly examine: Examine;
}

export function addDoctorRoute(app: Hono, { needs, byLeader, examine }: DoctorRouteOptions): void {
  app.get("/doctor", needs({ verb: "get", resource: "audits" }), byLeader, async (context) => {
    readParameters(DOCTOR_QUERY, queryFields(queryOf(context)), "query");
    const body = await examine(context.req.raw.signal);
    return send({ status: 200, headers: { "content-type": "application/json" }, body });
  });
}
