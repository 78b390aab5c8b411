import { ExportResultCode } from "@opentelemetry/core";
import { BasicTracerProvider, type ReadableSpan, type SpanExporter } from "@opentelemetry/sdk-trace-base";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { SpanExport } from "../../src/observe/span-export.ts";

type Done = Parameters<SpanExporter["export"]>[1];

/** A collector that answers when it is told to. */
function scene() {
  const told: string[] = [];
  const asked: { readonly spans: readonly ReadableSpan[]; readonly done: Done }[] = [];
  const exporter: SpanExporter = {
    export: (spans, done) => void asked.push({ spans, done }),
    shutdown: async () => {},
  };
  const exporting = new SpanExport({
    exporter,
    onLost: (why, lost) => told.push(`${lost} lost: ${why}`),
    onDelivered: (lost) => told.push(`delivered after ${lost}`),
  });
  const tracer = new BasicTracerProvider({ spanProcessors: [exporting] }).getTracer("test");
  const end = (count: number) => {
    for (let each = 0; each < count; each += 1) tracer.startSpan("each").end();
  };
  const answer = (error?: object) => {
    const code = error === undefined ? ExportResultCode.SUCCESS : ExportResultCode.FAILED;
    for (const { done } of asked.splice(0)) done({ code, error: error as Error });
  };
  return { exporting, told, asked, end, answer };
}

describe("a collector", () => {
  test.each([
    [{ code: 500, message: "Bearer a-token" }, "the collector answered 500"],
    [{ code: "ECONNREFUSED", message: "connect" }, "no connection to the collector: ECONNREFUSED"],
    [{ message: "Request timed out, with authorization a-token" }, "the collector did not accept them in time"],
  ])("that fails with %j is reported in our words, with the spans that it costs", (error, why) => {
    const { exporting, told, end, answer } = scene();
    end(3);
    exporting.forceFlush().catch(() => {});
    answer(error);
    end(2);
    exporting.forceFlush().catch(() => {});
    answer(error);
    expect(told).toEqual([`3 lost: ${why}`, `5 lost: ${why}`]);
    end(1);
    exporting.forceFlush().catch(() => {});
    answer();
    expect(told.at(-1)).toBe("delivered after 5");
  });

  test.each(["0", "-5", "many"])("gets the spans with OTEL_BSP_MAX_QUEUE_SIZE=%s too, as with the default", (size) => {
    vi.stubEnv("OTEL_BSP_MAX_QUEUE_SIZE", size);
    onTestFinished(() => void vi.unstubAllEnvs());
    const { exporting, asked, end, answer } = scene();
    end(3);
    exporting.forceFlush().catch(() => {});
    expect(asked.flatMap(({ spans }) => spans)).toHaveLength(3);
    answer();
  });

  test("that does not answer costs the spans that find no room, and no memory beyond", () => {
    const { exporting, told, asked, end, answer } = scene();
    // The first batch goes out by itself, and nothing more before it is answered.
    end(512);
    expect(asked.map(({ spans }) => spans.length)).toEqual([512]);
    end(8_192 + 100);
    expect(asked).toHaveLength(1);
    answer();
    expect(told).toEqual(["delivered after 100"]);
    exporting.forceFlush().catch(() => {});
    expect(asked.flatMap(({ spans }) => spans)).toHaveLength(8_192);
    answer();
  });
});
