import { type ExportResult, ExportResultCode, getNumberFromEnv } from "@opentelemetry/core";
import {
  BatchSpanProcessor,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace-base";

/**
 * Spans that may wait for the collector, unless OTEL_BSP_MAX_QUEUE_SIZE is set. OpenTelemetry's default is 2,048. A
 * wave of nodes ends as many in a moment.
 */
const WAITING_MAX = 8_192;

export interface SpanExportOptions {
  readonly exporter: SpanExporter;
  /** Called for each lost batch, with the number of all spans that were lost since the last delivered one. */
  readonly onLost: (why: string, lost: number) => void;
  /** Called for the first delivered batch after lost ones, with their number. */
  readonly onDelivered: (lost: number) => void;
}

/**
 * Sends spans in batches, beside all other work. If the collector can't be reached or is slow, only spans are lost:
 * those for which there is no room are dropped and counted.
 */
export class SpanExport implements SpanProcessor {
  readonly #options: SpanExportOptions;
  readonly #batches: BatchSpanProcessor;
  readonly #waitingMax: number;
  #waiting = 0;
  #lost = 0;

  constructor(options: SpanExportOptions) {
    this.#options = options;
    // With less than one, every span would be lost, and none could report it.
    const given = getNumberFromEnv("OTEL_BSP_MAX_QUEUE_SIZE") ?? 0;
    this.#waitingMax = given >= 1 ? given : WAITING_MAX;
    const { exporter } = options;
    const counted: SpanExporter = {
      export: (spans, done) => this.#export(spans, done),
      shutdown: () => exporter.shutdown(),
      forceFlush: async () => exporter.forceFlush?.(),
    };
    this.#batches = new BatchSpanProcessor(counted, { maxQueueSize: this.#waitingMax });
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if (this.#waiting >= this.#waitingMax) {
      this.#lost += 1;
      return;
    }
    this.#waiting += 1;
    this.#batches.onEnd(span);
  }

  forceFlush(): Promise<void> {
    return this.#batches.forceFlush();
  }

  shutdown(): Promise<void> {
    return this.#batches.shutdown();
  }

  #export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#waiting -= spans.length;
    this.#options.exporter.export(spans, (result) => {
      const lostBefore = this.#lost;
      if (result.code === ExportResultCode.SUCCESS) {
        this.#lost = 0;
        if (lostBefore > 0) this.#options.onDelivered(lostBefore);
      } else {
        this.#lost += spans.length;
        this.#options.onLost(reasonOf(result.error), this.#lost);
      }
      done(result);
    });
  }
}

/** In this program's words, because the answer of a collector may repeat the headers that it got. */
function reasonOf(error: Error | undefined): string {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  if (typeof code === "number") return `the collector answered ${code}`;
  if (typeof code === "string" && /^[A-Z0-9_]{1,60}$/.test(code)) return `no connection to the collector: ${code}`;
  return "the collector did not accept them in time";
}
