import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import * as z from "zod";
import { OWN_EVICTION } from "../drain/eviction.ts";
import type { AskedEviction, GateVerdict } from "../drain/eviction-gate.ts";
import { problem, send } from "./problem.ts";
import { ALONE, type Replicas } from "./replicas.ts";

/** A review of an eviction has one or two kilobytes. */
const BODY_BYTES_MAX = 64 * 1_024;
const UID_CHARACTERS_MAX = 200;
/** Longest name in Kubernetes. */
const NAME_CHARACTERS_MAX = 253;
/** The path to which the API server posts its reviews. */
export const REVIEW_PATH = "/evictions";
const API_VERSION = "admission.k8s.io/v1";
/** It contains nothing about pods or nodes, because any program in the cluster can post a review. */
const HELD_MESSAGE =
  "load balancers may still send traffic to the pod's node, which is leaving: try again later. The log of hasta-la-vista has the drain";

/** What an answer needs. https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/ */
const REVIEW = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal("AdmissionReview"),
  request: z.object({ uid: z.string().min(1).max(UID_CHARACTERS_MAX) }),
});

/** It becomes a part of a path. https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ */
const NAME = z
  .string()
  .max(NAME_CHARACTERS_MAX)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/);

/** A review of an eviction. Its object is the `Eviction`, never the pod. */
const EVICTION = z.object({
  request: z.object({
    operation: z.literal("CREATE"),
    resource: z.object({ group: z.literal(""), resource: z.literal("pods") }),
    subResource: z.literal("eviction"),
    namespace: NAME,
    name: NAME,
    dryRun: z.boolean().nullish(),
    object: z
      .object({
        metadata: z.object({ labels: z.record(z.string(), z.string()).nullish() }).nullish(),
        deleteOptions: z
          .object({
            gracePeriodSeconds: z.int().min(0).nullish(),
            preconditions: z.object({ uid: z.string().nullish() }).nullish(),
            dryRun: z.array(z.string()).nullish(),
          })
          .nullish(),
      })
      .nullish(),
  }),
});

export interface EvictionReviewOptions {
  /** Rejects only with the reason of `signal`. */
  readonly judge: (asked: AskedEviction, signal: AbortSignal) => Promise<GateVerdict>;
  /** The other replicas of the service. Absent: there are none. */
  readonly replicas?: Replicas | undefined;
  /** A fault of this program. */
  readonly onError: (error: unknown) => void;
}

/** The admission webhook for evictions. A function from requests to answers: it needs no port. */
export function createEvictionReviewApp({ judge, onError, replicas = ALONE }: EvictionReviewOptions): Hono {
  const app = new Hono();
  app.use(replicas.know);
  const limitsBody = bodyLimit({
    maxSize: BODY_BYTES_MAX,
    onError: () => send(problem(413, `the body is larger than ${BODY_BYTES_MAX} bytes`)),
  });

  app.post(REVIEW_PATH, limitsBody, replicas.relay, async (context) => {
    const body = asJson(await context.req.text());
    const review = REVIEW.safeParse(body);
    if (!review.success) return send(problem(400, `the body is not an AdmissionReview of ${API_VERSION}`));
    const asked = askedIn(body);
    const verdict = asked && (await judge(asked, context.req.raw.signal));
    return Response.json(answered(review.data.request.uid, verdict));
  });

  app.notFound(() => send(problem(404, `no such path: POST ${REVIEW_PATH} reviews evictions`)));
  app.onError((error, context) => {
    // The API server did not wait.
    if (context.req.raw.signal.aborted) return send(problem(400, "the request is incomplete"));
    onError(error);
    return send(problem(500, "internal error: the log of the service has the details"));
  });
  return app;
}

/** Undefined: it is about something else, which the gate does not review. */
function askedIn(body: unknown): AskedEviction | undefined {
  const { data } = EVICTION.safeParse(body);
  if (data === undefined) return undefined;
  const { namespace, name, dryRun, object } = data.request;
  const { gracePeriodSeconds, preconditions, dryRun: dryRuns = [] } = object?.deleteOptions ?? {};
  const { uid } = preconditions ?? {};
  return {
    namespace,
    name,
    ...(typeof uid === "string" && { uid }),
    ...(typeof gracePeriodSeconds === "number" && { graceMs: gracePeriodSeconds * 1_000 }),
    isOwn: object?.metadata?.labels?.[OWN_EVICTION.label] === OWN_EVICTION.value,
    // `kubectl drain --dry-run=server` states it in the eviction only, not in the request.
    isDryRun: dryRun === true || (dryRuns?.length ?? 0) > 0,
  };
}

function answered(uid: string, verdict: GateVerdict | undefined) {
  const response = verdict?.isHeld === true ? { uid, allowed: false, status: held(verdict) } : { uid, allowed: true };
  return { apiVersion: API_VERSION, kind: "AdmissionReview", response };
}

/** The answer of the API server when a disruption budget does not allow an eviction now. */
function held({ retryAfterSeconds }: Extract<GateVerdict, { isHeld: true }>) {
  return {
    status: "Failure",
    code: 429,
    reason: "TooManyRequests",
    message: HELD_MESSAGE,
    ...(retryAfterSeconds !== undefined && { details: { retryAfterSeconds } }),
  };
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
