import { type ClientName, type Measured, type MeasureOptions, measure } from "./measure.ts";
import { type BenchScenario, CURVE_NODES, curveScenario } from "./scenarios.ts";

/** One line of the table. Times are seconds; null where there is nothing to tell. */
export interface Row extends Measured {
  readonly name: string;
  readonly client: ClientName;
  readonly nodes: number;
  readonly groups: number;
  readonly classic: number;
  readonly warm: boolean;
  /** When the ideal had made its last deregistration. */
  readonly idealSeconds: number | null;
  readonly ratioToIdeal: number | null;
}

/** ELB calls a node when so many are asked for at once. */
export interface CurvePoint {
  readonly client: ClientName;
  readonly nodes: number;
  readonly callsPerNode: number;
}

const PRODUCT = "hasta-la-vista";
/** After so much processor time a row is given up; see docs/performance.md. */
const CPU_SECONDS_MAX = 600;
const CURVE_CLIENTS: readonly ClientName[] = [PRODUCT, "ideal", "one-at-a-time"];

export type Progress = (line: string) => void;

/** Every row of a scenario: the ideal first, for the others are compared with it. */
export async function rowsOf(
  scenario: BenchScenario,
  progress: Progress,
  limits: Pick<MeasureOptions, "cpuSecondsMax"> = { cpuSecondsMax: CPU_SECONDS_MAX },
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const isWarm of [false, true]) {
    const clients: ClientName[] = ["ideal", PRODUCT];
    if (scenario.withPeers && !isWarm) clients.push("one-at-a-time", "original");
    let idealSeconds: number | null = null;
    for (const client of clients) {
      const measured = await measure(scenario, { client, isWarm, ...limits });
      progress(`${scenario.name} ${isWarm ? "warm" : "cold"} ${client}: ${measured.cpuSeconds} s of CPU`);
      if (client === "ideal") idealSeconds = measured.lastDeregisterSeconds;
      rows.push(rowOf(scenario, { client, isWarm, idealSeconds }, measured));
    }
  }
  return rows;
}

/** The cost of a node as nodes are added. What did not end well has no point on it. */
export async function curvePoints(progress: Progress): Promise<readonly CurvePoint[]> {
  const points: CurvePoint[] = [];
  for (const nodes of CURVE_NODES) {
    for (const client of CURVE_CLIENTS) {
      const measured = await measure(curveScenario(nodes), { client, isWarm: false, cpuSecondsMax: CPU_SECONDS_MAX });
      progress(`curve, ${nodes} nodes, ${client}: ${measured.cpuSeconds} s of CPU`);
      if (measured.problem !== null) continue;
      const callsPerNode = Math.round((10 * (measured.drainCalls + measured.scanCalls)) / nodes) / 10;
      points.push({ client, nodes, callsPerNode });
    }
  }
  return points;
}

function rowOf(
  { name, region }: BenchScenario,
  {
    client,
    isWarm,
    idealSeconds,
  }: { readonly client: ClientName; readonly isWarm: boolean; readonly idealSeconds: number | null },
  measured: Measured,
): Row {
  const { lastDeregisterSeconds } = measured;
  return {
    name,
    client,
    nodes: region.nodes,
    groups: region.groups,
    classic: region.classics,
    warm: isWarm,
    ...measured,
    idealSeconds,
    ratioToIdeal:
      idealSeconds === null || lastDeregisterSeconds === null
        ? null
        : Math.round((100 * lastDeregisterSeconds) / idealSeconds) / 100,
  };
}
