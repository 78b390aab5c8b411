import {
  DescribeInstanceHealthCommand,
  type DescribeInstanceHealthCommandOutput,
  DescribeLoadBalancersCommand,
  type DescribeLoadBalancersCommandOutput,
  type InstanceState,
  type LoadBalancerDescription,
} from "@aws-sdk/client-elastic-load-balancing";
import type { AwsAccess, AwsAction } from "../aws/aws-caller.ts";
import { isNamedIn, isPoolGone, isTargetGone, UnusableAnswer } from "../aws/errors.ts";
import type { CallFor, Pool, Registration, RegistrationState } from "../drain/cloud-provider.ts";
import { inParts } from "./batches.ts";
import { LIST_CLASSICS, unlessListed } from "./listed-pools.ts";

const DESCRIBE_HEALTH: AwsAction = {
  name: "elasticloadbalancing:DescribeInstanceHealth",
  bucket: "classic-read",
  answersWith: "InstanceStates",
};

const PAGE_SIZE = 400;
const NOTHING = Promise.resolve({ InstanceStates: [] });

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

export function classicRegistrationOf(pool: Pool, instanceId: string, state: RegistrationState): Registration {
  const isLive = state === "live";
  return { pool, target: instanceId, state, detail: isLive ? "registered" : state, isHealthy: isLive };
}

/**
 * What AWS says of the instances that `asked` gives as the call is sent, or of all that are registered where it gives none.
 * Terminated instances are missing from the answer. Of a load balancer that is gone it is empty.
 */
export async function describeInstanceHealth(
  aws: AwsAccess,
  name: string,
  asked: () => readonly string[] | undefined,
  by: CallFor,
): Promise<readonly InstanceState[]> {
  let ids: readonly string[] | undefined;
  try {
    const { InstanceStates } = await aws.caller.call(DESCRIBE_HEALTH, by, () => {
      ids ??= asked();
      // An empty list would ask for every instance. Those who wanted to know may have left meanwhile.
      if (ids?.length === 0) return NOTHING;
      const Instances = ids?.map((InstanceId) => ({ InstanceId }));
      const input = { LoadBalancerName: name, ...(Instances && { Instances }) };
      return unlessListed<Partial<DescribeInstanceHealthCommandOutput>>(aws, name, by, () =>
        aws.classic.send(new DescribeInstanceHealthCommand(input), { abortSignal: by.signal }),
      );
    });
    return InstanceStates ?? [];
  } catch (error) {
    if (isPoolGone(error)) return [];
    if (!isTargetGone(error) || ids === undefined) throw error;
    const parts = inParts(ids, (id) => isNamedIn(error, id));
    return (await Promise.all(parts.map((part) => describeInstanceHealth(aws, name, () => part, by)))).flat();
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
export async function instancesOf(
  { caller, classic }: AwsAccess,
  name: string,
  by: CallFor,
): Promise<ReadonlySet<string>> {
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
