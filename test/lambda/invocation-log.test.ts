import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { expect, test } from "vitest";
import type { TracingParts } from "../../src/app/tracing.ts";
import { samplerOf, Tracing } from "../../src/observe/tracing.ts";
import { lambdaScene } from "./scene.ts";

/** A scene whose spans are kept here. */
async function traced() {
  const exporter = new InMemorySpanExporter();
  const sampler = samplerOf({ sampler: "parentbased_always_on", ratio: 1 });
  const openTracing = async (_: unknown, parts: TracingParts) =>
    new Tracing(new SimpleSpanProcessor(exporter), sampler, parts);
  const scene = await lambdaScene({}, { openTracing });
  const spans = () => exporter.getFinishedSpans();
  return { ...scene, spans, named: (name: string) => spans().filter((span) => span.name === name) };
}

test("each invocation is a line of the log, with its result and how long it took", async () => {
  const { record, hookEvent, answer, answerRule, nodes, lines } = await lambdaScene();
  await answer([record(hookEvent()), record("not an event", { id: "m-2" })]);
  await answerRule(hookEvent(nodes[1]));
  await expect(answerRule({ nothing: true })).rejects.toThrow();
  const told = lines.filter(({ msg }) => String(msg).startsWith("invocation ")).map(({ time: _, ...line }) => line);
  expect(told).toEqual([
    { level: "info", msg: "invocation completed", handler: "sqs", tookSeconds: 300, messages: 2, failed: 1 },
    { level: "info", msg: "invocation completed", handler: "eventbridge", tookSeconds: 300 },
    { level: "error", msg: "invocation failed", handler: "eventbridge", tookSeconds: 0, error: expect.any(String) },
  ]);
});

test("each invocation is a trace, with its drains and all their calls in it", async () => {
  const { record, hookEvent, answer, spans, named, lines } = await traced();
  await answer([record(hookEvent())]);
  const [invocation, ...others] = named("hasta-la-vista");
  expect(others).toEqual([]);
  expect(invocation?.attributes).toMatchObject({
    "faas.trigger": "pubsub",
    "hasta_la_vista.handler": "sqs",
    "messaging.batch.message_count": 1,
  });
  const [drain] = named("drain");
  expect(drain?.parentSpanContext?.spanId).toBe(invocation?.spanContext().spanId);
  const traceId = invocation?.spanContext().traceId;
  expect(new Set(spans().map((span) => span.spanContext().traceId))).toEqual(new Set([traceId]));
  // Of the hook, which no drain knows.
  const [completed] = named("Auto Scaling.CompleteLifecycleAction");
  expect(completed?.parentSpanContext?.spanId).toBe(invocation?.spanContext().spanId);
  expect(new Set(lines.map((line) => line["trace_id"]))).toEqual(new Set([traceId]));
});

test("an invocation that has failed is a failed span", async () => {
  const { answerRule, spans } = await traced();
  await expect(answerRule({ nothing: true })).rejects.toThrow();
  expect(spans().map(({ attributes }) => attributes["error.type"])).toEqual(["internal"]);
});

test("a function whose zip file lacks the code for traces drains without them, and says so", async () => {
  const openTracing = () => Promise.reject(new Error("Cannot find module 'lambda-tracing.mjs'"));
  const { record, hookEvent, answer, said } = await lambdaScene({}, { openTracing });
  expect(await answer([record(hookEvent())])).toEqual({ batchItemFailures: [] });
  expect(said()).toContain("trace export failed");
});
