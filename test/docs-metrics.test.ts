import { type MetricObject, Registry } from "prom-client";
import { describe, expect, test, vi } from "vitest";
import { Metrics } from "../src/observe/metrics.ts";
import { metricsQueries, metricsRows, metricsSection } from "./support/metrics-document.ts";

const PREFIX = "hasta_la_vista_";
const codes = (cell = "") => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? "");

/** Everything that the service registers, by name. */
function registered(): ReadonlyMap<string, { readonly type: string; readonly labels: readonly string[] }> {
  const spy = vi.spyOn(Registry.prototype, "registerMetric");
  const metrics = new Metrics({ version: "1.2.3", now: () => 0 });
  const { gauges } = metrics;
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

const series = registered();
const rows = metricsRows("Series").filter(([name]) => name?.startsWith("`hasta"));
const queries = metricsQueries();

describe("docs/metrics.md", () => {
  test("lists each series with its type and labels, and no other", () => {
    const documented = rows.map(([name, type, labels]) => [codes(name)[0], { type, labels: codes(labels) }]);
    expect(documented.length).toBeGreaterThan(15);
    expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(series));
    expect(rows.filter(([, , , meaning = ""]) => meaning === "")).toEqual([]);
  });

  test("has a query about each series", () => {
    const asked = queries.map(({ query }) => query).join("\n");
    expect([...series.keys()].filter((name) => !asked.includes(name))).toEqual([]);
  });

  test.each(queries)("$question is asked of series and labels that exist", ({ query }) => {
    const uses = [...query.matchAll(/\b(hasta_la_vista_\w+?)(_bucket|_sum|_count)?(?!\w)(?:\{([^}]*)\})?/g)];
    expect(uses.length).toBeGreaterThan(0);
    const labels = new Set<string>();
    for (const [, name = "", part] of uses) {
      expect({ name, type: series.get(name)?.type }).toEqual({ name, type: expect.any(String) });
      if (part !== undefined) expect(series.get(name)?.type).toBe("histogram");
      for (const label of [...(series.get(name)?.labels ?? []), "le"]) labels.add(label);
    }
    const used = [
      ...[...query.matchAll(/\bby \(([^)]*)\)/g)].flatMap(({ 1: list = "" }) => list.split(/,\s*/)),
      ...[...query.matchAll(/(\w+)=~?"/g)].map(({ 1: label = "" }) => label),
    ];
    expect(used.filter((label) => !labels.has(label))).toEqual([]);
    expect([...query].filter((c) => c === "(").length).toBe([...query].filter((c) => c === ")").length);
  });

  test("lists the values of the labels that queries compare with", () => {
    const listed = codes(metricsSection("Series").split("Label values:")[1]);
    const compared = queries.flatMap(({ query }) =>
      [...query.matchAll(/(?<!le)=~?"([^"]+)"/g)].flatMap(({ 1: values = "" }) => values.split("|")),
    );
    expect(compared.length).toBeGreaterThan(5);
    // Those of AWS's errors are AWS's, and too many to list.
    const ours = compared.filter((value) => !/^[A-Z]/.test(value));
    expect(ours.filter((value) => !listed.includes(value))).toEqual([]);
  });
});
