/**
 * How a request or flow ended.
 * - `answered`: its answer was sent whole, or both sides had ended the flow.
 * - `failed`: the load balancer answered with a status of 5xx of its own, or broke the connection.
 * - `abandoned`: the client left first.
 * A flow of datagrams has no end of its own: it is answered unless it was broken off.
 */
export type Ending = "answered" | "failed" | "abandoned";

/** Requests, or flows of an NLB, since the region has opened. */
export interface Traffic {
  /** In progress now. */
  readonly open: number;
  readonly answered: number;
  readonly failed: number;
  readonly abandoned: number;
}

export class TrafficCount implements Traffic {
  open = 0;
  answered = 0;
  failed = 0;
  abandoned = 0;

  began(): void {
    this.open += 1;
  }

  ended(ending: Ending): void {
    this.open -= 1;
    this[ending] += 1;
  }

  report(): Traffic {
    const { open, answered, failed, abandoned } = this;
    return { open, answered, failed, abandoned };
  }
}

/** Of several listeners together. */
export function sumOf(all: readonly Traffic[]): Traffic {
  const sum = (of: keyof Traffic) => all.reduce((total, one) => total + one[of], 0);
  return { open: sum("open"), answered: sum("answered"), failed: sum("failed"), abandoned: sum("abandoned") };
}
