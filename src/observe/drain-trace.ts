import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { keyOf, type Registration } from "../drain/cloud-provider.ts";
import { type DrainError, printable } from "../drain/errors.ts";
import { type AskedRequest, type Asker, REASON_CHARACTERS_MAX } from "../drain/request.ts";
import { parentOf } from "./trace-context.ts";

/** The prefix of attributes for which OpenTelemetry has no name. */
const OWN = "hasta_la_vista";

/** A caller may ask every few seconds during the whole drain. Only this many requests get a span. */
const JOINED_MAX = 200;

/** The phases of a drain, in their order. */
export type Phase = "resolve" | "find" | "guard" | "hold" | "evict" | "undo";

export interface DrainTraceOptions {
  readonly tracer: Tracer;
  readonly root: Span;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The spans of one drain. Times are milliseconds since the epoch. */
export class DrainTrace {
  readonly root: Span;
  readonly #tracer: Tracer;
  readonly #now: () => number;
  readonly #within: Context;
  readonly #phases = new Map<Phase, { readonly span: Span; readonly since: number }>();
  readonly #registrations = new Map<string, Span>();
  readonly #requests: Span[] = [];

  constructor({ tracer, root, now }: DrainTraceOptions) {
    this.#tracer = tracer;
    this.root = root;
    this.#now = now;
    this.#within = trace.setSpan(ROOT_CONTEXT, root);
  }

  get context(): SpanContext {
    return this.root.spanContext();
  }

  /** Whether any of it is sent. The sampler decides. */
  get isSampled(): boolean {
    return (this.context.traceFlags & TraceFlags.SAMPLED) !== 0;
  }

  begins(phase: Phase, since = this.#now()): void {
    if (this.#phases.has(phase)) return;
    this.#phases.set(phase, { span: this.#span(phase, { since }), since });
  }

  ends(phase: Phase, error?: string): void {
    const begun = this.#phases.get(phase);
    if (begun === undefined) return;
    this.#phases.delete(phase);
    if (error !== undefined) failed(begun.span, error);
    begun.span.end(new Date(this.#now()));
  }

  /** As `ends`, without a span for a phase that took no time. */
  endsIfAny(phase: Phase): void {
    if (this.#phases.get(phase)?.since === this.#now()) this.#phases.delete(phase);
    else this.ends(phase);
  }

  /** An event of the node. */
  happened(name: string, attributes: Attributes = {}): void {
    this.root.addEvent(name, attributes, new Date(this.#now()));
  }

  /** Attributes that became known during the drain. */
  learned(attributes: Attributes): void {
    this.root.setAttributes(attributes);
  }

  /** An event of one registration, whose span begins with the first event. */
  met(registration: Registration, name: string, attributes: Attributes = {}, since = this.#now()): Span {
    const key = keyOf(registration);
    let span = this.#registrations.get(key);
    if (span === undefined) {
      span = this.#span("registration", { since, attributes: attributesOf(registration) });
      this.#registrations.set(key, span);
    }
    span.addEvent(name, attributes, new Date(this.#now()));
    return span;
  }

  registrationEnds(registration: Registration, result: string, error?: DrainError): void {
    const key = keyOf(registration);
    const span = this.#registrations.get(key) ?? this.#span("registration", { attributes: attributesOf(registration) });
    this.#registrations.delete(key);
    this.#endRegistration(span, result, error);
  }

  /** An event of a registration that is registered again, as a part of the undo. */
  undid(registration: Registration, name: string, error?: DrainError): void {
    const attributes = { ...attributesOf(registration), ...(error && { "error.type": error.code }) };
    this.#phases.get("undo")?.span.addEvent(name, attributes, new Date(this.#now()));
  }

  /** Another request for the node: a span of its caller's trace, or of this one. It ends with the drain. */
  joined(asker: Asker | undefined, since: number, attributes: Attributes): void {
    if (this.#requests.length >= JOINED_MAX) return;
    const callers = parentOf(asker);
    const links = callers === undefined ? [] : [{ context: this.context }];
    const startTime = new Date(since);
    const kind = SpanKind.SERVER;
    const request = this.#tracer.startSpan(
      "drain request",
      { kind, startTime, attributes, links },
      callers ?? this.#within,
    );
    if (callers !== undefined) this.root.addLink({ context: request.spanContext() });
    this.#requests.push(request);
  }

  /** Ends the open spans. `isOver`: the drain has ended too. Otherwise another process continues it. */
  end(result: string, { error, isOver }: { readonly error?: string | undefined; readonly isOver: boolean }): void {
    for (const span of this.#registrations.values()) this.#endRegistration(span, result);
    this.#registrations.clear();
    for (const phase of [...this.#phases.keys()]) if (phase !== "undo") this.ends(phase, error);
    const attributes = { [`${OWN}.drain.result`]: result };
    for (const span of isOver ? [...this.#requests, this.root] : this.#requests) {
      span.setAttributes(attributes);
      if (error !== undefined) failed(span, error);
      span.end(new Date(this.#now()));
    }
    this.#requests.splice(0);
  }

  #endRegistration(span: Span, result: string, error?: DrainError): void {
    span.setAttribute(`${OWN}.registration.result`, result);
    if (error !== undefined) failed(span, error.code, error.message);
    span.end(new Date(this.#now()));
  }

  #span(name: string, { since = this.#now(), attributes = {} }: { since?: number; attributes?: Attributes }): Span {
    return this.#tracer.startSpan(name, { startTime: new Date(since), attributes }, this.#within);
  }
}

export function failed(span: Span, type: string, message?: string): void {
  span.setAttribute("error.type", type);
  span.setStatus({
    code: SpanStatusCode.ERROR,
    ...(message === undefined ? {} : { message: printable(message, 500) }),
  });
}

/** The attributes of a request. */
export function attributesOfRequest({
  reason,
  force,
  asker,
}: Pick<AskedRequest, "reason" | "force" | "asker">): Attributes {
  return {
    ...(reason === undefined ? {} : { [`${OWN}.drain.reason`]: printable(reason, REASON_CHARACTERS_MAX) }),
    ...(force !== true ? {} : { [`${OWN}.drain.forced`]: true }),
    ...(asker === undefined ? {} : { [`${OWN}.drain.trigger`]: asker.via }),
    ...(asker?.event === undefined ? {} : { [`${OWN}.event.id`]: asker.event }),
  };
}

function attributesOf({ pool, target }: Registration): Attributes {
  const { kind, name, loadBalancer, place } = pool;
  return {
    [`${OWN}.pool.name`]: name,
    [`${OWN}.pool.kind`]: kind,
    ...(loadBalancer === undefined ? {} : { [`${OWN}.load_balancer.name`]: loadBalancer }),
    ...(place === undefined ? {} : { [`${OWN}.place`]: place }),
    [`${OWN}.target`]: target,
  };
}

/** The name of an attribute of this program. */
export function own(name: string): string {
  return `${OWN}.${name}`;
}
