/**
 * How a request or flow ended.
 * - `answered`: its answer was sent whole, or both sides had ended the flow.
 * - `failed`: the load balancer answered with a status of 5xx of its own, or broke the connection.
 * - `abandoned`: the client left first.
 */
export type Ending = "answered" | "failed" | "abandoned";

/** Requests, or flows of an NLB, since the region has opened. */
export interface Traffic {
  /** Under way now. */
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

/** A request or flow on its way through a target. */
interface Passage {
  readonly machine: number;
  readonly controller: AbortController;
}

/** What a target is known by to its load balancer. */
export interface Registration {
  /** The target group's ARN, or the classic load balancer's name. */
  readonly pool: string;
  readonly id: string;
  /** Not of a classic load balancer. */
  readonly port?: number;
  readonly zone?: string | undefined;
}

export function keyOf({ pool, id, port = 0, zone = "" }: Registration): string {
  return `${pool} ${id} ${port} ${zone}`;
}

/** What is under way to each registration, and what has been. */
export class Passages {
  readonly #underWay = new Map<string, Set<Passage>>();
  readonly #counts = new Map<string, { readonly of: Registration; readonly count: TrafficCount }>();

  /** Begins one through the load balancer's machine number `machine`. `cut` aborts when the load balancer stops waiting. */
  begin(
    through: Registration,
    machine: number,
  ): { readonly cut: AbortSignal; readonly onEnd: (ending: Ending) => void } {
    const passage: Passage = { machine, controller: new AbortController() };
    const key = keyOf(through);
    const underWay = this.#underWay.get(key) ?? new Set();
    this.#underWay.set(key, underWay.add(passage));
    const { count } = this.#counts.get(key) ?? { count: new TrafficCount() };
    this.#counts.set(key, { of: through, count });
    count.began();
    const onEnd = (ending: Ending) => {
      underWay.delete(passage);
      count.ended(ending);
    };
    return { cut: passage.controller.signal, onEnd };
  }

  /** Cuts what is under way through one machine of the load balancer, or through all of them. */
  cut(through: Registration, machine?: number): void {
    for (const passage of this.#underWay.get(keyOf(through)) ?? [])
      if (machine === undefined || passage.machine === machine) passage.controller.abort();
  }

  /** Of every registration of a pool that has had any, also of those that are gone. */
  trafficOf(pool: string): readonly (Registration & { readonly traffic: Traffic })[] {
    const own = [...this.#counts.values()].filter(({ of }) => of.pool === pool);
    return own.map(({ of, count }) => ({ ...of, traffic: count.report() }));
  }
}
