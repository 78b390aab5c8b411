import type { Loss } from "../../src/demo/traffic.ts";
import type { Timing } from "../../src/simulator/timing.ts";

/** What a client has lost: a request, or a flow that it kept. */
export interface ClientLoss {
  /** The load balancer's kind. */
  readonly through: "alb" | "nlb" | "classic";
  /** When its connection was opened, in milliseconds since the epoch as all times here. */
  readonly openedAt: number;
  /** When it was sent; of a kept flow, when it was opened. */
  readonly at: number;
  readonly lostAt: number;
  /** Who had it, where the client knows that. */
  readonly target?: string;
}

/** A machine that died. */
export interface Departed {
  readonly id: string;
  readonly diedAt: number;
  /** From the pool that the client's load balancer sends to. Absent: it never was. */
  readonly deregisteredAt: number | undefined;
}

/** Where a notice does not suffice, whatever anybody does. */
export const UNSAVABLE = [
  "in flight on an ALB's target at its death",
  "an NLB's flow, opened within its lag",
  "an NLB's flow, older and still open",
] as const;
export type LossCause = (typeof UNSAVABLE)[number] | "any other";

/** Why a client lost something. It is `any other` where no machine is known to which all of a cause applies. */
export function causeOf(loss: ClientLoss, departed: readonly Departed[], timing: Timing): LossCause {
  const causes = departed
    .filter(({ id }) => loss.target === undefined || loss.target === id)
    .map((machine) => causeAt(machine, loss, timing));
  return UNSAVABLE.find((cause) => causes.includes(cause)) ?? "any other";
}

function causeAt({ diedAt, deregisteredAt: leftAt }: Departed, loss: ClientLoss, timing: Timing): LossCause {
  const { through, at, openedAt, lostAt } = loss;
  // Nobody had kept the load balancer from it, or not in time.
  if (leftAt === undefined || leftAt > diedAt || lostAt < diedAt) return "any other";
  if (through === "alb") return at <= leftAt + timing.albDeregistration[1] && at <= diedAt ? UNSAVABLE[0] : "any other";
  if (through !== "nlb") return "any other";
  if (openedAt < leftAt) return UNSAVABLE[2];
  return openedAt <= leftAt + timing.nlbDeregistration[1] ? UNSAVABLE[1] : "any other";
}

/** How often each cause was met. */
export function countCauses(causes: readonly LossCause[]): Readonly<Record<LossCause, number>> {
  const counts = { [UNSAVABLE[0]]: 0, [UNSAVABLE[1]]: 0, [UNSAVABLE[2]]: 0, "any other": 0 };
  for (const cause of causes) counts[cause] += 1;
  return counts;
}

/** What sends to a pool, and how long a request may take that no hold can cut. */
export interface Spare {
  readonly through: ClientLoss["through"];
  /**
   * From when the load balancer may send the last new request, or open the last new connection, until the hold ends.
   * In milliseconds of the traffic's clock.
   */
  readonly spareMs: number;
}

/**
 * What the product has lost. A request that is broken in the middle, after it has taken longer than its pool's hold has
 * to spare, is not that: it would have been saved on a machine that answers in milliseconds, as all of these targets do
 * there. What is refused, never answered, or broken earlier always is, and so is what goes to a machine that is gone.
 */
export function lostByTheProduct(losses: readonly Loss[], spares: Readonly<Record<string, Spare>>): readonly Loss[] {
  return losses.filter(({ to, cause, at, openedAt, lostAt }) => {
    const spare = spares[to];
    if (spare === undefined) throw new Error(`no pool is named '${to}'`);
    // A classic load balancer answers 504 in both cases; one that waits in vain does so for less than the spare time.
    const isBroken = cause === "reset" || cause === "502" || (cause === "504" && spare.through === "classic");
    const tookMs = lostAt - (spare.through === "nlb" ? openedAt : at);
    return !isBroken || tookMs <= spare.spareMs;
  });
}
