import {
  DescribeListenerAttributesCommand,
  DescribeListenersCommand,
  DescribeTargetGroupsCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import type { AwsAccess, AwsAction } from "../aws/aws-caller.ts";
import { isNeverAnswered, isPoolGone } from "../aws/errors.ts";
import type { CallFor, Pool } from "../drain/cloud-provider.ts";
import { asDrainError, printable } from "../drain/errors.ts";
import { LIST_GROUPS, unlessListed } from "./listed-pools.ts";
import type { ReleaseSettings } from "./release-terms.ts";

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
 * 60 to 6000 s for TCP flows, 350 s by default. All other flows have a fixed timeout of 120 s.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/update-idle-timeout.html
 */
const IDLE_KEY = "tcp.idle_timeout.seconds";
const OTHER_FLOWS_IDLE_MS = 120_000;

type Flows = Pick<ReleaseSettings, "flowsIdleMs" | "othersMayIdleLonger" | "movesFlows" | "resetsFlows" | "warnings">;

/** A listener's idle timeout in milliseconds, or why it is not known. */
type Idle = number | { readonly why: string };

/** AWS's largest value is 6000. More than a week is not a timeout. */
const SECONDS = /^\d{1,6}$/;

/**
 * What happens to the flows through a target of a Gateway Load Balancer after its deregistration. `attributes`: of the
 * target group. If a listener can't be read, its idle timeout is unknown, and there is a warning.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/gateway/edit-target-group-attributes.html
 */
export async function flowsOf(
  aws: AwsAccess,
  pool: Pool,
  attributes: ReadonlyMap<string, string>,
  by: CallFor,
): Promise<Flows> {
  // One of several load balancers may be a Gateway Load Balancer, whose flows stay whatever the others do.
  if (pool.kind === "unknown") return await idleTimeoutOf(aws, pool, by);
  if (pool.kind !== "gwlb") return {};
  const resets = attributes.get("send_tcp_reset.on_deregistration.enabled") === "true";
  const atTheEnd = resets ? { resetsFlows: true as const } : {};
  if (attributes.get("target_failover.on_deregistration") === "rebalance") return { ...atTheEnd, movesFlows: true };
  return { ...atTheEnd, ...(await idleTimeoutOf(aws, pool, by)) };
}

/** The longest timeout of all listeners, because a flow may have come by any of them. */
async function idleTimeoutOf(aws: AwsAccess, pool: Pool, by: CallFor): Promise<Flows> {
  try {
    const idle = await idleTimeouts(aws, pool, by);
    const known = idle.filter((each) => typeof each === "number");
    const whys = idle.flatMap((each) => (typeof each === "number" ? [] : [each.why]));
    return {
      ...(known.length > 0 && { flowsIdleMs: Math.max(OTHER_FLOWS_IDLE_MS, ...known) }),
      ...(known.length > 0 && whys.length > 0 && { othersMayIdleLonger: true as const }),
      ...(whys.length > 0 && { warnings: [...new Set(whys)].map(warning) }),
    };
  } catch (error) {
    // The next call shows the caller that the pool is gone.
    if (isPoolGone(error)) return {};
    throw error;
  }
}

function warning(why: string): string {
  return `the idle timeout of its listener could not be read (${why}): GWLB_IDLE is used; set that to the listener's ${IDLE_KEY}`;
}

async function idleTimeouts(aws: AwsAccess, pool: Pool, by: CallFor): Promise<readonly Idle[]> {
  return await orWhy(by, async () => {
    const { TargetGroups = [] } = await aws.caller.call(LIST_GROUPS, by, () =>
      aws.v2.send(new DescribeTargetGroupsCommand({ TargetGroupArns: [pool.id] }), { abortSignal: by.signal }),
    );
    const gateways = TargetGroups.flatMap(({ LoadBalancerArns = [] }) => LoadBalancerArns).filter(isGateway);
    const idle: Idle[] = [];
    for (const arn of gateways) idle.push(...(await listenersIdle(aws, arn, by)));
    return pool.kind === "gwlb" ? orNone(idle) : idle;
  });
}

function isGateway(loadBalancerArn: string): boolean {
  return loadBalancerArn.includes(":loadbalancer/gwy/");
}

/** The idle timeout of each listener of a load balancer. */
async function listenersIdle(aws: AwsAccess, arn: string, by: CallFor): Promise<readonly Idle[]> {
  const { caller, v2 } = aws;
  const abort = { abortSignal: by.signal };
  return await orWhy(by, async () => {
    const { Listeners = [] } = await caller.call(DESCRIBE_LISTENERS, by, () =>
      unlessListed(aws, arn, by, () => v2.send(new DescribeListenersCommand({ LoadBalancerArn: arn }), abort)),
    );
    const idle: Idle[] = [];
    for (const { ListenerArn } of Listeners) {
      const read = async () => {
        const { Attributes = [] } = await caller.call(DESCRIBE_LISTENER_ATTRIBUTES, by, () =>
          v2.send(new DescribeListenerAttributesCommand({ ListenerArn }), abort),
        );
        return orNone(Attributes.filter(({ Key }) => Key === IDLE_KEY).map(({ Value = "" }) => idleOf(Value)));
      };
      idle.push(...(await orWhy(by, read)));
    }
    return orNone(idle);
  });
}

function idleOf(given: string): Idle {
  return SECONDS.test(given) ? Number(given) * 1_000 : { why: `AWS says '${printable(given, 100)}'` };
}

function orNone(idle: readonly Idle[]): readonly Idle[] {
  return idle.length > 0 ? idle : [{ why: "AWS names none" }];
}

/** If AWS never answers, the timeout is unknown. Temporary failures, and a pool that is gone, are thrown. */
async function orWhy(by: CallFor, read: () => Promise<readonly Idle[]>): Promise<readonly Idle[]> {
  try {
    return await read();
  } catch (error) {
    by.signal.throwIfAborted();
    if (isPoolGone(error)) throw error;
    const failure = asDrainError(error);
    if (!isNeverAnswered(failure)) throw failure;
    return [{ why: failure.message }];
  }
}
