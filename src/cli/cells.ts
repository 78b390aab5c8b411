import type { NodeStatusReport, PlanReport, RegistrationReport } from "../drain/report.ts";

/** `alb`, `web-lb / web`, `i-0123456789abcdef0:30080` */
export function placeCells({ kind, loadBalancer, pool, place, target }: RegistrationReport): readonly string[] {
  const where = place === undefined ? "" : `${place}: `;
  if (loadBalancer === undefined) return [kind, `${where}(no load balancer) / ${pool}`, target];
  return [kind, `${where}${loadBalancer === pool ? pool : `${loadBalancer} / ${pool}`}`, target];
}

export function seconds(value: number): string {
  return `${Math.max(0, Math.round(value))} s`;
}

export function times(count: number): string {
  return count === 1 ? "1 registration" : `${count} registrations`;
}

/** `2026-11-30T01:25:26Z` */
export function clockTime(moment: string): string {
  return moment.replace(/\.\d+Z$/, "Z");
}

/** How long ago, as kubectl shows ages: `45s`, `12m`, `3h`, `2d`. */
export function ageText(ms: number): string {
  const age = Math.max(0, Math.floor(ms / 1_000));
  if (age < 120) return `${age}s`;
  if (age < 7_200) return `${Math.floor(age / 60)}m`;
  return age < 172_800 ? `${Math.floor(age / 3_600)}h` : `${Math.floor(age / 86_400)}d`;
}

/** The load balancers' pools, as `--output name` prints them for a node. */
export function poolNames({ registrations }: Pick<NodeStatusReport | PlanReport, "registrations">): readonly string[] {
  return registrations.map(({ pool }) => pool);
}
