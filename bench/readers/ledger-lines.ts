import type { LedgerEntry, LedgerStep } from "../../src/drain/ledger.ts";

const TARGETS = 10;
const HOUR_MS = 3_600_000;

/**
 * A ledger of about so many bytes, of drains that ended an hour before `now` (milliseconds since the epoch). They ran at the
 * same time: the lines of each are spread over the whole file.
 */
export function ledgerLines(
  { bytes, drainsMax }: { readonly bytes: number; readonly drainsMax: number },
  now: number,
): { readonly drains: readonly string[]; readonly text: string } {
  const startedAt = now - 2 * HOUR_MS;
  const bytesOf = (repeats: number) =>
    stepsOf(0, { startedAt, repeats }).reduce((sum, entry) => sum + lineOf(entry).length, 0);
  const count = Math.min(drainsMax, Math.ceil(bytes / bytesOf(0)));
  const repeats = Math.max(0, Math.floor((bytes / count - bytesOf(0)) / (bytesOf(1) - bytesOf(0))));
  const all = Array.from({ length: count }, (_, number) => stepsOf(number, { startedAt, repeats }));
  const lines: string[] = [];
  for (let step = 0; step < (all[0]?.length ?? 0); step++)
    for (const entries of all) lines.push(lineOf(entries[step] as LedgerEntry));
  return { drains: all.map(([first]) => first?.drain ?? ""), text: lines.join("") };
}

function lineOf(entry: LedgerEntry): string {
  return `${JSON.stringify(entry)}\n`;
}

/** `repeats`: how often its targets were registered again by another program. */
function stepsOf(
  number: number,
  { startedAt, repeats }: { readonly startedAt: number; readonly repeats: number },
): readonly LedgerEntry[] {
  const drain = `d-${number.toString(16).padStart(10, "0")}`;
  const id = `i-${(0xabc0000 + number).toString(16).padStart(17, "0")}`;
  const node = { id, name: `${id}.internal`, network: "vpc-1", addresses: ["10.9.0.1"], addressPrefixes: [] };
  const registrations = Array.from({ length: TARGETS }, (_, pool) => ({
    pool: {
      kind: "alb",
      id: `arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/web-${pool}/1`,
      name: `web-${pool}`,
    },
    target: `${id}:30080`,
    state: "live",
    detail: "healthy",
    isHealthy: true,
  })) as Extract<LedgerStep, { type: "found" }>["registrations"];
  const of = registrations.map((_, index) => index);
  const result = { state: "released", heldMs: 300_000, holdMs: 300_000, newTrafficStopped: true, cameBack: 0 } as const;
  const steps: readonly LedgerStep[] = [
    { type: "accepted", node, startedAt, request: { askedAt: startedAt } },
    { type: "found", first: 0, registrations, elsewhere: [] },
    ...of.map((one) => ({ type: "deregistered", of: [one] }) as const),
    { type: "planned", longestHoldMs: 300_000, limit: { reason: "timeout", at: startedAt + HOUR_MS }, warnings: [] },
    ...Array.from({ length: repeats }, () => [
      { type: "deregistering-again", of, because: "back" } as const,
      { type: "deregistered", of } as const,
    ]).flat(),
    ...of.map((one) => ({ type: "released", of: [one] }) as const),
    { type: "ended", outcome: { status: "drained", registrations: of.map((one) => ({ of: one, ...result })) } },
  ];
  return steps.map((step, index) => ({ drain, n: index + 1, at: startedAt + index, ...step }));
}
