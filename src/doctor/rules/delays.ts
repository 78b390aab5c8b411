import { command, regionFlag, setClassicAttributes, setGroupAttributes } from "../commands.ts";
import type { Facts, PoolFacts, ScalingGroupFacts } from "../facts.ts";
import type { Finding } from "../finding.ts";
import { attributeEvidence, machinesOf, ownerAdvice, resourceOf, SPOT_NOTICE_MS, some } from "./pool-findings.ts";

/** What fits into spot's notice, with time for the drain to begin and for the margin before the deadline. */
const FITTING_SECONDS = "90";
const DELAY = "deregistration_delay.timeout_seconds";
const CLASSIC_DELAY = "ConnectionDraining.Timeout";

/**
 * Connection draining of a classic load balancer made by the API is off by default.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-conn-drain.html
 */
export function classicDrainingOff(pool: PoolFacts): readonly Finding[] {
  if (pool.pool.kind !== "classic" || pool.attributes.get("ConnectionDraining.Enabled") !== "false") return [];
  return [
    {
      code: "classic-draining-off",
      severity: "error",
      resource: resourceOf(pool),
      cost: "Every request that is in flight on a node when it is deregistered is cut.",
      evidence: [attributeEvidence(pool, "ConnectionDraining.Enabled")],
      mend: [setDelay(pool, FITTING_SECONDS)],
    },
  ];
}

/**
 * An ALB gives requests in flight the deregistration delay.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html#deregistration-delay
 */
export function deregistrationDelayZero(pool: PoolFacts): readonly Finding[] {
  if (pool.pool.kind !== "alb" || pool.terms.drainMs > 0) return [];
  return [
    {
      code: "deregistration-delay-zero",
      severity: "error",
      resource: resourceOf(pool),
      cost: "Every request that is in flight on a node when it is deregistered is cut.",
      evidence: [attributeEvidence(pool, DELAY)],
      mend: [setDelay(pool, FITTING_SECONDS)],
      ...advice(pool, `${DELAY}=${FITTING_SECONDS}`),
    },
  ];
}

/**
 * EC2 takes a spot instance back 120 seconds after its notice. A target shows `draining` for the whole delay, so that whether its
 * requests have ended is not known by then. An NLB sends new connections for longer than the notice whatever its delay.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
 */
export function delayLongerThanNotice(pool: PoolFacts, facts: Facts): readonly Finding[] {
  const { kind } = pool.pool;
  const spot = machinesOf(pool, facts).filter(({ isSpot }) => isSpot);
  if (kind === "nlb" || spot.length === 0 || pool.terms.drainMs <= SPOT_NOTICE_MS) return [];
  return [
    {
      code: "delay-longer-than-notice",
      severity: "notice",
      resource: resourceOf(pool),
      cost: "EC2 takes a spot node back before its drain can end. Each of these drains ends as deadline-passed, which hides those that have really lost requests; requests that take longer than the notice are cut.",
      evidence: [
        attributeEvidence(pool, delayName(pool)),
        { read: "ec2:DescribeInstances", name: "InstanceLifecycle", value: `spot (${some(spot.map(({ id }) => id))})` },
      ],
      mend: [setDelay(pool, FITTING_SECONDS)],
      ...advice(pool, `${DELAY}=${FITTING_SECONDS}`),
    },
  ];
}

/**
 * A hook waits for 100 of its heartbeat timeouts or 48 hours, whichever is less.
 * https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks-overview.html#lifecycle-hook-considerations
 */
export function delayLongerThanHook(pool: PoolFacts, facts: Facts): readonly Finding[] {
  const ids = new Set(pool.targets.map(({ instanceId }) => instanceId));
  const short = (facts.scalingGroups ?? [])
    .filter(({ instanceIds }) => instanceIds.some((id) => ids.has(id)))
    .flatMap((group) => group.hooks.map((hook) => ({ group, hook })))
    .filter(({ hook }) => hook.globalMs < pool.terms.drainMs);
  if (short.length === 0) return [];
  return [
    {
      code: "delay-longer-than-hook",
      severity: "warning",
      resource: resourceOf(pool),
      cost: "The termination hook ends before requests in flight have had their time: they are cut when the instance is terminated.",
      evidence: [
        attributeEvidence(pool, delayName(pool)),
        ...short.map(({ group, hook }) => ({
          read: "autoscaling:DescribeLifecycleHooks",
          name: `GlobalTimeout of ${hook.name} of ${group.name}`,
          value: String(hook.globalMs / 1_000),
        })),
      ],
      mend: short.map(({ group, hook }) => waitLonger(group, hook.name, pool.terms.drainMs)),
      advice:
        "Or set a shorter delay. Requests that take longer than the shorter delay are then cut by the load balancer.",
    },
  ];
}

/** The longest delay is an hour, so that 48 hours are never the shorter limit. */
function waitLonger({ name, region }: ScalingGroupFacts, hook: string, drainMs: number): string {
  // Twice the delay: the drain begins later than the hook, and ends after the delay.
  const heartbeatSeconds = Math.ceil((2 * drainMs) / HEARTBEATS_MAX / 1_000);
  return command(
    ...["aws", "autoscaling", "put-lifecycle-hook", ...regionFlag(region), "--auto-scaling-group-name", name],
    ...["--lifecycle-hook-name", hook, "--heartbeat-timeout", String(heartbeatSeconds)],
  );
}

/** A hook waits for this many of its heartbeat timeouts. */
const HEARTBEATS_MAX = 100;

function delayName({ pool }: PoolFacts): string {
  return pool.kind === "classic" ? CLASSIC_DELAY : DELAY;
}

function setDelay(pool: PoolFacts, seconds: string): string {
  return pool.pool.kind === "classic"
    ? setClassicAttributes(pool, { ConnectionDraining: { Enabled: true, Timeout: Number(seconds) } })
    : setGroupAttributes(pool, { [DELAY]: seconds });
}

function advice(pool: PoolFacts, wanted: string): Pick<Finding, "advice"> {
  const text = ownerAdvice(pool, wanted);
  return text === undefined ? {} : { advice: text };
}
