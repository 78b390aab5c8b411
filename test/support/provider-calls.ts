import { AwsCaller } from "../../src/aws/aws-caller.ts";
import type { AwsClients } from "../../src/aws/clients.ts";
import { RequestQuota } from "../../src/aws/request-quota.ts";
import { type Clock, SystemClock } from "../../src/drain/clock.ts";
import type {
  CallFor,
  CloudProvider,
  FoundRegistrations,
  Node,
  Pool,
  PoolHealth,
  PoolTerms,
  Registration,
  RegistrationState,
} from "../../src/drain/cloud-provider.ts";
import type { NodeReference } from "../../src/drain/request.ts";
import { AwsProvider, type AwsProviderOptions } from "../../src/provider/aws-provider.ts";
import { ALLOWANCES } from "./fake-cloud.ts";

/** A call for nobody in particular. */
function forNobody(signal: AbortSignal): CallFor {
  return { urgency: () => ({ purpose: "find", deadline: Number.POSITIVE_INFINITY }), signal };
}

/** AWS as the core sees it. By default with so much of its quotas that nothing waits. */
export function awsProvider(
  clients: AwsClients,
  options: Partial<AwsProviderOptions> = {},
  clock: Clock = new SystemClock(),
  share = 100,
): ProviderCalls {
  const caller = new AwsCaller({ clock, quota: new RequestQuota({ clock, share }) });
  const provider = new AwsProvider({ ...clients, caller }, clock, {
    allowances: ALLOWANCES,
    discovery: "vpc",
    indexPerSecond: 0,
    ...options,
  });
  return new ProviderCalls(provider);
}

/** A provider as one who asks for nobody but himself would call it. */
export class ProviderCalls {
  readonly provider: CloudProvider;

  constructor(provider: CloudProvider) {
    this.provider = provider;
  }

  resolve(reference: NodeReference, signal: AbortSignal): Promise<Node> {
    return this.provider.resolve(reference, forNobody(signal));
  }

  /** Everything that the search finds. */
  async findRegistrations(node: Node, signal: AbortSignal): Promise<FoundRegistrations> {
    const registrations: Registration[] = [];
    const elsewhere: Registration[] = [];
    const warnings: string[] = [];
    for await (const found of this.provider.findRegistrations(node, forNobody(signal))) {
      registrations.push(...found.registrations);
      elsewhere.push(...found.elsewhere);
      if (found.warning !== undefined) warnings.push(found.warning);
    }
    return { registrations, elsewhere, ...(warnings.length > 0 && { warning: warnings.join("; ") }) };
  }

  knownHealth(pool: Pool): PoolHealth | undefined {
    return this.provider.knownHealth(pool);
  }

  knownStrictHealth(pool: Pool): PoolHealth | undefined {
    return this.provider.knownStrictHealth(pool);
  }

  strictHealthOf(pool: Pool, notBefore: number, signal: AbortSignal): Promise<PoolHealth> {
    return this.provider.strictHealthOf(pool, notBefore, forNobody(signal));
  }

  healthOf(pool: Pool, notBefore: number, signal: AbortSignal): Promise<PoolHealth> {
    return this.provider.healthOf(pool, notBefore, forNobody(signal));
  }

  describe(pool: Pool, signal: AbortSignal): Promise<PoolTerms | undefined> {
    return this.provider.describe(pool, forNobody(signal));
  }

  /** All of them, in as many calls as it takes. */
  async deregister(pool: Pool, registrations: readonly Registration[], signal: AbortSignal): Promise<void> {
    const waiting = [...registrations];
    do await this.provider.deregister(pool, (max) => waiting.splice(0, max), forNobody(signal));
    while (waiting.length > 0);
  }

  async register(pool: Pool, registrations: readonly Registration[], signal: AbortSignal): Promise<void> {
    const waiting = [...registrations];
    do await this.provider.register(pool, (max) => waiting.splice(0, max), forNobody(signal));
    while (waiting.length > 0);
  }

  obstacles(
    node: Node,
    registrations: readonly Registration[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<Registration, string>> {
    return this.provider.obstacles(node, registrations, forNobody(signal));
  }

  async observe(
    pool: Pool,
    registrations: readonly Registration[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, RegistrationState>> {
    return (await this.provider.observe(pool, () => registrations, forNobody(signal))).states;
  }

  stillOwned(
    node: Node,
    registrations: readonly Registration[],
    signal: AbortSignal,
  ): Promise<readonly Registration[]> {
    return this.provider.stillOwned(node, registrations, forNobody(signal));
  }

  findTerminated(nodes: readonly Node[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    return this.provider.findTerminated(nodes, forNobody(signal));
  }

  findRunning(nodes: readonly Node[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    return this.provider.findRunning(nodes, forNobody(signal));
  }
}
