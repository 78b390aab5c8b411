import * as common from "@grafana/grafana-foundation-sdk/common";
import { GraphDrawStyle, StackingMode, VisibilityMode } from "@grafana/grafana-foundation-sdk/common";
import * as dashboard from "@grafana/grafana-foundation-sdk/dashboard";
import * as prometheus from "@grafana/grafana-foundation-sdk/prometheus";
import * as stat from "@grafana/grafana-foundation-sdk/stat";
import * as timeseries from "@grafana/grafana-foundation-sdk/timeseries";
import { BOARD, type BoardPanel } from "./grafana-board.ts";

export const DASHBOARD = "deploy/grafana/hasta-la-vista.json";

const HEIGHTS = { number: 4, lines: 8, bars: 8 } as const;
const SOURCE = { type: "prometheus", uid: "$datasource" };

/** The file that Grafana imports. */
export function dashboardText(): string {
  const built = new dashboard.DashboardBuilder("hasta-la-vista")
    .uid("hasta-la-vista")
    .description("Nodes that leave their AWS load balancers: what is leaving, what it waits for, how it ended.")
    .tags(["aws", "kubernetes", "load-balancer"])
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .time({ from: "now-6h", to: "now" })
    .refresh("30s")
    .withVariable(new dashboard.DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"))
    .withVariable(selected("namespace", "Namespace", "label_values(hasta_la_vista_build_info, namespace)"))
    .withVariable(selected("job", "Job", 'label_values(hasta_la_vista_build_info{namespace=~"$namespace"}, job)'));
  // Links to a panel name it by its id.
  let id = 0;
  for (const { title, panels } of BOARD) {
    built.withRow(new dashboard.RowBuilder(title).id(++id));
    for (const panel of panels) built.withPanel(panelOf(panel).id(++id));
  }
  return `${JSON.stringify(built.build(), null, 2)}\n`;
}

/** All of them at first, also where Prometheus gives no such label. */
function selected(name: string, label: string, query: string) {
  return new dashboard.QueryVariableBuilder(name)
    .label(label)
    .query({ query, refId: "labels" })
    .datasource(SOURCE)
    .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true)
    .allValue(".*")
    .current({ text: "All", value: "$__all" });
}

function panelOf(panel: BoardPanel): stat.PanelBuilder | timeseries.PanelBuilder {
  return panel.as === "number" ? numberOf(panel) : graphOf(panel);
}

function numberOf(panel: BoardPanel) {
  const built = new stat.PanelBuilder()
    .colorMode(panel.thresholds === undefined ? common.BigValueColorMode.None : common.BigValueColorMode.Value)
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(["lastNotNull"]));
  const [orange, red] = panel.thresholds ?? [];
  if (orange !== undefined && red !== undefined) {
    const steps = [
      { value: null, color: "green" },
      ...(orange === red ? [] : [{ value: orange, color: "orange" }]),
      { value: red, color: "red" },
    ];
    built.thresholds(new dashboard.ThresholdsConfigBuilder().mode(dashboard.ThresholdsMode.Absolute).steps(steps));
  }
  return withCommon(built, panel);
}

function graphOf(panel: BoardPanel) {
  const isBars = panel.as === "bars";
  const built = new timeseries.PanelBuilder()
    .drawStyle(isBars ? GraphDrawStyle.Bars : GraphDrawStyle.Line)
    .fillOpacity(isBars ? 80 : 10)
    .showPoints(VisibilityMode.Never)
    .stacking(new common.StackingConfigBuilder().mode(isBars ? StackingMode.Normal : StackingMode.None))
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .showLegend(true),
    );
  if (panel.goesBelowZero !== true) built.min(0);
  return withCommon(built, panel);
}

function withCommon<B extends stat.PanelBuilder | timeseries.PanelBuilder>(built: B, panel: BoardPanel): B {
  built
    .title(panel.title)
    .description(panel.says)
    .unit(panel.unit)
    .span(panel.width)
    .height(HEIGHTS[panel.as])
    .datasource(SOURCE);
  if (panel.noValue !== undefined) built.noValue(panel.noValue);
  for (const [index, { expr, legend }] of panel.queries.entries()) {
    const query = new prometheus.DataqueryBuilder()
      .refId("ABCDEF"[index] ?? "A")
      .expr(expr)
      .datasource(SOURCE);
    built.withTarget(panel.as === "number" ? query.instant() : query.range().legendFormat(legend));
  }
  return built;
}
