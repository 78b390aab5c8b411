import {
  DescribeListenerAttributesCommand,
  DescribeListenersCommand,
  DescribeTargetGroupsCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import type { AwsAccess, AwsAction } from "../aws/aws-caller.ts";
import { isNeverAnswered, isPoolGone } from "../aws/errors.ts";
import type { CallFor, Pool, PoolTerms } from "../drain/cloud-provider.ts";
import { asDrainError } from "../drain/errors.ts";
import { LIST_GROUPS, unlessListed } from "./listed-pools.ts";

const DESCRIBE_LISTENERS: AwsAction = {
  name: "elasticloadbalancing:DescribeListeners",
  bucket: "v2-read",
  answersWith: "Listeners",
};
const DESCRIBE_LISTENER_ATTRIBUTES: AwsAction = {
  name: "elasticloadbalancing:DescribeListenerAttributes",
  bucket: "v2-read",
  answersWith: "Attributes",
};

/**
 * 60 to 6000 s for TCP flows, 350 s by default; all other flows have a fixed timeout of 120 s.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/update-idle-timeout.html
 */
const IDLE_KEY = "tcp.idle_timeout.seconds";
const OTHER_FLOWS_IDLE_MS = 120_000;

type Flows = Pick<PoolTerms, "flowsIdleMs" | "movesFlows" | "resetsFlows" | "warnings">;

/**
 * What becomes of the flows through a target of a Gateway Load Balancer once it is deregistered. `attributes`: the target
 * group's. Where the listener can't be read the idle timeout is left open, with a warning.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/edit-target-group-attributes.html
 */
export async function flowsOf(
  aws: AwsAccess,
  pool: Pool,
  attributes: ReadonlyMap<string, string>,
  by: CallFor,
): Promise<Flows> {
  const resets = attributes.get("send_tcp_reset.on_deregistration.enabled") === "true";
  const atTheEnd = resets ? { resetsFlows: true as const } : {};
  if (attributes.get("target_failover.on_deregistration") === "rebalance") return { ...atTheEnd, movesFlows: true };
  return { ...atTheEnd, ...(await idleTimeoutOf(aws, pool, by)) };
}

async function idleTimeoutOf(aws: AwsAccess, pool: Pool, by: CallFor): Promise<Flows> {
  try {
    const given = await listenersIdle(aws, pool.id, by);
    const unusable = given.find((value) => !/^\d+$/.test(value));
    if (given.length === 0 || unusable !== undefined)
      return notKnown(unusable === undefined ? "AWS names none" : `AWS says '${unusable}'`);
    return { flowsIdleMs: Math.max(OTHER_FLOWS_IDLE_MS, ...given.map((value) => Number(value) * 1_000)) };
  } catch (error) {
    by.signal.throwIfAborted();
    // Whoever asked learns from its next call that the pool is gone.
    if (isPoolGone(error)) return {};
    const failure = asDrainError(error);
    if (!isNeverAnswered(failure)) throw failure;
    return notKnown(failure.message);
  }
}

function notKnown(why: string): Flows {
  return {
    warnings: [
      `the idle timeout of its listener could not be read (${why}): GWLB_IDLE is used; set that to the listener's ${IDLE_KEY}`,
    ],
  };
}

/** The idle timeout that each listener of the group's load balancers has, in AWS's own words. */
async function listenersIdle(aws: AwsAccess, groupArn: string, by: CallFor): Promise<readonly string[]> {
  const { caller, v2 } = aws;
  const abort = { abortSignal: by.signal };
  const { TargetGroups = [] } = await caller.call(LIST_GROUPS, by, () =>
    v2.send(new DescribeTargetGroupsCommand({ TargetGroupArns: [groupArn] }), abort),
  );
  const idle: string[] = [];
  for (const LoadBalancerArn of TargetGroups.flatMap(({ LoadBalancerArns }) => LoadBalancerArns ?? [])) {
    const { Listeners = [] } = await caller.call(DESCRIBE_LISTENERS, by, () =>
      unlessListed(aws, LoadBalancerArn, by, () => v2.send(new DescribeListenersCommand({ LoadBalancerArn }), abort)),
    );
    for (const { ListenerArn } of Listeners) {
      const { Attributes = [] } = await caller.call(DESCRIBE_LISTENER_ATTRIBUTES, by, () =>
        v2.send(new DescribeListenerAttributesCommand({ ListenerArn }), abort),
      );
      idle.push(...Attributes.filter(({ Key }) => Key === IDLE_KEY).map(({ Value = "" }) => Value));
    }
  }
  return idle;
}
