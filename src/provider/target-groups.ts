import { isIPv6 } from "node:net";
import {
  DescribeTargetGroupsCommand,
  type DescribeTargetGroupsCommandOutput,
  type TargetDescription,
  type TargetGroup,
  type TargetHealth,
  type TargetHealthDescription,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import type { AwsAccess } from "../aws/aws-caller.ts";
import { UnusableAnswer } from "../aws/errors.ts";
import { type CallFor, idOf, type Pool, type Registration, type RegistrationState } from "../drain/cloud-provider.ts";
import { printable } from "../drain/errors.ts";
import type { LoadBalancerKind } from "../drain/load-balancer-kinds.ts";
import { kubeProxyCheckOf } from "./health-checks.ts";
import { LIST_GROUPS } from "./listed-pools.ts";

const PAGE_SIZE = 400;
/** With more different strings than this, the cache is cleared. */
const TEXTS_MAX = 100_000;

/** One copy of each string that is read repeatedly: a node has the same name in every pool. */
class SameText {
  readonly #known = new Map<string, string>();

  of(text: string): string {
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    if (this.#known.size >= TEXTS_MAX) this.#known.clear();
    this.#known.set(text, text);
    return text;
  }
}

/** A thousand nodes in hundreds of groups have hundreds of thousands of registrations. */
const texts = new SameText();

interface AwsRegistration extends Registration {
  readonly listed?: TargetDescription;
  readonly alsoListed?: readonly TargetDescription[];
}

/** A target of a group's listing. */
export interface ListedTarget extends TargetHealthDescription {
  /** The same id and port in further zones: one registration for the drain, several targets for AWS. */
  readonly also?: readonly TargetDescription[];
}

/**
 * A target group's own listing contains its VPC, type and load balancer, whether it is reached by a default action, a
 * rule or a weight. So listeners need not be read. `onSent` is called whenever a call is sent.
 */
export async function listTargetGroups(
  aws: AwsAccess,
  by: CallFor,
  onSent: () => void,
): Promise<readonly TargetGroup[]> {
  const groups: TargetGroup[] = [];
  let marker: string | undefined;
  do {
    const input = { PageSize: PAGE_SIZE, ...(marker === undefined ? {} : { Marker: marker }) };
    const page: DescribeTargetGroupsCommandOutput = await aws.caller.call(LIST_GROUPS, by, async () => {
      onSent();
      const answer = await aws.v2.send(new DescribeTargetGroupsCommand(input), { abortSignal: by.signal });
      if (answer.TargetGroups?.some(({ TargetGroupArn = "" }) => TargetGroupArn === "") === true)
        throw new UnusableAnswer("it has a target group without an ARN");
      return answer;
    });
    groups.push(...(page.TargetGroups ?? []));
    marker = page.NextMarker || undefined;
  } while (marker !== undefined);
  return groups;
}

/** A pool with further fields of its listing. Its `id` is an ARN, or the name of a classic load balancer. */
export interface AwsPool extends Pool {
  /** It drains for at least this time, whatever its attributes say, in milliseconds. */
  readonly drainMinimumMs?: number;
  /**
   * The node's kube-proxy answers its health checks. A target becomes unhealthy this many milliseconds after kube-proxy
   * reports that the node goes. Absent: another program answers them.
   */
  readonly kubeProxyCheckMs?: number;
  /** Targets that are registered by id get traffic at their primary IPv6 address. Absent: at the IPv4 address. */
  readonly sendsToIpv6?: true;
}

export function poolOfGroup(group: TargetGroup): AwsPool {
  const { TargetGroupArn: id = "", TargetGroupName: name = id, LoadBalancerArns: arns, Protocol = "" } = group;
  const loadBalancer = (arns ?? []).map((arn) => arn.split("/").at(-2) ?? arn).join(", ");
  const kind = kindOfAll(arns);
  const kubeProxyCheckMs = kubeProxyCheckOf(group);
  return {
    kind,
    id,
    name,
    ...(loadBalancer === "" ? {} : { loadBalancer }),
    ...(mayBeQuic(kind, Protocol) ? { drainMinimumMs: DELAY_DEFAULT_MS } : {}),
    ...(kubeProxyCheckMs === undefined ? {} : { kubeProxyCheckMs }),
    ...(sendsToIpv6(group) && { sendsToIpv6: true as const }),
  };
}

/** A registered address shows its own type. If AWS does not say, it is IPv4, the default. */
function sendsToIpv6({ TargetType: type, IpAddressType: addresses = "ipv4" }: TargetGroup): boolean {
  return type !== "ip" && addresses !== "ipv4";
}

/**
 * AWS's default for every type that has a delay.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
 */
export const DELAY_DEFAULT_MS = 300_000;
/** Their connections get the group's deregistration delay. */
const DELAY_PROTOCOLS: ReadonlySet<string> = new Set(["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP", "GENEVE"]);

/**
 * AWS gives QUIC connections 300 s, whatever the group's deregistration delay is. Only Network Load Balancers have
 * them, and a protocol that is missing or unknown may be one of theirs.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/network/edit-target-group-attributes.html
 */
function mayBeQuic(kind: LoadBalancerKind, protocol: string): boolean {
  return kind !== "alb" && kind !== "gwlb" && !DELAY_PROTOCOLS.has(protocol);
}

/**
 * A group's listing with one entry for each id and port. An address outside the group's VPC may be registered in
 * several zones. It is deregistered when all of them are, so the entry shows the state of the one that is furthest from
 * that. https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetDescription.html
 */
export function joinedByName(listing: readonly TargetHealthDescription[]): readonly ListedTarget[] {
  const byName = new Map<string, ListedTarget>();
  for (const listed of listing) {
    const name = nameOf(listed.Target);
    const known = byName.get(name);
    byName.set(name, known === undefined ? listed : joined(known, listed));
  }
  return byName.size === listing.length ? listing : [...byName.values()];
}

const FURTHEST_FROM_OUT: readonly RegistrationState[] = ["live", "initial", "draining", "unlisted", "absent"];

function joined(one: ListedTarget, other: TargetHealthDescription): ListedTarget {
  const isServing = (listed: TargetHealthDescription) =>
    listed.TargetHealth?.State === "healthy" && overrideOf(listed) === undefined;
  const distance = (listed: TargetHealthDescription) =>
    FURTHEST_FROM_OUT.indexOf(stateOf(listed.TargetHealth)) + (isServing(listed) ? 0 : 0.5);
  const [further, nearer] = distance(other) < distance(one) ? [other, one] : [one, other];
  const also = [...(one.also ?? []), ...(nearer.Target === undefined ? [] : [nearer.Target])];
  return { ...further, also };
}

/** The registration of a target that the group lists. */
export function registrationOf(pool: Pool, listing: ListedTarget): AwsRegistration {
  const { Target, TargetHealth, also } = listing;
  const { Port, AvailabilityZone, QuicServerId } = Target ?? {};
  const isNameEnough = isPort(Port) && (AvailabilityZone ?? QuicServerId) === undefined;
  const override = overrideOf(listing);
  const isHealthy = TargetHealth?.State === "healthy";
  const reason = override?.said ?? TargetHealth?.Reason ?? "";
  const said = TargetHealth?.State || "state unknown";
  return {
    pool,
    target: texts.of(nameOf(Target)),
    state: stateOf(TargetHealth),
    detail: texts.of(`${said}${reason === "" ? "" : ` (${reason})`}`),
    isHealthy: isHealthy && override === undefined,
    ...(isHealthy && override?.isKnown === false && { mayBeHealthy: true as const }),
    ...(Target === undefined || (isNameEnough && also === undefined) ? {} : { listed: usable(Target) }),
    ...(also === undefined ? {} : { alsoListed: also.map(usable) }),
  };
}

function isPort(port: number | undefined): port is number {
  return Number.isInteger(port) && port !== 0;
}

/** AWS may list a target without a port. An invalid port is not sent back. */
function usable({ Port, ...target }: TargetDescription): TargetDescription {
  return { ...target, ...(isPort(Port) ? { Port } : {}) };
}

const SHIFTED: ReadonlySet<string> = new Set(["zonal_shift_active", "zonal_shift_delegated_to_dns"]);

/**
 * A target in a zone from which traffic was shifted away stays `healthy`, and gets no new traffic. Nothing is known
 * about `unknown`, and about values that AWS may add. Undefined: AWS routes by health only.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_AdministrativeOverride.html
 */
function overrideOf({
  AdministrativeOverride,
}: TargetHealthDescription): { readonly said: string; readonly isKnown: boolean } | undefined {
  const state: string | undefined = AdministrativeOverride?.State;
  if (state === undefined || state === "no_override") return undefined;
  const isKnown = SHIFTED.has(state);
  return { said: isKnown ? state : `administrative override: ${printable(state)}`, isKnown };
}

/** The zone that a target by address is listed with. `all` is none. */
export function zoneOf(registration: Registration): string | undefined {
  const zone = (registration as AwsRegistration).listed?.AvailabilityZone;
  return zone === "all" ? undefined : zone;
}

/** The same in AWS's words, including `all`. */
export function listedZoneOf(registration: Registration): string | undefined {
  const { listed, alsoListed = [] } = registration as AwsRegistration;
  return zoneAmong([listed, ...alsoListed]);
}

/** `all` only if one target is listed with no other zone. In another one it may be another machine's. */
export function zoneAmong(targets: readonly (TargetDescription | undefined)[]): string | undefined {
  const inOtherZone = targets.findIndex((target) => target?.AvailabilityZone !== "all");
  return inOtherZone === -1 ? "all" : targets[inOtherZone]?.AvailabilityZone;
}

function nameOf({ Id = "", Port, QuicServerId }: Partial<TargetDescription> = {}): string {
  const quic = QuicServerId === undefined ? "" : ` ${QuicServerId}`;
  return `${isIPv6(Id) ? `[${Id}]` : Id}${isPort(Port) ? `:${Port}` : ""}${quic}`;
}

/**
 * `unused` alone does not mean deregistered: targets of a group without a listener and stopped instances are shown so
 * too. https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetHealth.html
 */
export function stateOf(health: TargetHealth | undefined): RegistrationState {
  if (health?.Reason === "Target.NotRegistered") return "absent";
  if (health?.State === "draining") return "draining";
  return health?.State === "initial" ? "initial" : "live";
}

/** The targets as AWS listed them: several if one address is registered in several zones. */
export function targetsOf(registration: Registration): readonly TargetDescription[] {
  const { target, listed, alsoListed = [] } = registration as AwsRegistration;
  if (listed !== undefined) return [listed, ...alsoListed];
  const port = /:(\d+)$/.exec(target)?.[1];
  return [{ Id: idOf(target), ...(port === undefined ? {} : { Port: Number(port) }) }];
}

/** A kind that AWS does not name, or several kinds, must not shorten a hold. */
function kindOfAll(loadBalancerArns: readonly string[] | undefined): LoadBalancerKind {
  if (loadBalancerArns === undefined) return "unknown";
  const [kind = "unattached", ...others] = new Set(loadBalancerArns.map(kindOf));
  return others.length === 0 ? kind : "unknown";
}

/**
 * `…:loadbalancer/app/NAME/ID`, `net` or `gwy`.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_awselasticloadbalancingv2.html
 */
function kindOf(loadBalancerArn: string): LoadBalancerKind {
  if (loadBalancerArn.includes(":loadbalancer/app/")) return "alb";
  if (loadBalancerArn.includes(":loadbalancer/net/")) return "nlb";
  return loadBalancerArn.includes(":loadbalancer/gwy/") ? "gwlb" : "unknown";
}
