import { type MetricObject, Registry } from "prom-client";
import { vi } from "vitest";
import { AgentMetrics } from "../../src/observe/agent-metrics.ts";
import { Metrics } from "../../src/observe/metrics.ts";

const PREFIX = "hasta_la_vista_";

export interface RegisteredSeries {
  readonly type: string;
  readonly labels: readonly string[];
}

/** Everything that the service registers, by name. */
export function seriesOfService(): ReadonlyMap<string, RegisteredSeries> {
  return registered(() => {
    const { gauges } = new Metrics({ version: "1.2.3", now: () => 0 });
    gauges.watchClocks({ machine: () => 0, aws: () => 0 });
    gauges.watchQueue({ inFlight: () => 0, isReceiving: () => true, lastReadAt: () => 0 });
    gauges.watchNodes({ count: () => 0, isUpToDate: () => true });
    gauges.watchGate({ validUntil: () => 0 });
    gauges.watchCertificate({ validUntil: () => 0 });
    gauges.watchElection({ isLeader: () => true });
    gauges.watchReadiness(() => ({ isReady: true, problems: [] }));
    gauges.watchLedger({ isWritable: () => true });
    gauges.watchIndex({ pools: () => 0, listedAt: () => 0, oldestReadAt: () => 0 });
    gauges.watchQuota(() => []);
  });
}

/** The same of the agent on a node. */
export function seriesOfAgent(): ReadonlyMap<string, RegisteredSeries> {
  return registered(() =>
    new AgentMetrics({ version: "1.2.3" }).watchMetadata({ isReadable: () => true, lastReadAt: () => 0 }),
  );
}

function registered(register: () => void): ReadonlyMap<string, RegisteredSeries> {
  const spy = vi.spyOn(Registry.prototype, "registerMetric");
  register();
  const made = spy.mock.calls.map(([metric]) => metric as unknown as MetricObject & { labelNames: string[] });
  spy.mockRestore();
  const ours = made.filter(({ name }) => name.startsWith(PREFIX));
  return new Map(
    ours.map((metric) => [
      metric.name,
      { type: metric.constructor.name.toLowerCase(), labels: [...metric.labelNames] },
    ]),
  );
}

/** What a query asks of our series that is not so, in sentences. `others`: labels that Prometheus adds. */
export function unknownIn(
  query: string,
  series: ReadonlyMap<string, RegisteredSeries>,
  others: readonly string[] = [],
): readonly string[] {
  const uses = [...query.matchAll(/(?<![\w:])(hasta_la_vista_\w+?)(_bucket|_sum|_count)?(?![\w:])/g)];
  const problems: string[] = [];
  const labels = new Set<string>(others);
  for (const [, name = "", part] of uses) {
    const { type, labels: own } = series.get(name) ?? { type: undefined, labels: [] };
    if (type === undefined) problems.push(`there is no ${name}`);
    if (part !== undefined && type !== "histogram") problems.push(`${name} is no histogram`);
    for (const label of [...own, "le"]) labels.add(label);
  }
  const used = [
    ...[...query.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(({ 1: list = "" }) => list.split(/,\s*/)),
    ...[...query.matchAll(/(\w+)!?=~?"/g)].map(({ 1: label = "" }) => label),
  ];
  return [
    ...problems,
    ...used.filter((label) => !labels.has(label)).map((label) => `no series has the label ${label}`),
  ];
}
