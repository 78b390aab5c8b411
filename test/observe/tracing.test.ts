import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { describe, expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { type DrainRecord, drainRecord } from "../../src/drain/drain-record.ts";
import { HTTP } from "../../src/drain/request.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { drainLog } from "../../src/observe/logging.ts";
import { never } from "../support/simulated-region.ts";
import { requestFor, TracedRegion } from "../support/traced-region.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = { via: HTTP, traceparent: `00-${TRACE}-b7ad6b7169203331-01`, tracestate: "vendor=1" };
const UNSAMPLED = { via: HTTP, traceparent: `00-${TRACE}-b7ad6b7169203331-00` };
const OWN = "hasta_la_vista";

/** One node of two in a target group of an ALB that drains for a minute. */
function scene() {
  const region = new TracedRegion();
  const nodes = [region.node(), region.node()] as const;
  const group = region.group({ name: "web", nodes, delaySeconds: 60 });
  region.latencyMs = 100;
  return { region, clock: region.clock, nodes, node: nodes[0], group };
}

describe("the trace of a drain", () => {
  test("has no more than two hundred spans of requests that join, however often a caller asks again", async () => {
    const { region, clock, node } = scene();
    const { drainer } = region.process();
    const requests = Array.from({ length: 250 }, () => drainer.drain(requestFor(node), never));
    await clock.run(Promise.all(requests));
    expect(region.named("drain request")).toHaveLength(200);
    expect(region.named("drain")).toHaveLength(1);
  });

  test("has a span for each phase and registration, and says what the drain was about", async () => {
    const { region, clock, node } = scene();
    const { drainer } = region.process();
    const asker = { via: "spot-interruption", event: "e-1" };
    const outcome = await clock.run(drainer.drain(requestFor(node, { asker, reason: "spot" }), never));
    expect(region.tree).toEqual([
      "drain 0-61.1 drained",
      "  resolve 0-0.1",
      "  find 0.1-0.3",
      "  hold 0.3-61.1",
      "  registration 0.4-61.1 released",
    ]);
    const [drain] = region.named("drain");
    expect(drain?.kind).toBe(SpanKind.INTERNAL);
    expect(drain?.status.code).toBe(SpanStatusCode.UNSET);
    expect(drain?.attributes).toMatchObject({
      [`${OWN}.drain.id`]: "drainId" in outcome && outcome.drainId,
      [`${OWN}.drain.trigger`]: "spot-interruption",
      [`${OWN}.drain.reason`]: "spot",
      [`${OWN}.event.id`]: "e-1",
      [`${OWN}.drain.registrations`]: 1,
      [`${OWN}.drain.longest_hold`]: 60,
      "host.id": node.id,
    });
    expect(drain?.resource.attributes).toMatchObject({
      "service.name": "hasta-la-vista",
      "service.version": "1.2.3",
      "cloud.region": "eu-west-1",
    });
    const [registration] = region.named("registration");
    expect(registration?.attributes).toMatchObject({
      [`${OWN}.pool.name`]: "web",
      [`${OWN}.pool.kind`]: "alb",
      [`${OWN}.load_balancer.name`]: "web-lb",
      [`${OWN}.target`]: `${node.id}:30080`,
    });
    expect(registration?.events.map(({ name }) => name)).toEqual(["deregistered", "released"]);
  });

  test("has a span for each call to AWS, by OpenTelemetry's names", async () => {
    const { region, clock, node } = scene();
    await clock.run(region.process().drainer.drain(requestFor(node), never));
    const [drain] = region.named("drain");
    const [call, ...others] = region.named("Elastic Load Balancing.DeregisterTargets");
    expect(others).toEqual([]);
    expect(call?.kind).toBe(SpanKind.CLIENT);
    expect(call?.parentSpanContext?.spanId).toBe(drain?.spanContext().spanId);
    expect(call?.attributes).toMatchObject({
      "rpc.system.name": "aws-api",
      "rpc.system": "aws-api",
      "rpc.service": "Elastic Load Balancing",
      "rpc.method": "DeregisterTargets",
      "aws.request_id": expect.stringMatching(/^[0-9a-f-]{36}$/),
      "http.response.status_code": 200,
      [`${OWN}.call.purpose`]: "deregister",
    });
    // Each call of a drain is in its trace, but the one that finds the node, before there is a drain.
    const calls = region.spans.filter(({ kind }) => kind === SpanKind.CLIENT);
    expect(calls).toHaveLength(region.calls.length - 1);
    expect(new Set(calls.map((span) => span.spanContext().traceId))).toEqual(new Set([drain?.spanContext().traceId]));
  });

  test("continues the trace of its caller", async () => {
    const { region, clock, node } = scene();
    await clock.run(region.process().drainer.drain(requestFor(node, { asker: CALLER }), never));
    const [drain] = region.named("drain");
    expect(drain?.kind).toBe(SpanKind.SERVER);
    expect(drain?.parentSpanContext).toMatchObject({ traceId: TRACE, spanId: "b7ad6b7169203331", isRemote: true });
    expect(drain?.spanContext().traceState?.serialize()).toBe("vendor=1");
    expect(new Set(region.spans.map((span) => span.spanContext().traceId))).toEqual(new Set([TRACE]));
  });

  test("is not sent where its caller's is not, or where the sampler says so", async () => {
    const { region, clock, node, nodes } = scene();
    await clock.run(region.process().drainer.drain(requestFor(node, { asker: UNSAMPLED }), never));
    await clock.run(region.process({}, { sampler: "always_off" }).drainer.drain(requestFor(nodes[1]), never));
    expect(region.spans).toEqual([]);
  });

  test("names requests that join: in the trace of their caller, or else in the drain's", async () => {
    const { region, clock, node } = scene();
    const { drainer } = region.process();
    const first = drainer.drain(requestFor(node), never);
    const second = clock.sleep(10_000, never).then(() => drainer.drain(requestFor(node, { asker: CALLER }), never));
    const third = clock.sleep(20_000, never).then(() => drainer.drain(requestFor(node, { reason: "again" }), never));
    await clock.run(Promise.all([first, second, third]));
    const [drain] = region.named("drain");
    const [callers, own] = region.named("drain request");
    expect(callers?.spanContext().traceId).toBe(TRACE);
    expect(callers?.links.map(({ context }) => context.spanId)).toEqual([drain?.spanContext().spanId]);
    expect(drain?.links.map(({ context }) => context.spanId)).toEqual([callers?.spanContext().spanId]);
    expect(own?.parentSpanContext?.spanId).toBe(drain?.spanContext().spanId);
    expect(own?.attributes).toMatchObject({ [`${OWN}.drain.reason`]: "again", [`${OWN}.drain.result`]: "drained" });
    const requests = region.tree.filter((line) => line.includes("request"));
    expect(requests).toEqual(["  drain request 20-61.1 drained", "drain request 10-61.1 drained"]);
  });

  test("says that the guard has refused", async () => {
    const region = new TracedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node] });
    region.latencyMs = 100;
    const { drainer } = region.process({ MIN_HEALTHY: "1" });
    await region.clock.run(drainer.drain(requestFor(node, { isVoluntary: true }), never));
    const [drain] = region.named("drain");
    expect(drain?.attributes[`${OWN}.drain.result`]).toBe("refused");
    expect(drain?.status.code).toBe(SpanStatusCode.UNSET);
    expect(region.tree.map((line) => line.trim().split(" ")[0])).toEqual(["drain", "resolve", "find", "guard"]);
    expect(region.named("guard")[0]?.ended).toBe(true);
  });

  test("says that its deadline has passed, and how its registrations stood", async () => {
    const { region, clock, node } = scene();
    const { drainer } = region.process({ DEADLINE_MARGIN: "0" });
    await clock.run(drainer.drain(requestFor(node, { deadline: clock.now() + 20_000 }), never));
    const [drain] = region.named("drain");
    expect(drain?.status.code).toBe(SpanStatusCode.ERROR);
    expect(drain?.attributes["error.type"]).toBe("deadline-passed");
    expect(region.tree).toEqual([
      "drain 0-20 deadline-passed",
      "  resolve 0-0.1",
      "  find 0.1-0.3",
      "  hold 0.3-20",
      "  registration 0.4-20 deadline-passed",
    ]);
  });

  test("has its undo", async () => {
    const { region, clock, node } = scene();
    const { drainer } = region.process({ UNDO: "true" });
    const { drain, outcome } = await clock.run(drainer.accept(requestFor(node), never));
    await clock.run(Promise.resolve(outcome));
    await clock.run(drainer.cancel(drain?.id ?? "", undefined, never));
    const [undo] = region.named("undo");
    expect(undo?.parentSpanContext?.spanId).toBe(region.named("drain")[0]?.spanContext().spanId);
    expect(undo?.events.map(({ name }) => name)).toEqual(["registered"]);
  });
});

describe("a call to AWS", () => {
  test("that serves several drains is in the trace of one, and linked with the others", async () => {
    const { region, clock, nodes } = scene();
    const { drainer } = region.process();
    await clock.run(Promise.all(nodes.map((node) => drainer.drain(requestFor(node), never))));
    const drains = region.named("drain");
    expect(drains).toHaveLength(2);
    expect(region.callsOf("DeregisterTargets")).toHaveLength(1);
    const [call] = region.named("Elastic Load Balancing.DeregisterTargets");
    const parent = drains.find((one) => one.spanContext().spanId === call?.parentSpanContext?.spanId);
    const [other] = drains.filter((one) => one !== parent);
    expect(call?.links.map(({ context }) => context)).toEqual([other?.spanContext()]);
    expect(other?.links.map(({ context }) => context)).toContainEqual(call?.spanContext());
  });

  test("that AWS throttles is a span for each attempt, with what AWS has said and how long the quota took", async () => {
    const { region, clock, node } = scene();
    region.intercept = ({ action, before }) =>
      action === "DeregisterTargets" && before < 2
        ? {
            status: 400,
            headers: { "x-amzn-requestid": "r-1" },
            body: "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>",
          }
        : undefined;
    await clock.run(region.process().drainer.drain(requestFor(node), never));
    const attempts = region.named("Elastic Load Balancing.DeregisterTargets");
    expect(attempts.map(({ attributes }) => attributes["error.type"])).toEqual(["Throttling", "Throttling", undefined]);
    expect(attempts.map(({ status }) => status.code === SpanStatusCode.ERROR)).toEqual([true, true, false]);
    expect(attempts.map(({ attributes }) => attributes["http.response.status_code"])).toEqual([400, 400, 200]);
    expect(attempts.map(({ attributes }) => attributes["http.request.resend_count"])).toEqual([undefined, 1, 2]);
    expect(attempts[0]?.attributes["aws.request_id"]).toBe("r-1");
  });

  test("of the index is in no trace", async () => {
    const { region, clock } = scene();
    const { maintainIndex } = region.process({ INDEX_RATE: "10" });
    const stop = newAbort();
    const maintained = maintainIndex(stop.signal).catch(() => {});
    await clock.run(clock.sleep(5_000, never));
    stop.abort();
    await clock.run(maintained);
    expect(region.calls.length).toBeGreaterThan(2);
    expect(region.spans).toEqual([]);
  });
});

describe("a drain that another process goes on with", () => {
  async function restarted(asker: typeof CALLER | undefined) {
    const { region, clock, node } = scene();
    const ledger = new MemoryLedger();
    const traced = { ledger, outlivesProcess: true };
    const abandon = newAbort();
    const first = region.process({}, traced).drainer.drain(requestFor(node, asker && { asker }), abandon.signal);
    await clock.run(clock.sleep(10_000, never));
    const [entries = []] = await ledger.unfinished();
    abandon.abort();
    await clock.run(first);
    await clock.run(clock.sleep(5_000, never));
    const record = drainRecord(entries) as DrainRecord;
    await clock.run(region.process({}, traced).drainer.resume(record, never));
    return region;
  }

  test.each([
    ["a caller's", CALLER],
    ["its own", undefined],
  ])("stays in %s trace, with one span of its own", async (_, asker) => {
    const region = await restarted(asker);
    const [drain, ...others] = region.named("drain");
    expect(others).toEqual([]);
    expect(new Set(region.spans.map((span) => span.spanContext().traceId))).toEqual(
      new Set([drain?.spanContext().traceId]),
    );
    if (asker !== undefined) expect(drain?.spanContext().traceId).toBe(TRACE);
    expect(drain?.events.map(({ name }) => name)).toEqual(["resumed"]);
    expect(region.tree).toEqual([
      "drain 0-61.1 drained",
      "  resolve 0-0.1",
      "  find 0.1-0.3",
      "  hold 0.3-10",
      "  registration 0.4-10 interrupted",
      "  registration 0.4-61.1 released",
      "  find 15-15.3",
      "  hold 15.3-61.1",
    ]);
  });
});

test("lines of the log about a drain name its trace", async () => {
  const { region, clock, node } = scene();
  const { tracing, drainer } = region.process();
  const lines: Record<string, unknown>[] = [];
  const log = tracing.inLog((message, fields) => void lines.push({ message, ...fields }));
  const { drain, outcome } = await clock.run(drainer.accept(requestFor(node), never));
  await clock.run(Promise.resolve(outcome));
  const observe = drainLog(log);
  observe({ type: "undoing", drainId: drain?.id ?? "", node: drain?.node ?? (node as never) });
  log("stopped", {});
  const { traceId, spanId } = region.named("drain")[0]?.spanContext() ?? {};
  expect(lines).toEqual([
    { message: "undo started", drain: drain?.id, node: node.id, trace_id: traceId, span_id: spanId },
    { message: "stopped" },
  ]);
});
