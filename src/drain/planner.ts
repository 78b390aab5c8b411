import type { Clock } from "./clock.ts";
import type { CallFor, CloudProvider, FoundRegistrations, Node, Registration } from "./cloud-provider.ts";
import { type DrainPlan, type DrainTimes, makePlan, type PlanInput, type TermsById } from "./plan.ts";
import type { DrainRequest } from "./request.ts";

export interface PlannerOptions {
  readonly cloud: CloudProvider;
  readonly clock: Clock;
  readonly times: DrainTimes;
}

/** Says what a drain would do. Changes nothing; throws `DrainError`. */
export class Planner {
  readonly #options: PlannerOptions;

  constructor(options: PlannerOptions) {
    this.#options = options;
  }

  /** From what is remembered where that is complete. */
  async planFor({ node: reference, deadline, timeoutMs }: DrainRequest, by: CallFor): Promise<DrainPlan> {
    const { cloud, clock } = this.#options;
    const node = await cloud.resolve(reference, by);
    const startedAt = clock.now();
    const found = await this.known(node, by);
    const terms = await this.#termsOf(found.registrations, by);
    return this.make({ node, startedAt, deadline, waiting: [{ askedAt: startedAt, timeoutMs }], found, terms });
  }

  /** What is remembered of the node, or else what a search finds; and since when it may have changed. */
  async known(node: Node, by: CallFor): Promise<FoundRegistrations & { readonly asOf: number }> {
    const { cloud, clock } = this.#options;
    const asOf = clock.now();
    const remembered = await cloud.remembered(node, by);
    if (remembered !== undefined) return remembered;
    const registrations: Registration[] = [];
    const elsewhere: Registration[] = [];
    for await (const found of cloud.findRegistrations(node, by)) {
      registrations.push(...found.registrations);
      elsewhere.push(...found.elsewhere);
    }
    return { registrations, elsewhere, asOf };
  }

  make(input: Omit<PlanInput, "now" | "times" | "msToDeregister">): DrainPlan {
    const { cloud, clock, times } = this.#options;
    return makePlan({ ...input, now: clock.now(), times, msToDeregister: (pools) => cloud.msToDeregister(pools) });
  }

  async #termsOf(registrations: readonly Registration[], { urgency, signal }: CallFor): Promise<TermsById> {
    const pools = new Map(registrations.map(({ pool }) => [pool.id, pool]));
    const by: CallFor = { urgency: () => ({ ...urgency(), purpose: "describe" }), signal };
    const described = [...pools.values()].map(
      async (pool) => [pool.id, await this.#options.cloud.describe(pool, by)] as const,
    );
    return new Map(await Promise.all(described));
  }
}
