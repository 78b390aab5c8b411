import { type Attributes, type Context, ROOT_CONTEXT, SpanKind, type Tracer, trace } from "@opentelemetry/api";
import type { CloudCall } from "../drain/events.ts";
import { type DrainTrace, failed, own } from "./drain-trace.ts";

/** The names of the SDK, which OpenTelemetry uses. Both ELB APIs have the same names of actions. */
const SERVICES: Readonly<Record<string, string>> = {
  autoscaling: "Auto Scaling",
  ec2: "EC2",
  elasticloadbalancing: "Elastic Load Balancing",
  sqs: "SQS",
};

/** A call of a queue or a hook has no purpose, because it is not ordered by one. */
export type TracedCall = Omit<CloudCall, "purpose"> & Partial<Pick<CloudCall, "purpose">>;

export interface CallSpansOptions {
  readonly tracer: Tracer;
  readonly traceOf: (drainId: string) => DrainTrace | undefined;
  /** The span of calls that no drain has asked for. Undefined: they are not traced. */
  readonly within: () => Context | undefined;
}

/**
 * One span for each attempt to call AWS, made when it has ended. A call for several drains is part of the trace of the
 * first one, and is linked with the others, because a span has one parent.
 */
export function callSpans({ tracer, traceOf, within }: CallSpansOptions): (call: TracedCall) => void {
  return (call) => {
    // The callers have left before it was sent.
    if (call.result === "ok" && call.httpStatus === undefined) return;
    const [first, ...others] = [...(call.drains?.() ?? [])]
      .map(traceOf)
      .filter((of) => of !== undefined)
      .filter(({ isSampled }) => isSampled);
    const parent = first === undefined ? within() : trace.setSpan(ROOT_CONTEXT, first.root);
    if (parent === undefined) return;
    const [api = "", method = ""] = call.action.split(":");
    const service = SERVICES[api] ?? api;
    const span = tracer.startSpan(
      `${service}.${method}`,
      {
        kind: SpanKind.CLIENT,
        startTime: new Date(call.sentAt),
        attributes: { ...attributesOf(call), "rpc.service": service, "rpc.method": method },
        links: others.map(({ context }) => ({ context })),
      },
      parent,
    );
    if (call.result !== "ok") failed(span, call.result);
    for (const { root } of others) root.addLink({ context: span.spanContext() });
    span.end(new Date(call.answeredAt));
  };
}

/** https://opentelemetry.io/docs/specs/semconv/cloud-providers/aws-sdk/ */
function attributesOf({ requestId, httpStatus, attempt, purpose, place, wantedAt, sentAt }: TracedCall): Attributes {
  const waitedMs = Math.round(sentAt - wantedAt);
  return {
    "rpc.system": "aws-api",
    "rpc.system.name": "aws-api",
    ...(requestId === undefined ? {} : { "aws.request_id": requestId }),
    ...(httpStatus === undefined ? {} : { "http.response.status_code": httpStatus }),
    ...(attempt === 1 ? {} : { "http.request.resend_count": attempt - 1 }),
    ...(purpose === undefined ? {} : { [own("call.purpose")]: purpose }),
    ...(place === undefined ? {} : { [own("place")]: place }),
    ...(waitedMs === 0 ? {} : { [own("call.quota_wait")]: waitedMs / 1_000 }),
  };
}
