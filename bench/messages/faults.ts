import type { Mix } from "./mix.ts";
import type { Outcomes } from "./outcomes.ts";
import type { RegionReport } from "./region.ts";

const GOOD: ReadonlySet<string> = new Set(["drained", "nothing-registered", "instance-gone"]);
/** How a state change ends that came for a machine which EC2 says runs. */
const SUPERSEDED = "superseded";

/** What is to be true when all is over. */
export interface Ended {
  readonly mix: Mix;
  readonly outcomes: Outcomes;
  readonly report: RegionReport;
  /** Messages that are still in the queue. */
  readonly left: number;
}

/** What is not as it should be, in sentences: figures of a run that has lost something are worth nothing. */
export function faultsOf({ mix, outcomes, report, left }: Ended): readonly string[] {
  const faults: string[] = [];
  const hooked = mix.nodes.filter(({ departs }) => departs === "scaledIn").length;
  if (left !== mix.malformed) faults.push(`${left} messages are left, not the ${mix.malformed} malformed ones`);
  if (report.hooksContinued !== hooked) faults.push(`${report.hooksContinued} of ${hooked} hooks were completed`);
  if (report.hookCalls !== hooked) faults.push(`${report.hookCalls} calls completed ${hooked} hooks`);
  if (report.stillRegistered > 0) faults.push(`${report.stillRegistered} registrations stayed`);
  const registered = mix.nodes.filter(({ isRegistered }) => isRegistered);
  for (const { id } of registered) {
    if (report.deregisteredAt[id] === undefined) faults.push(`${id} was never deregistered`);
    if (outcomes.byNode.get(id)?.includes("drained") !== true) faults.push(`no drain of ${id} says 'drained'`);
  }
  for (const { id } of mix.nodes) {
    const ends = (outcomes.byNode.get(id) ?? []).filter((end) => end !== SUPERSEDED);
    if (ends.length === 0) faults.push(`nobody has drained ${id}`);
    const bad = ends.find((end) => !GOOD.has(end));
    if (bad !== undefined) faults.push(`a drain of ${id} ended as ${bad}`);
  }
  return faults;
}
