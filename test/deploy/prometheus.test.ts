import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { BOARD } from "../support/grafana-board.ts";
import { DASHBOARD, dashboardText } from "../support/grafana-dashboard.ts";
import { metricsRows } from "../support/metrics-document.ts";
import { seriesOfAgent, seriesOfService, unknownIn } from "../support/registered-series.ts";

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: { readonly severity: string };
  readonly annotations?: { readonly summary: string; readonly runbook_url: string };
}

const RUNBOOKS = "https://github.com/hasta-la-vista/hasta-la-vista/blob/main/docs/runbooks.md";
/** Labels that Prometheus gives each series, and that the API server gives its own. */
const OF_OTHERS = ["namespace", "job", "instance", "name"];
const series = new Map([...seriesOfService(), ...seriesOfAgent()]);
const { groups } = parse(readFileSync("deploy/prometheus/rules.yaml", "utf8")) as {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);
const alerts = rules.filter(({ alert }) => alert !== undefined);
const runbooks = readFileSync("docs/runbooks.md", "utf8");
const sections = new Map(
  runbooks
    .split("\n## ")
    .slice(1)
    .map((section) => [section.split("\n")[0] ?? "", section]),
);

describe("the rules for Prometheus", () => {
  test.each(rules.map(({ record, alert, expr }) => [record ?? alert ?? "", expr]))(
    "%s asks of series and labels that exist",
    (_, expr) => {
      expect(unknownIn(expr, series, OF_OTHERS)).toEqual([]);
    },
  );

  test("are recorded by names that docs/metrics.md lists", () => {
    const listed = metricsRows("Rules and alerts").map(([name = ""]) => name.replaceAll("`", ""));
    expect(rules.flatMap(({ record }) => record ?? [])).toEqual(listed);
  });

  test("of alerts say in a sentence what is wrong, how bad it is, and where the runbook is", () => {
    expect(alerts.length).toBeGreaterThan(15);
    for (const { alert = "", labels, annotations } of alerts) {
      expect(["critical", "warning"]).toContain(labels?.severity);
      expect(annotations?.summary).toMatch(/^(?:[A-Z]|hasta-la-vista|\{\{ \$value).*\.$/);
      expect(annotations?.runbook_url).toBe(`${RUNBOOKS}#${alert.toLowerCase()}`);
    }
  });

  test("have a unit test of each alert where it fires, and of one where it does not", () => {
    interface UnitTest {
      readonly alert_rule_test?: readonly { readonly alertname: string; readonly exp_alerts: readonly unknown[] }[];
    }
    const { tests } = parse(readFileSync("test/conformance/prometheus/rules.yaml", "utf8")) as {
      readonly tests: readonly UnitTest[];
    };
    const held = tests.flatMap(({ alert_rule_test: of = [] }) => of);
    const about = (fires: boolean) =>
      new Set(held.filter(({ exp_alerts }) => exp_alerts.length > 0 === fires).map(({ alertname }) => alertname));
    const names = new Set(alerts.map(({ alert }) => alert));
    expect(about(true)).toEqual(names);
    expect(about(false)).toEqual(names);
  });
});

describe("docs/runbooks.md", () => {
  test("has a section for each alert, in their order, and no other", () => {
    expect([...sections.keys()]).toEqual(alerts.map(({ alert }) => alert));
  });

  test.each(alerts.map(({ alert = "" }) => alert))(
    "says of %s what it means, what it does, how to see it and what to do",
    (alert) => {
      const section = sections.get(alert) ?? "";
      for (const part of ["Meaning", "Impact", "Diagnosis", "Mitigation"]) expect(section).toContain(`- **${part}:** `);
      expect(section).toMatch(/^```sh$/m);
    },
  );

  test("lists the alerts with their severity", () => {
    const listed = [...runbooks.matchAll(/^\| \[(\w+)\]\(#\w+\) \| (\w+) \|/gm)].map(([, name, severity]) => [
      name,
      severity,
    ]);
    expect(listed).toEqual(alerts.map(({ alert, labels }) => [alert, labels?.severity]));
  });
});

describe("the dashboard for Grafana", () => {
  const panels = BOARD.flatMap((row) => row.panels);

  test("is what is written down: npm run docs", () => {
    expect(readFileSync(DASHBOARD, "utf8")).toBe(dashboardText());
  });

  test.each(panels.map(({ title, queries }) => [title, queries.map(({ expr }) => expr)] as const))(
    "%s asks of series and labels that exist",
    (_, queries) => {
      for (const expr of queries) expect(unknownIn(expr, series, OF_OTHERS)).toEqual([]);
    },
  );

  test("says of each panel what it shows, and fills its rows", () => {
    for (const { says } of panels) expect(says).toMatch(/[A-Za-z].*\.$/);
    for (const row of BOARD) {
      const columns = row.panels.reduce((sum, { width }) => sum + width, 0);
      expect([row.title, columns % 24]).toEqual([row.title, 0]);
    }
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
  });
});
