import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import type { SpanExporter } from "@opentelemetry/sdk-trace-base";
import { createEngine } from "../src/app/engine.ts";
import { newAbort } from "../src/drain/abort.ts";
import { MemoryLedger } from "../src/ledger/memory-ledger.ts";
import { SpanExport } from "../src/observe/span-export.ts";
import { samplerOf, Tracing } from "../src/observe/tracing.ts";
import { VirtualClock } from "../src/simulator/clock.ts";
import { buildRegion, nodeId } from "./region.ts";
import { configOf, requestHandler, Service } from "./service.ts";
import { Wire } from "./wire.ts";

/** Nodes that leave at once, each in ten pools. */
const NODES = [1, 10, 100];
/** Drains of each number of nodes, with traces and without. */
const DRAINS_MIN = 200;
const POOLS = { groups: 50, classics: 5, memberGroups: 8, memberClassics: 2, delaySeconds: 300 };
const CREDENTIALS = { accessKeyId: "simulated", secretAccessKey: "simulated" };

export interface TracingRow {
  readonly nodes: number;
  readonly spansPerDrain: number;
  readonly bytesPerDrain: number;
  /** Processor time of the engine and the simulated region, without traces. */
  readonly cpuMsPerDrain: number;
  /** The same with traces, and with the collector that they go to, over that without. */
  readonly ratio: number;
}

/** What traces cost, by the number of nodes. The runs with and without them take turns. */
export async function tracingRows(sizes = NODES, drainsMin = DRAINS_MIN): Promise<readonly TracingRow[]> {
  await Service.rehearsed();
  const collector = await Collector.listen();
  try {
    const rows: TracingRow[] = [];
    // The compiler has seen the code by then.
    await tracingRow(sizes[0] ?? 1, drainsMin / 10, collector);
    for (const nodes of sizes) rows.push(await tracingRow(nodes, drainsMin, collector));
    return rows;
  } finally {
    collector.close();
  }
}

async function tracingRow(nodes: number, drainsMin: number, collector: Collector): Promise<TracingRow> {
  const rounds = Math.ceil(drainsMin / nodes);
  const without: number[] = [];
  const withTraces: number[] = [];
  collector.bytes = 0;
  let spans = 0;
  for (let round = 0; round < rounds; round++) {
    without.push(await cpuOf(nodes, undefined));
    const clock = new VirtualClock();
    const sending = new OTLPTraceExporter({ url: collector.url });
    const exporter: SpanExporter = {
      export: (batch, done) => {
        spans += batch.length;
        sending.export(batch, done);
      },
      shutdown: () => sending.shutdown(),
    };
    const onLost = (why: string) => {
      throw new Error(why);
    };
    const processor = new SpanExport({ exporter, onLost, onDelivered: () => {} });
    const sampler = samplerOf({ sampler: "always_on", ratio: 1 });
    withTraces.push(
      await cpuOf(nodes, { tracing: new Tracing(processor, sampler, { clock, version: "bench" }), clock }),
    );
  }
  const drains = rounds * nodes;
  return {
    nodes,
    spansPerDrain: spans / drains,
    bytesPerDrain: collector.bytes / drains,
    cpuMsPerDrain: sum(without) / drains,
    ratio: sum(withTraces) / sum(without),
  };
}

interface Traced {
  readonly tracing: Tracing;
  readonly clock: VirtualClock;
}

/** Milliseconds of the processor for the drains of so many nodes. */
async function cpuOf(nodes: number, traced: Traced | undefined): Promise<number> {
  const clock = traced?.clock ?? new VirtualClock();
  const { signal } = newAbort();
  const { simulator } = buildRegion({ nodes, ...POOLS }, clock);
  const wire = new Wire(clock, (body) => simulator.call({ body }, signal));
  const { drainer } = createEngine(configOf(), {
    clock,
    observers: traced === undefined ? [] : [traced.tracing.observe],
    ledger: new MemoryLedger(),
    aws: { credentials: CREDENTIALS, requestHandler: requestHandler(wire, signal) },
    onCall: traced?.tracing.called ?? (() => {}),
  });
  const begun = process.cpuUsage();
  const drains = Array.from({ length: nodes }, (_, node) =>
    drainer.drain({ node: { by: "id", value: nodeId(node) }, dryRun: false }, signal),
  );
  await clock.run(Promise.all(drains));
  await traced?.tracing.close();
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / 1_000;
}

/** Takes everything. */
class Collector {
  bytes = 0;
  readonly #server = createServer((request, response) => {
    request.on("data", (chunk: Buffer) => {
      this.bytes += chunk.length;
    });
    request.on("end", () => response.end());
  });

  static async listen(): Promise<Collector> {
    const collector = new Collector();
    const server = collector.#server.listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1/traces`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

export function tracingTable(rows: readonly TracingRow[]): string {
  return [
    "| nodes at once | spans a drain | bytes a drain | CPU a drain without traces, ms | CPU with traces / without |",
    "|--:|--:|--:|--:|--:|",
    ...rows.map(
      ({ nodes, spansPerDrain, bytesPerDrain, cpuMsPerDrain, ratio }) =>
        `| ${nodes} | ${spansPerDrain.toFixed(0)} | ${bytesPerDrain.toFixed(0)} | ${cpuMsPerDrain.toFixed(1)} | ${ratio.toFixed(2)} |`,
    ),
  ].join("\n");
}
