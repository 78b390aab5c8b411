import type { Clock } from "../src/simulator/clock.ts";
import { AWS_QUOTAS, type Quotas } from "../src/simulator/quotas/quotas.ts";
import { deregisterTargets, describeTargetHealth, type Query, queryBody } from "./query.ts";
import type { BenchRegion } from "./region.ts";

/** A second of its calls: half of what refills for the account, and half of what refills for (de)registrations. */
const SECOND = ["read", "register", "read", "deregister", "read"] as const;
const REGISTRATIONS = SECOND.filter((call) => call !== "read").length;

/** What refills each second for all others together, where that is less than AWS grants. */
export const LEFT_BY_RIVAL: Partial<Record<keyof Quotas, number>> = {
  account: AWS_QUOTAS.account.refillPerSecond - SECOND.length,
  nonMutating: AWS_QUOTAS.nonMutating.refillPerSecond - (SECOND.length - REGISTRATIONS),
  registration: AWS_QUOTAS.registration.refillPerSecond - REGISTRATIONS,
};

/** Another controller in the same account: it calls steadily, and takes no for an answer. Resolves when `signal` aborts. */
export async function runRival({ simulator, rival }: BenchRegion, clock: Clock, signal: AbortSignal): Promise<void> {
  const calls: Readonly<Record<(typeof SECOND)[number], Query>> = {
    read: describeTargetHealth(rival.group),
    deregister: deregisterTargets(rival.group, [rival.instance]),
    register: { ...deregisterTargets(rival.group, [rival.instance]), action: "RegisterTargets" },
  };
  for (let turn = 0; !signal.aborted; turn++) {
    const call = SECOND[turn % SECOND.length] ?? "read";
    simulator.answer({ body: queryBody(calls[call]) });
    await clock.sleep(1_000 / SECOND.length, signal).catch(() => {}); // Aborted: the loop ends.
  }
}
