import { describe, expect, test } from "vitest";
import { metricsQueries, metricsRows, metricsSection } from "./support/metrics-document.ts";
import { seriesOfAgent, seriesOfService, unknownIn } from "./support/registered-series.ts";

const PREFIX = "hasta_la_vista_";
const codes = (cell = "") => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? "");

const series = seriesOfService();
const ofAgent = seriesOfAgent();
const all = new Map([...series, ...ofAgent]);
const queries = metricsQueries();
const rowsOf = (heading: string) => metricsRows(heading).filter(([name]) => name?.startsWith("`hasta"));

describe("docs/metrics.md", () => {
  test.each([
    ["the service", "Series", series],
    ["the agent", "The agent on a node", ofAgent],
  ])("lists each series of %s with its type and labels, and no other", (_, heading, registered) => {
    const rows = rowsOf(heading);
    const documented = rows.map(([name, type, labels]) => [codes(name)[0], { type, labels: codes(labels) }]);
    expect(documented.length).toBe(registered.size);
    expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(registered));
    expect(rows.filter(([, , , meaning = ""]) => meaning === "")).toEqual([]);
  });

  test("has a query about each series", () => {
    const asked = queries.map(({ query }) => query).join("\n");
    expect([...all.keys()].filter((name) => !asked.includes(name))).toEqual([]);
  });

  test.each(queries)("$question is asked of series and labels that exist", ({ query }) => {
    expect(query).toContain(PREFIX);
    expect(unknownIn(query, all)).toEqual([]);
    expect([...query].filter((c) => c === "(").length).toBe([...query].filter((c) => c === ")").length);
  });

  test("lists the values of the labels that queries compare with", () => {
    const listed = codes(metricsSection("Series").split("Label values:")[1] + metricsSection("The agent on a node"));
    const compared = queries.flatMap(({ query }) =>
      [...query.matchAll(/(?<!le)=~?"([^"]+)"/g)].flatMap(({ 1: values = "" }) => values.split("|")),
    );
    expect(compared.length).toBeGreaterThan(5);
    // Those of AWS's errors are AWS's, and too many to list.
    const ours = compared.filter((value) => !/^[A-Z]/.test(value));
    expect(ours.filter((value) => !listed.includes(value))).toEqual([]);
  });
});
