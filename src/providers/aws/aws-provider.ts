import type { AwsClients } from "../../aws/clients.ts";
import { isWritableByTag } from "../../aws/pool-tags.ts";
import { anyOf, newAbort } from "../../drain/abort.ts";
import type {
  CloudProvider,
  FoundRegistrations,
  Node,
  Pool,
  Registration,
  RegistrationState,
} from "../../drain/cloud-provider.ts";
import { DrainError } from "../../drain/errors.ts";
import type { NodeReference } from "../../drain/request.ts";
import {
  deregisterInstances,
  findInClassicLoadBalancers,
  listClassicLoadBalancers,
  observeInstances,
} from "./classic-load-balancers.ts";
import { findTerminated, type InstanceSearch, resolveInstance, withAddressesNow } from "./instances.ts";
import { type ListedPools, onlyPoolsOf, type PoolTags, readPoolTags } from "./pool-tags.ts";
import {
  addressMatcher,
  addressOf,
  deregisterTargets,
  findInTargetGroups,
  listTargetGroups,
  mayHoldNode,
  observeTargets,
} from "./target-groups.ts";

export interface AwsProviderOptions extends InstanceSearch {
  /** `vpc`: every pool of the node's VPC that it is registered in. `tag`: only those that carry the cluster's tag. */
  readonly discovery: "vpc" | "tag";
  /** The cluster whose tag the IAM policy demands of a pool that is written. Absent: any may be. */
  readonly writableCluster?: string;
}

/** AWS as the core sees it: EC2 instances, target groups and classic load balancers of one region. */
export class AwsProvider implements CloudProvider {
  readonly #clients: AwsClients;
  readonly #options: AwsProviderOptions;

  constructor(clients: AwsClients, options: AwsProviderOptions) {
    this.#clients = clients;
    this.#options = options;
  }

  resolve(reference: NodeReference, signal: AbortSignal): Promise<Node> {
    return resolveInstance(this.#clients.ec2, reference, this.#options, signal);
  }

  async findRegistrations(node: Node, signal: AbortSignal): Promise<FoundRegistrations> {
    const cluster = this.#options.discovery === "tag" ? this.#clusterOf(node) : undefined;
    // One failed call ends the search: the others would only use up AWS's quota.
    const failed = newAbort();
    try {
      return await this.#find(node, cluster, anyOf(signal, failed.signal));
    } catch (error) {
      failed.abort();
      throw error;
    }
  }

  deregister(pool: Pool, registrations: readonly Registration[], signal: AbortSignal): Promise<void> {
    const { classic, v2 } = this.#clients;
    return pool.kind === "classic"
      ? deregisterInstances(classic, pool, registrations, signal)
      : deregisterTargets(v2, pool, registrations, signal);
  }

  observe(
    pool: Pool,
    registrations: readonly Registration[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, RegistrationState>> {
    const { classic, v2 } = this.#clients;
    return pool.kind === "classic"
      ? observeInstances(classic, pool, registrations, signal)
      : observeTargets(v2, pool, registrations, signal);
  }

  async stillOwned(
    node: Node,
    registrations: readonly Registration[],
    signal: AbortSignal,
  ): Promise<readonly Registration[]> {
    // An instance id is nobody else's, ever.
    if (registrations.every((registration) => addressOf(registration) === undefined)) return registrations;
    const isOwn = addressMatcher(await withAddressesNow(this.#clients.ec2, node, signal));
    return registrations.filter((registration) => {
      const address = addressOf(registration);
      return address === undefined || isOwn(address);
    });
  }

  findTerminated(nodes: readonly Node[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    return findTerminated(this.#clients.ec2, nodes, signal);
  }

  /** `cluster`: only pools with its tag are meant. Undefined: all. */
  async #find(node: Node, cluster: string | undefined, signal: AbortSignal): Promise<FoundRegistrations> {
    const { classic, v2 } = this.#clients;
    const [allGroups, allClassics] = await Promise.all([
      listTargetGroups(v2, signal),
      listClassicLoadBalancers(classic, signal),
    ]);
    const groups = allGroups.filter((group) => mayHoldNode(group, node));
    const classics = allClassics.filter(({ VPCId }) => VPCId === node.network);
    const listed: ListedPools = { groups, classics };
    const [tags, inGroups, inClassics] = await Promise.all([
      cluster === undefined ? undefined : readPoolTags(this.#clients, listed, signal),
      findInTargetGroups(v2, groups, node, signal),
      findInClassicLoadBalancers(classic, classics, node, signal),
    ]);
    const found = [...inGroups, ...inClassics];
    const isOurs = (pool: Pool) => cluster === undefined || tags?.belongsTo(pool, cluster) === true;
    const ours = found.filter(({ pool }) => isOurs(pool));
    return {
      registrations: await this.#markUnwritable(ours, async () => {
        const poolIds = new Set(ours.map(({ pool }) => pool.id));
        return tags ?? (await readPoolTags(this.#clients, onlyPoolsOf(listed, poolIds), signal));
      }),
      elsewhere: found.filter(({ pool }) => !isOurs(pool)),
    };
  }

  async #markUnwritable(
    registrations: readonly Registration[],
    readTags: () => Promise<PoolTags>,
  ): Promise<readonly Registration[]> {
    const cluster = this.#options.writableCluster;
    if (cluster === undefined) return registrations;
    const tags = await readTags();
    return registrations.map((registration) =>
      isWritableByTag(tags.of(registration.pool), cluster)
        ? registration
        : { ...registration, pool: { ...registration.pool, writable: false } },
    );
  }

  #clusterOf(node: Node): string {
    const cluster = this.#options.clusterName ?? node.cluster;
    if (cluster !== undefined) return cluster;
    throw new DrainError(
      "other-cluster",
      `${node.id} carries no cluster tag, and DISCOVERY=tag needs one: set CLUSTERNAME, or DISCOVERY=vpc`,
    );
  }
}
