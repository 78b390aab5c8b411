import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import type { Engine } from "../../src/app/engine.ts";
import type { DrainRequest } from "../../src/drain/request.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { samplerOf, Tracing, type TracingSettings } from "../../src/observe/tracing.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { SimulatedRegion } from "./simulated-region.ts";

interface TracedOptions extends Partial<Pick<TracingSettings, "sampler" | "ratio">> {
  readonly ledger?: MemoryLedger;
  readonly outlivesProcess?: boolean;
}

/** A process whose drains are traced. */
export interface TracedProcess extends Engine {
  readonly tracing: Tracing;
}

/** A region whose engines are traced, as a service is. */
export class TracedRegion extends SimulatedRegion {
  readonly #exporters: InMemorySpanExporter[] = [];

  process(options: Readonly<Record<string, string>> = {}, traced: TracedOptions = {}): TracedProcess {
    const { ledger = new MemoryLedger(), sampler = "parentbased_always_on", ratio = 1 } = traced;
    const exporter = new InMemorySpanExporter();
    this.#exporters.push(exporter);
    const parts = { clock: this.clock, version: "1.2.3", region: this.world.region, ...traced };
    const tracing = new Tracing(new SimpleSpanProcessor(exporter), samplerOf({ sampler, ratio }), parts);
    const engine = this.wholeEngine(options, [], tracing.called, ledger, undefined, [tracing.observe]);
    return { ...engine, tracing };
  }

  /** All that have ended, of all processes, in the order of their beginnings. */
  get spans(): readonly ReadableSpan[] {
    const all = this.#exporters.flatMap((exporter) => exporter.getFinishedSpans());
    return all.sort((a, b) => milliseconds(a.startTime) - milliseconds(b.startTime));
  }

  named(name: string): readonly ReadableSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  /** The spans but those of calls, each below its parent, with its begin and end in seconds since the region began. */
  get tree(): readonly string[] {
    const spans = this.spans.filter(({ attributes }) => attributes["rpc.method"] === undefined);
    const ids = new Set(spans.map((span) => span.spanContext().spanId));
    const tops = spans.filter(({ parentSpanContext: of }) => of === undefined || !ids.has(of.spanId));
    return tops.flatMap((span) => this.#below(span, spans, ""));
  }

  #below(span: ReadableSpan, spans: readonly ReadableSpan[], indent: string): readonly string[] {
    const begin = this.clock.now() - this.clock.elapsedMs;
    const [from, to] = [span.startTime, span.endTime].map((time) => (milliseconds(time) - begin) / 1_000);
    const result =
      span.attributes["hasta_la_vista.drain.result"] ?? span.attributes["hasta_la_vista.registration.result"];
    const inner = spans.filter(({ parentSpanContext: of }) => of?.spanId === span.spanContext().spanId);
    return [
      `${indent}${span.name} ${from}-${to}${result === undefined ? "" : ` ${result}`}`,
      ...inner.flatMap((one) => this.#below(one, spans, `${indent}  `)),
    ];
  }
}

export function requestFor(node: Instance, more: Partial<DrainRequest> = {}): DrainRequest {
  return { node: { by: "id", value: node.id }, dryRun: false, ...more };
}

function milliseconds([seconds, nanoseconds]: readonly [number, number]): number {
  return seconds * 1_000 + nanoseconds / 1_000_000;
}
