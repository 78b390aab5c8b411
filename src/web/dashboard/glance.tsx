import type { DrainRow } from "./drain-rows.ts";
import { duration } from "./format.ts";
import type { Overview } from "./reports.ts";

interface GlanceItem {
  readonly name: string;
  readonly value: string;
  readonly isBad: boolean;
  /** The section with the details. */
  readonly section: string;
}

interface GlanceProps {
  readonly overview: Overview;
  readonly rows: readonly DrainRow[];
  readonly now: number;
}

/** Shows whether everything is in order, before any detail. */
export function Glance(props: GlanceProps) {
  return (
    <nav class="glance" aria-label="At a glance">
      {itemsOf(props).map(({ name, value, isBad, section }) => (
        <a key={name} class={isBad ? "bad" : ""} href={`#${section}`}>
          <strong>{value}</strong> {name}
        </a>
      ))}
    </nav>
  );
}

function itemsOf({ overview: { running, clouds, ready }, rows, now }: GlanceProps): readonly GlanceItem[] {
  const attention = rows.filter(({ isAttention }) => isAttention).length;
  const atGuard = running.filter((drain) => drain.registrations.some((one) => one.waitsForGuard !== undefined)).length;
  // The quota of all calls includes those of the others.
  const waiting = clouds.flatMap(({ quotas }) => quotas).filter(({ name }) => name === "all" || name.startsWith("ec2"));
  const calls = waiting.reduce((sum, quota) => sum + quota.waiting, 0);
  const ends = rows.flatMap(({ endsAt }) => endsAt ?? []);
  return [
    { name: "leaving", value: String(rows.length), isBad: false, section: "leaving" },
    { name: "need attention", value: String(attention), isBad: attention > 0, section: "leaving" },
    {
      name: "until the last ends",
      value: ends.length === 0 ? "–" : duration(Math.max(...ends) - now),
      isBad: false,
      section: "leaving",
    },
    { name: "held by the guard", value: String(atGuard), isBad: atGuard > 0, section: "guard" },
    { name: "AWS calls waiting", value: String(calls), isBad: false, section: "service" },
    {
      name: "AWS access",
      value: ready.status === "ready" ? "OK" : ready.status,
      isBad: ready.status === "not-ready",
      section: "service",
    },
  ];
}
