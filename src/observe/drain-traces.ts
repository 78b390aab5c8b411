import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  TraceFlags,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import type { Registration } from "../drain/cloud-provider.ts";
import type { DrainEvent } from "../drain/events.ts";
import type { DrainOutcome } from "../drain/outcome.ts";
import { type AskedRequest, HTTP } from "../drain/request.ts";
import { attributesOfRequest, DrainTrace, own } from "./drain-trace.ts";
import { type GivenIds, idsOfDrain, parentOf } from "./trace-context.ts";

/** Ended drains that may still be undone, or be named in a line of the log. */
const ENDED_MAX = 10_000;

export interface DrainTracesOptions {
  readonly tracer: Tracer;
  readonly ids: GivenIds;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A drain that this process can't end is continued by the next one. */
  readonly outlivesProcess: boolean;
  /** The span that asks for drains whose caller has no trace. */
  readonly within: () => Context | undefined;
}

/** What is known about the first request. */
interface Beginning extends Pick<AskedRequest, "reason" | "force" | "asker"> {
  readonly startedAt: number;
}

/** One trace for each drain, from its events. Only this file knows the events. */
export class DrainTraces {
  readonly #options: DrainTracesOptions;
  readonly #running = new Map<string, DrainTrace>();
  readonly #ended = new Map<string, DrainTrace>();

  constructor(options: DrainTracesOptions) {
    this.#options = options;
  }

  /** The trace of a drain of this process. Undefined: there is none of that id, or it ended long ago. */
  of(drainId: string): DrainTrace | undefined {
    return this.#running.get(drainId) ?? this.#ended.get(drainId);
  }

  readonly observe = (event: DrainEvent): void => {
    if (event.type === "accepted") {
      const { askedAt } = event.request;
      const begun = this.#begin(event, { ...event.request, startedAt: askedAt });
      begun.begins("resolve", askedAt);
      begun.ends("resolve");
      begun.begins("find");
    } else if (event.type === "began") this.#begin(event, event).begins("find");
    else {
      const of = this.of(event.drainId) ?? this.#undoOnly(event);
      if (of?.isSampled === true || event.type === "ended") this.#add(event, of);
    }
  };

  #add(event: DrainEvent, of: DrainTrace | undefined) {
    if (of === undefined) return;
    switch (event.type) {
      case "joined":
        return of.joined(event.request.asker, event.request.askedAt, {
          ...attributesOfRequest(event.request),
          [own("drain.id")]: event.drainId,
        });
      case "passed":
        return passed(of, event.what);
      case "planned": {
        const { longestHoldMs, limit } = event.plan;
        return of.learned({
          [own("drain.registrations")]: event.plan.registrations.length,
          [own("drain.longest_hold")]: longestHoldMs / 1_000,
          [own("drain.limit")]: limit.reason,
          [own("drain.limit_at")]: new Date(limit.at).toISOString(),
        });
      }
      case "evicting":
        of.ends("hold");
        return of.begins("evict");
      case "ended":
        return this.#end(event.drainId, of, event.outcome);
      case "undoing":
        return of.begins("undo");
      case "found":
        return;
      case "undone":
        return of.ends(
          "undo",
          event.outcome.registrations.some(({ state }) => state === "failed") ? "undo-failed" : undefined,
        );
      default:
        return "registration" in event ? ofRegistration(of, event) : of.happened(event.type, attributesOfEvent(event));
    }
  }

  #begin({ drainId, node }: DrainEvent, request: Beginning): DrainTrace {
    const { startedAt, asker } = request;
    const { tracer, ids, within, now } = this.#options;
    const parent = parentOf(asker) ?? within() ?? ROOT_CONTEXT;
    const attributes = {
      [own("drain.id")]: drainId,
      "host.id": node.id,
      "k8s.node.name": node.name,
      ...attributesOfRequest(request),
    };
    const kind = asker?.via === HTTP ? SpanKind.SERVER : SpanKind.INTERNAL;
    const options = { kind, startTime: new Date(startedAt), attributes };
    const root = ids.with(idsOfDrain(drainId, node.id), () => tracer.startSpan("drain", options, parent));
    return this.#keep(drainId, root, now);
  }

  /** For a drain that an earlier process has ended: its undo continues its trace. */
  #undoOnly({ type, drainId, node }: DrainEvent): DrainTrace | undefined {
    if (type !== "undoing") return undefined;
    const kept = this.#continued({ ...idsOfDrain(drainId, node.id), traceFlags: TraceFlags.SAMPLED });
    this.#remember(drainId, kept);
    return kept;
  }

  /** For a drain that has ended: further spans go into its trace. */
  #continued(context: SpanContext): DrainTrace {
    const { tracer, now } = this.#options;
    return new DrainTrace({ tracer, root: trace.wrapSpanContext(context), now });
  }

  #keep(drainId: string, root: Span, now: () => number): DrainTrace {
    const kept = new DrainTrace({ tracer: this.#options.tracer, root, now });
    this.#running.set(drainId, kept);
    return kept;
  }

  #end(drainId: string, of: DrainTrace, outcome: DrainOutcome): void {
    const isInterrupted = outcome.status === "abandoned" && this.#options.outlivesProcess;
    this.#running.delete(drainId);
    // From now on its ids are sufficient. The spans are many times as large.
    this.#remember(drainId, this.#continued(of.context));
    of.end(isInterrupted ? "interrupted" : outcome.status, { error: errorOf(outcome), isOver: !isInterrupted });
  }

  #remember(drainId: string, of: DrainTrace): void {
    this.#ended.set(drainId, of);
    const [oldest] = this.#ended.keys();
    if (this.#ended.size > ENDED_MAX && oldest !== undefined) this.#ended.delete(oldest);
  }
}

type OfRegistration = Extract<DrainEvent, { readonly registration: Registration }>;

function passed(of: DrainTrace, what: "search" | "guard"): void {
  if (what === "search") {
    of.ends("find");
    of.begins("guard");
  } else {
    of.endsIfAny("guard");
    of.begins("hold");
  }
}

function ofRegistration(of: DrainTrace, event: OfRegistration) {
  const { registration, type } = event;
  switch (type) {
    case "deregistered": {
      const { foundDraining, since, holdUntil } = event;
      const span = of.met(registration, type, foundDraining ? { [own("found_draining")]: true } : {}, since);
      if (holdUntil !== undefined) span.setAttribute(own("hold_until"), new Date(holdUntil).toISOString());
      return;
    }
    case "guarded":
      of.met(registration, type, { [own("guard.verdict")]: event.verdict });
      if (event.verdict === "kept") of.registrationEnds(registration, event.verdict);
      return;
    case "released":
      of.met(registration, type).setAttribute(own("held"), event.heldMs / 1_000);
      return of.registrationEnds(registration, type);
    case "failed":
      return of.registrationEnds(registration, type, event.error);
    case "deregistering-again":
      of.met(registration, type, { [own("because")]: event.because });
      return;
    case "deregister-failed":
    case "poll-failed":
      of.met(registration, type, { "error.type": event.error.code });
      return;
    case "registered":
    case "register-failed":
      return of.undid(registration, type, "error" in event ? event.error : undefined);
    default:
      return event satisfies never;
  }
}

/** The attributes of an event of the node. */
function attributesOfEvent(event: Exclude<DrainEvent, OfRegistration>): Attributes {
  return "error" in event ? { "error.type": event.error.code } : {};
}

/** Absent: it ended as expected. A refusal is a valid answer too. */
function errorOf(outcome: DrainOutcome): string | undefined {
  if (outcome.status === "failed") return outcome.error.code;
  return outcome.status === "deadline-passed" ? outcome.status : undefined;
}
