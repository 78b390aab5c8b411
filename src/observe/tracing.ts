import { type Context, ROOT_CONTEXT, type Span, SpanKind, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { detectResources, envDetector, type Resource, resourceFromAttributes } from "@opentelemetry/resources";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BasicTracerProvider,
  ParentBasedSampler,
  type Sampler,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace-base";
import { newAbort, WOKEN } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { asDrainError } from "../drain/errors.ts";
import type { DrainObserver } from "../drain/events.ts";
import { callSpans, type TracedCall } from "./call-spans.ts";
import { failed } from "./drain-trace.ts";
import { DrainTraces } from "./drain-traces.ts";
import type { Log } from "./log.ts";
import { SpanExport } from "./span-export.ts";
import { GivenIds } from "./trace-context.ts";

type SamplerName = "always_on" | "always_off" | "traceidratio";

/**
 * The settings of the configuration. The OpenTelemetry library reads the others from the environment: headers, limits
 * and so on.
 */
export interface TracingSettings {
  /** The URL to which spans are posted. */
  readonly url: string;
  readonly sampler: SamplerName | `parentbased_${SamplerName}`;
  /** From 0 to 1. */
  readonly ratio: number;
}

export interface TracingOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  /** Absent: unknown. */
  readonly region?: string | undefined;
  /** A drain that this process can't end is continued by the next one. */
  readonly outlivesProcess?: boolean;
}

/** At the end of a process, or of an invocation, it waits at most this long for the collector. */
const FLUSHED_WITHIN_MS = 2_000;
/** Lambda ends a function at its limit as a failure. */
const SPARE_MS = 200;

/** The description of one invocation of a function. */
export interface Invocation {
  readonly name: string;
  /** How long the process still runs, in milliseconds. */
  readonly remainingMs: () => number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

/** Traces of drains, of the calls to AWS that they make, and of invocations. It only listens. */
export class Tracing {
  readonly #provider: BasicTracerProvider;
  readonly #clock: Clock;
  readonly #traces: DrainTraces;
  #invocation: Span | undefined;
  readonly observe: DrainObserver;
  /** Called for each attempt to call AWS. */
  readonly called: (call: TracedCall) => void;

  constructor(processor: SpanProcessor, sampler: Sampler, options: Omit<TracingOptions, "log">) {
    const { clock, version, outlivesProcess = false } = options;
    const ids = new GivenIds();
    const resource = resourceOf(options);
    this.#clock = clock;
    this.#provider = new BasicTracerProvider({ resource, sampler, idGenerator: ids, spanProcessors: [processor] });
    const tracer = this.#provider.getTracer("hasta-la-vista", version);
    const within = (): Context | undefined => this.#invocation && trace.setSpan(ROOT_CONTEXT, this.#invocation);
    this.#traces = new DrainTraces({ tracer, ids, now: () => clock.now(), outlivesProcess, within });
    this.observe = this.#traces.observe;
    this.called = callSpans({ tracer, within, traceOf: (id) => this.#traces.of(id) });
  }

  /** The same log. Lines about a traced drain, or within an invocation, contain the trace. */
  inLog(log: Log): Log {
    return (message, fields) => {
      const { drain } = fields as { readonly drain?: string };
      const of = drain === undefined ? undefined : this.#traces.of(drain)?.context;
      const context = of ?? this.#invocation?.spanContext();
      if (context === undefined) return log(message, fields);
      log(message, { ...fields, trace_id: context.traceId, span_id: context.spanId });
    };
  }

  /** Does `work` as one trace that contains its drains, and sends it before it resolves. There is one at a time. */
  async invocation<T>({ name, attributes, remainingMs }: Invocation, work: () => Promise<T>): Promise<T> {
    const startTime = new Date(this.#clock.now());
    const tracer = this.#provider.getTracer("hasta-la-vista");
    const span = tracer.startSpan(name, { kind: SpanKind.SERVER, startTime, attributes }, ROOT_CONTEXT);
    this.#invocation = span;
    try {
      return await work();
    } catch (error) {
      failed(span, asDrainError(error).code);
      throw error;
    } finally {
      span.end(new Date(this.#clock.now()));
      await this.#within(Math.min(FLUSHED_WITHIN_MS, remainingMs() - SPARE_MS), this.#provider.forceFlush());
      this.#invocation = undefined;
    }
  }

  /** Sends the remaining spans, and resolves after two seconds in any case. */
  async close(): Promise<void> {
    await this.#within(FLUSHED_WITHIN_MS, this.#provider.shutdown());
  }

  async #within(ms: number, sending: Promise<void>): Promise<void> {
    const sent = newAbort();
    const ended = sending.catch(() => {}); // Reported as lost spans.
    const late = this.#clock.sleep(Math.max(0, ms), sent.signal).catch(() => {}); // They were sent first.
    await Promise.race([ended, late]);
    sent.abort(WOKEN);
  }
}

/** Sends traces to a collector. */
export function openTracing(settings: TracingSettings, options: TracingOptions): Tracing {
  const { log } = options;
  const processor = new SpanExport({
    exporter: new OTLPTraceExporter({ url: settings.url }),
    onLost: (error, lost) => log("trace export failed", { error, lost }),
    onDelivered: (lost) => log("trace export recovered", { lost }),
  });
  return new Tracing(processor, samplerOf(settings), options);
}

/** https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/#general-sdk-configuration */
export function samplerOf({ sampler, ratio }: Pick<TracingSettings, "sampler" | "ratio">): Sampler {
  const [, isParentBased, name] = /^(parentbased_)?(.*)$/.exec(sampler) ?? [];
  const samplers = {
    always_on: () => new AlwaysOnSampler(),
    always_off: () => new AlwaysOffSampler(),
    traceidratio: () => new TraceIdRatioBasedSampler(ratio),
  };
  const root = samplers[name as SamplerName]();
  return isParentBased === undefined ? root : new ParentBasedSampler({ root });
}

/** Values of the environment win over what is known here. */
function resourceOf({ version, region }: Pick<TracingOptions, "version" | "region">): Resource {
  const known = resourceFromAttributes({
    "service.name": "hasta-la-vista",
    "service.version": version,
    "cloud.provider": "aws",
    ...(region === undefined ? {} : { "cloud.region": region }),
  });
  return known.merge(detectResources({ detectors: [envDetector] }));
}
