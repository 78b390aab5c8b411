import { createHash, randomBytes } from "node:crypto";
import { type Context, ROOT_CONTEXT, type SpanContext, trace } from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import type { IdGenerator } from "@opentelemetry/sdk-trace-base";
import type { Asker } from "../drain/request.ts";

type Ids = Pick<SpanContext, "traceId" | "spanId">;

const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;

/**
 * The ids of a drain's own span. They follow from the drain, so that another process that continues it continues the
 * same trace, and nothing has to be stored. Drain ids alone are not unique: they have 40 bits. Instance ids add 64.
 */
export function idsOfDrain(drainId: string, nodeId: string): Ids {
  const hash = createHash("sha256").update(`${drainId}/${nodeId}`).digest("hex");
  const spanAt = TRACE_ID_BYTES * 2;
  return { traceId: hash.slice(0, spanAt), spanId: hash.slice(spanAt, spanAt + SPAN_ID_BYTES * 2) };
}

/** Random ids, except for spans whose ids are given. */
export class GivenIds implements IdGenerator {
  #given: Ids | undefined;

  /** The next span that `start` starts has these ids, or its parent's trace id. */
  with<T>(ids: Ids, start: () => T): T {
    this.#given = ids;
    try {
      return start();
    } finally {
      this.#given = undefined;
    }
  }

  generateTraceId(): string {
    return this.#given?.traceId ?? randomBytes(TRACE_ID_BYTES).toString("hex");
  }

  generateSpanId(): string {
    return this.#given?.spanId ?? randomBytes(SPAN_ID_BYTES).toString("hex");
  }
}

const W3C = new W3CTraceContextPropagator();
const FIELDS = {
  get: (asker: Asker, name: string) => (name === "traceparent" || name === "tracestate" ? asker[name] : undefined),
  keys: () => ["traceparent", "tracestate"],
};

/** The span of the caller, as the parent of another span. Undefined: there is none, or it can't be read. */
export function parentOf(asker: Asker | undefined): Context | undefined {
  if (asker?.traceparent === undefined) return undefined;
  const context = W3C.extract(ROOT_CONTEXT, asker, FIELDS);
  return trace.getSpanContext(context) === undefined ? undefined : context;
}
