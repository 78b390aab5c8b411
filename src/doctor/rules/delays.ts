import { SPOT_NOTICE_MS } from "../../drain/fast-path.ts";
import { setClassicAttributes, setGroupAttributes } from "../commands.ts";
import type { Facts, PoolFacts } from "../facts.ts";
import type { Finding } from "../finding.ts";
import { attributeEvidence, machinesOf, ownerAdvice, resourceOf, some } from "./pool-findings.ts";

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
      mend: [setClassicAttributes(pool, { ConnectionDraining: { Enabled: true, Timeout: Number(FITTING_SECONDS) } })],
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
      mend: [setGroupAttributes(pool, { [DELAY]: FITTING_SECONDS })],
      ...advice(pool, `${DELAY}=${FITTING_SECONDS}`),
    },
  ];
}

/**
 * EC2 takes a spot instance back 120 seconds after its notice. An ALB cuts requests that take longer then, whatever its
 * delay; connections through an NLB end without being closed, so that clients send their next requests to nothing.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
 */
export function delayLongerThanNotice(pool: PoolFacts, facts: Facts): readonly Finding[] {
  const spot = machinesOf(pool, facts).filter(({ isSpot }) => isSpot);
  if (spot.length === 0 || pool.terms.drainMs <= SPOT_NOTICE_MS) return [];
  const isNlb = pool.pool.kind === "nlb";
  const name = pool.pool.kind === "classic" ? CLASSIC_DELAY : DELAY;
  const closes = "deregistration_delay.connection_termination.enabled";
  const wanted = { [DELAY]: FITTING_SECONDS, ...(isNlb && { [closes]: "true" }) };
  const classic = { ConnectionDraining: { Enabled: true, Timeout: Number(FITTING_SECONDS) } };
  return [
    {
      code: "delay-longer-than-notice",
      severity: isNlb ? "warning" : "notice",
      resource: resourceOf(pool),
      cost: isNlb
        ? "Connections through a spot node that are still open 120 s after its interruption notice end without being closed: the next requests on them are lost."
        : "Drains of spot nodes end as deadline-passed, and requests that take longer than what is left of 120 s are cut.",
      evidence: [
        attributeEvidence(pool, name),
        ...(isNlb ? [attributeEvidence(pool, closes)] : []),
        { read: "ec2:DescribeInstances", name: "InstanceLifecycle", value: `spot (${some(spot.map(({ id }) => id))})` },
      ],
      mend: [pool.pool.kind === "classic" ? setClassicAttributes(pool, classic) : setGroupAttributes(pool, wanted)],
      ...advice(pool, settings(wanted)),
    },
  ];
}

/**
 * A hook waits for 100 of its heartbeat timeouts or 48 hours, whichever is less.
 * https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks-overview.html#lifecycle-hook-considerations
 */
export function delayLongerThanHook(pool: PoolFacts, facts: Facts): readonly Finding[] {
  const ids = new Set(pool.targets.map(({ instanceId }) => instanceId));
  const name = pool.pool.kind === "classic" ? CLASSIC_DELAY : DELAY;
  const short = (facts.scalingGroups ?? [])
    .filter(({ instanceIds }) => instanceIds.some((id) => ids.has(id)))
    .flatMap((group) => group.hooks.map((hook) => ({ group, hook })))
    .filter(({ hook }) => hook.globalMs < pool.terms.drainMs);
  const [first] = short;
  if (first === undefined) return [];
  const seconds = String(Math.floor(first.hook.globalMs / 2_000));
  return [
    {
      code: "delay-longer-than-hook",
      severity: "warning",
      resource: resourceOf(pool),
      cost: "The termination hook ends before requests in flight have had their time: they are cut when the instance is terminated.",
      evidence: [
        attributeEvidence(pool, name),
        ...short.map(({ group, hook }) => ({
          read: "autoscaling:DescribeLifecycleHooks",
          name: `GlobalTimeout of ${hook.name} of ${group.name}`,
          value: String(hook.globalMs / 1_000),
        })),
      ],
      mend: [
        pool.pool.kind === "classic"
          ? setClassicAttributes(pool, { ConnectionDraining: { Enabled: true, Timeout: Number(seconds) } })
          : setGroupAttributes(pool, { [DELAY]: seconds }),
      ],
      ...advice(pool, `${DELAY}=${seconds}`),
    },
  ];
}

function settings(attributes: Readonly<Record<string, string>>): string {
  return Object.entries(attributes)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

function advice(pool: PoolFacts, wanted: string): Pick<Finding, "advice"> {
  const text = ownerAdvice(pool, wanted);
  return text === undefined ? {} : { advice: text };
}
