import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { account, ID } from "../support/account.ts";
import { startService } from "../support/child-process.ts";
import { missingOf, RunningKubernetesProgram } from "./support/kubernetes-programs.ts";

const missing = missingOf(["otel-collector"]);
const IS_REQUIRED = process.env["CONFORMANCE"] === "required";
const SECRET = "a-secret-of-the-traced-service";
const HEADER = "a-token-of-the-collector";
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER_SPAN = "b7ad6b7169203331";
/** https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto */
const KIND = { internal: 1, server: 2, client: 3 };

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly Attribute[];
}

interface Line {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}

/** What a collector takes by OTLP over HTTP it writes to a file. */
async function collector() {
  const folder = await mkdtemp(join(tmpdir(), "collector-"));
  const [file, config] = [join(folder, "spans.json"), join(folder, "collector.json")];
  const settings = {
    receivers: { otlp: { protocols: { http: { endpoint: "127.0.0.1:0" } } } },
    exporters: { file: { path: file, flush_interval: "50ms" } },
    service: {
      telemetry: { metrics: { level: "none" } },
      pipelines: { traces: { receivers: ["otlp"], exporters: ["file"] } },
    },
  };
  // JSON is YAML.
  await writeFile(config, JSON.stringify(settings));
  const program = new RunningKubernetesProgram("otel-collector", ["--config", `file:${config}`]);
  onTestFinished(async () => {
    await program.kill();
    await rm(folder, { recursive: true });
  });
  const started = await program.line(/Starting HTTP server/);
  await program.line(/Everything is ready/);
  const lines = async () => {
    const text = await readFile(file, "utf8");
    return text.split("\n").flatMap((line) => (line.endsWith("}") ? [JSON.parse(line) as Line] : []));
  };
  return { url: `http://${/"endpoint": "([^"]+)"/.exec(started)?.[1]}`, lines };
}

const spansOf = (lines: readonly Line[]) =>
  lines.flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
  );
const valuesOf = (attributes: readonly Attribute[] = []) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

describe.skipIf(missing !== undefined && !IS_REQUIRED)("an OpenTelemetry Collector", () => {
  beforeEach(() => {
    if (missing !== undefined) throw new Error(`CONFORMANCE=required, but ${missing}`);
  });

  test("gets each drain of the service as a trace, the last ones before the service ends", async () => {
    const { url: endpoint, lines } = await collector();
    const { env } = await account();
    const { child, url } = await startService({
      ...env,
      SECRET,
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer ${HEADER}`,
      OTEL_SERVICE_NAME: "drains-of-the-test",
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
    });
    const answer = await fetch(`${url}/drain`, {
      method: "POST",
      headers: { authorization: `Bearer ${SECRET}`, traceparent: `00-${TRACE}-${CALLER_SPAN}-01` },
      body: JSON.stringify({ id: ID, reason: "a test" }),
    });
    expect(answer.status).toBe(200);
    child.signal("SIGTERM");
    const { code, stdout } = await child.finished;
    expect(code).toBe(0);
    expect(stdout).not.toContain(HEADER);
    await expect
      .poll(async () => spansOf(await lines()).map(({ name }) => name), { timeout: 30_000 })
      .toContain("drain");

    const received = await lines();
    const [first] = received.flatMap(({ resourceSpans }) => resourceSpans);
    expect(valuesOf(first?.resource.attributes)).toMatchObject({
      "service.name": "drains-of-the-test",
      "service.version": expect.any(String),
      "deployment.environment.name": "test",
      "cloud.provider": "aws",
    });
    const spans = spansOf(received);
    const [drain, ...others] = spans.filter(({ name }) => name === "drain");
    expect(others).toEqual([]);
    expect(drain).toMatchObject({ traceId: TRACE, parentSpanId: CALLER_SPAN, kind: KIND.server });
    expect(valuesOf(drain?.attributes)).toMatchObject({
      "host.id": ID,
      "hasta_la_vista.drain.reason": "a test",
      "hasta_la_vista.drain.result": "drained",
      "hasta_la_vista.drain.trigger": "http",
    });
    // All else is the drain's.
    for (const span of spans.filter((one) => one !== drain)) {
      expect(span).toMatchObject({ traceId: TRACE, parentSpanId: drain?.spanId });
      expect(BigInt(span.startTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(drain?.startTimeUnixNano ?? 0));
    }
    const names = spans.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["resolve", "find", "hold"]));
    const pools = spans.filter(({ name }) => name === "registration").map(({ attributes }) => valuesOf(attributes));
    expect(pools.map((values) => values["hasta_la_vista.pool.name"]).sort()).toEqual(["legacy", "tcp", "web"]);
    expect(new Set(pools.map((values) => values["hasta_la_vista.registration.result"]))).toEqual(new Set(["released"]));
    const [call] = spans.filter(({ name }) => name === "Elastic Load Balancing.DeregisterTargets");
    expect(call?.kind).toBe(KIND.client);
    expect(valuesOf(call?.attributes)).toMatchObject({
      "rpc.system.name": "aws-api",
      "rpc.method": "DeregisterTargets",
      "http.response.status_code": "200",
    });
    // The log leads to the trace.
    const [ended] = stdout.split("\n").filter((line) => line.includes('"drain completed"'));
    expect(JSON.parse(ended ?? "")).toMatchObject({ trace_id: TRACE, span_id: drain?.spanId });
  });
});
