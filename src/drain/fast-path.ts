import { addressOf, type Pool, type PoolTerms, type Registration } from "./cloud-provider.ts";
import { type HoldAllowances, propagationMs } from "./hold.ts";

/**
 * EC2 says so long before that it takes a spot instance back.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
 */
export const SPOT_NOTICE_MS = 120_000;

/**
 * What failing health checks do for a drain: an NLB opens connections for minutes after a deregistration, and stops sooner
 * for a target that fails its health checks. The taint of `Cluster.taint` makes those fail that ask kube-proxy.
 */
export interface PlannedFastPath {
  /** The names of the NLB's pools whose health checks fail. */
  readonly pools: readonly string[];
  /** When the last of them fails, counted from the taint, in milliseconds. */
  readonly failsWithinMs: number;
}

export interface FastPathInput {
  readonly found: readonly {
    readonly registration: Registration;
    readonly terms: PoolTerms;
    /** Since when it is deregistered, or when it will be, in milliseconds since the epoch. */
    readonly since: number;
  }[];
  /** The node's registrations that the drain does not end: nothing is known of their pools' terms. */
  readonly elsewhere: readonly Registration[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** From now until the machine goes, in milliseconds. */
  readonly noticeMs: number;
  readonly allowances: HoldAllowances;
}

type Checked = FastPathInput["found"][number] & { readonly failsAfterMs: number };

/**
 * Whether the fast path is taken. The taint concerns all pools of the node at once: none may cut established connections.
 * A text: why it is not taken. Undefined: no NLB sends to the node, or the notice is long enough for it.
 */
export function fastPath(input: FastPathInput): PlannedFastPath | string | undefined {
  const { found, now, noticeMs, allowances } = input;
  const opensUntil = (since: number) => since + propagationMs("nlb", allowances);
  const isShort = found.some(
    ({ registration: { pool }, since }) => pool.kind === "nlb" && opensUntil(since) > now + noticeMs,
  );
  if (!isShort) return undefined;
  const checked = found.flatMap((one): Checked[] => {
    const { kubeProxyCheckMs: failsAfterMs } = one.registration.pool;
    return failsAfterMs === undefined ? [] : [{ ...one, failsAfterMs }];
  });
  const nlbs = checked.filter(({ registration }) => registration.pool.kind === "nlb" && !mayBePod(registration));
  if (nlbs.length === 0) return `no health check of its NLB target groups asks kube-proxy (${KUBE_PROXY_CHECK})`;
  const inTime = nlbs.filter(({ failsAfterMs }) => failsAfterMs < noticeMs);
  if (inTime.length === 0)
    return `the health checks of ${namesOf(nlbs).join(", ")} need ${seconds(slowest(nlbs))} to fail`;
  const cuts = cutTexts(input, checked);
  if (cuts.length > 0) return `established connections would be cut: ${cuts.join("; ")}`;
  return { pools: namesOf(inTime), failsWithinMs: slowest(inTime) };
}

/** As people find it in AWS. */
const KUBE_PROXY_CHECK = "HTTP, port 10256, path /healthz";

/** A health check of a pod does not ask kube-proxy, whatever its port. */
function mayBePod(registration: Registration): boolean {
  return addressOf(registration) !== undefined;
}

function cutTexts({ elsewhere, noticeMs }: FastPathInput, checked: readonly Checked[]): readonly string[] {
  const cutting = checked.filter((one) => keptMs(one) < noticeMs).map(cutText);
  const unknown = elsewhere
    .filter(({ pool }) => pool.kubeProxyCheckMs !== undefined && mayCut(pool))
    .map(({ pool }) => `${pool.name} may close them: the drain does not cover it`);
  return [...new Set([...cutting, ...unknown])];
}

/** How long established connections of an unhealthy target are kept, in milliseconds. */
function keptMs({ registration: { pool }, terms }: Checked): number {
  return mayCut(pool) ? (terms.keepsUnhealthyMs ?? 0) : Number.POSITIVE_INFINITY;
}

/**
 * Others let an unhealthy target complete its requests.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-conn-drain.html
 */
function mayCut({ kind }: Pool): boolean {
  return kind === "nlb" || kind === "gwlb" || kind === "unknown";
}

function cutText({ registration: { pool }, terms: { keepsUnhealthyMs } }: Checked): string {
  return keepsUnhealthyMs === undefined
    ? `${pool.name} closes them when a target becomes unhealthy (target_health_state.unhealthy.connection_termination.enabled)`
    : `${pool.name} keeps them for ${seconds(keepsUnhealthyMs)} (target_health_state.unhealthy.draining_interval_seconds)`;
}

function slowest(checked: readonly Checked[]): number {
  return Math.max(...checked.map(({ failsAfterMs }) => failsAfterMs));
}

function namesOf(checked: readonly Checked[]): readonly string[] {
  return [...new Set(checked.map(({ registration: { pool } }) => pool.name))];
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}
