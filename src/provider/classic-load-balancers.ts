import {
  DeregisterInstancesFromLoadBalancerCommand,
  DescribeInstanceHealthCommand,
  type DescribeInstanceHealthCommandOutput,
  DescribeLoadBalancersCommand,
  type DescribeLoadBalancersCommandOutput,
  type InstanceState,
  type LoadBalancerDescription,
} from "@aws-sdk/client-elastic-load-balancing";
import type { AwsAccess, AwsAction } from "../aws/aws-caller.ts";
import { isNamedIn, isPoolGone, isTargetGone, UnusableAnswer } from "../aws/errors.ts";
import { SharedCall } from "../aws/shared-call.ts";
import type { Clock } from "../drain/clock.ts";
import type { CallFor, Node, Observed, Pool, Registration, RegistrationState } from "../drain/cloud-provider.ts";
import { LIST_CLASSICS, unlessListed } from "./listed-pools.ts";
import { inParts } from "./target-groups.ts";

export const DESCRIBE_HEALTH: AwsAction = {
  name: "elasticloadbalancing:DescribeInstanceHealth",
  bucket: "classic-read",
  answersWith: "InstanceStates",
};
export const DEREGISTER_INSTANCES: AwsAction = {
  name: "elasticloadbalancing:DeregisterInstancesFromLoadBalancer",
  bucket: "classic-register",
};

const PAGE_SIZE = 400;
const NOTHING = Promise.resolve({ InstanceStates: [] });
const INSTANCES_PER_CALL_MAX = 100;

/**
 * AWS's exact sentences. The state beside them misleads: a draining instance shows `InService`, and an unhealthy one
 * that is still registered shows `OutOfService`.
 * https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_InstanceState.html
 */
const NOT_REGISTERED = "Instance is not currently registered with the LoadBalancer.";
const DEREGISTERING = "Instance deregistration currently in progress.";
const REGISTERING = "Instance registration is still in progress.";
/** The others: the instance is registered. */
const REGISTERED: ReadonlySet<string> = new Set([
  "N/A",
  "A transient error occurred. Please try again later.",
  "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.",
  "Instance has not passed the configured HealthyThreshold number of health checks consecutively.",
  "Instance is in the EC2 Availability Zone for which LoadBalancer is not configured to route traffic to.",
  "Disable Availability Zone is currently in progress.",
  "Instance is in pending state.",
  "Instance is in stopped state.",
  "Instance is in terminated state.",
]);

/** Every classic load balancer, with the instances registered in it: one call for up to 400. See `listTargetGroups`. */
export async function listClassicLoadBalancers(
  aws: AwsAccess,
  by: CallFor,
  onSent: () => void,
): Promise<readonly LoadBalancerDescription[]> {
  const loadBalancers: LoadBalancerDescription[] = [];
  let marker: string | undefined;
  do {
    const input = { PageSize: PAGE_SIZE, ...(marker === undefined ? {} : { Marker: marker }) };
    const page: DescribeLoadBalancersCommandOutput = await aws.caller.call(LIST_CLASSICS, by, async () => {
      onSent();
      const answer = await aws.classic.send(new DescribeLoadBalancersCommand(input), { abortSignal: by.signal });
      if (answer.LoadBalancerDescriptions?.some(({ LoadBalancerName = "" }) => LoadBalancerName === "") === true)
        throw new UnusableAnswer("it has a load balancer without a name");
      return answer;
    });
    loadBalancers.push(...(page.LoadBalancerDescriptions ?? []));
    // AWS answers with an empty marker when it is done.
    marker = page.NextMarker || undefined;
  } while (marker !== undefined);
  return loadBalancers;
}

export function poolOfClassic(name: string): Pool {
  return { kind: "classic", id: name, name, loadBalancer: name };
}

/** See `CloudProvider.deregister`. One instance that AWS doesn't know fails the call for all: then in parts. */
export function deregisterInstances(
  aws: AwsAccess,
  pool: Pool,
  take: (max: number) => Promise<readonly Registration[]>,
  by: CallFor,
): Promise<void> {
  const ids: string[] = [];
  const gathered = async () => {
    const still = ids.length === 0 ? undefined : by.stillIncluded?.();
    if (still !== undefined) ids.splice(0, Infinity, ...ids.filter((id) => still.has(id)));
    ids.push(...(await take(INSTANCES_PER_CALL_MAX - ids.length)).map(({ target }) => target));
    return ids;
  };
  return endInstances(aws, pool.id, gathered, by);
}

async function endInstances(
  aws: AwsAccess,
  name: string,
  gathered: () => Promise<readonly string[]>,
  by: CallFor,
): Promise<void> {
  let ids: readonly string[] = [];
  try {
    await aws.caller.call(DEREGISTER_INSTANCES, by, async () => {
      ids = await gathered();
      if (ids.length === 0) return;
      const input = { LoadBalancerName: name, Instances: ids.map((InstanceId) => ({ InstanceId })) };
      await aws.classic.send(new DeregisterInstancesFromLoadBalancerCommand(input), { abortSignal: by.signal });
    });
  } catch (error) {
    if (isPoolGone(error)) return;
    if (!isTargetGone(error)) throw error;
    const isNamed = (id: string) => ids.length === 1 || isNamedIn(error, id);
    by.refuses?.(ids.filter(isNamed));
    for (const part of inParts(ids, isNamed)) await endInstances(aws, name, async () => part, by);
  }
}

interface HealthRead {
  /** When AWS was asked, in milliseconds since the epoch. */
  readonly at: number;
  readonly states: ReadonlyMap<string, InstanceState>;
}

/** Asks classic load balancers about instances by name, each once for all who ask before the call is sent. */
export class ClassicReads {
  readonly #aws: AwsAccess;
  readonly #clock: Clock;
  readonly #reads = new Map<string, SharedCall<() => readonly string[], HealthRead>>();

  constructor(aws: AwsAccess, clock: Clock) {
    this.#aws = aws;
    this.#clock = clock;
  }

  /** See `CloudProvider.observe`. Instances are named, because AWS does not say whether its list shows draining ones. */
  async observe(pool: Pool, which: () => readonly Registration[], by: CallFor): Promise<Observed> {
    let ids: readonly string[] = [];
    const { at, states } = await this.#ask(
      pool,
      () => {
        ids = which().map(({ target }) => target);
        return ids;
      },
      by,
    );
    return { at, states: await this.#stateOfEach(pool, ids, states, by) };
  }

  /** The node's registration, if there is one. */
  async findIn(pool: Pool, { id }: Node, by: CallFor): Promise<readonly Registration[]> {
    const { states } = await this.#ask(pool, () => [id], by);
    const state = (await this.#stateOfEach(pool, [id], states, by)).get(id) ?? "absent";
    return state === "absent" || state === "unlisted" ? [] : [classicRegistrationOf(pool, id, state)];
  }

  /** Where AWS's sentence is none of those that it documents, its list of the load balancer's instances decides. */
  async #stateOfEach(
    { id: name }: Pool,
    ids: readonly string[],
    states: HealthRead["states"],
    by: CallFor,
  ): Promise<ReadonlyMap<string, RegistrationState>> {
    const said = ids.map((id) => [id, stateOf(states.get(id))] as const);
    const listed = said.some(([, state]) => state === undefined)
      ? await instancesOf(this.#aws, name, by)
      : NO_INSTANCES;
    const byList = (id: string): RegistrationState => {
      if (listed.has(id)) return "live";
      // One that is being deregistered shows InService until its requests in flight have ended.
      return states.get(id)?.State === "OutOfService" ? "unlisted" : "draining";
    };
    return new Map(said.map(([id, state]) => [id, state ?? byList(id)]));
  }

  /** Of load balancers that are gone nothing is cached. */
  retainOnly(isThere: (name: string) => boolean): void {
    for (const name of [...this.#reads.keys()]) if (!isThere(name)) this.#reads.delete(name);
  }

  #ask(pool: Pool, ids: () => readonly string[], by: CallFor): Promise<HealthRead> {
    let read = this.#reads.get(pool.id);
    if (read === undefined) {
      read = new SharedCall(async (about, call) => {
        let at = 0;
        const asked = () => {
          at = this.#clock.now();
          return [...new Set(about().flatMap((some) => some()))];
        };
        const states = await describeHealth(this.#aws, pool.id, asked, call);
        return { at, states: new Map(states.map((state) => [state.InstanceId ?? "", state])) };
      });
      this.#reads.set(pool.id, read);
    }
    return read.ask(ids, by);
  }
}

export function classicRegistrationOf(pool: Pool, instanceId: string, state: RegistrationState): Registration {
  const isLive = state === "live";
  return { pool, target: instanceId, state, detail: isLive ? "registered" : state, isHealthy: isLive };
}

/** Terminated instances are missing from AWS's answer. */
async function describeHealth(
  aws: AwsAccess,
  name: string,
  asked: () => readonly string[],
  by: CallFor,
): Promise<readonly InstanceState[]> {
  let ids: readonly string[] | undefined;
  try {
    const { InstanceStates } = await aws.caller.call(DESCRIBE_HEALTH, by, () => {
      ids ??= asked();
      // No id at all would ask for every instance. Those who wanted to know may have left meanwhile.
      if (ids.length === 0) return NOTHING;
      const input = { LoadBalancerName: name, Instances: ids.map((InstanceId) => ({ InstanceId })) };
      return unlessListed<Partial<DescribeInstanceHealthCommandOutput>>(aws, name, by, () =>
        aws.classic.send(new DescribeInstanceHealthCommand(input), { abortSignal: by.signal }),
      );
    });
    return InstanceStates ?? [];
  } catch (error) {
    if (isPoolGone(error)) return [];
    if (!isTargetGone(error)) throw error;
    const parts = inParts(ids ?? [], (id) => isNamedIn(error, id));
    return (await Promise.all(parts.map((part) => describeHealth(aws, name, () => part, by)))).flat();
  }
}

/** Undefined where AWS's description is none that it documents. */
export function stateOf(health: InstanceState | undefined): RegistrationState | undefined {
  if (health === undefined) return "absent";
  const { Description = "" } = health;
  switch (Description) {
    case NOT_REGISTERED:
      return "absent";
    case DEREGISTERING:
      return "draining";
    case REGISTERING:
      return "initial";
    default:
      return REGISTERED.has(Description) ? "live" : undefined;
  }
}

const NO_INSTANCES: ReadonlySet<string> = new Set();

/** Those that the load balancer lists. None of one that is gone. */
async function instancesOf({ caller, classic }: AwsAccess, name: string, by: CallFor): Promise<ReadonlySet<string>> {
  try {
    const { LoadBalancerDescriptions = [] } = await caller.call(LIST_CLASSICS, by, () =>
      classic.send(new DescribeLoadBalancersCommand({ LoadBalancerNames: [name] }), { abortSignal: by.signal }),
    );
    // Some emulators answer with all of them.
    const instances = LoadBalancerDescriptions.filter(({ LoadBalancerName }) => LoadBalancerName === name);
    return new Set(instances.flatMap(({ Instances = [] }) => Instances.map(({ InstanceId = "" }) => InstanceId)));
  } catch (error) {
    if (isPoolGone(error)) return NO_INSTANCES;
    throw error;
  }
}
