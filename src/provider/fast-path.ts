import { addressOf, type FastPathInput, type PlannedFastPath, type Registration } from "../drain/cloud-provider.ts";
import { type AwsPoolTerms, seconds } from "./release-terms.ts";
import type { AwsPool } from "./target-groups.ts";

/**
 * EC2 gives this notice before it reclaims a spot instance.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
 */
const SPOT_NOTICE_MS = 120_000;

type Checked = FastPathInput["found"][number] & { readonly failsAfterMs: number };

/** With the notice, in milliseconds, which may be assumed. */
type Noticed = FastPathInput & { readonly noticeMs: number };

/**
 * See `CloudProvider.fastPath`: an NLB opens connections for minutes after a deregistration, and stops sooner for a
 * target that fails its health checks. Undefined: no NLB sends traffic to the node, or the notice is long enough.
 */
export function fastPath(input: FastPathInput): PlannedFastPath | string | undefined {
  const { noticeMs = SPOT_NOTICE_MS } = input;
  const fast = withNotice({ ...input, noticeMs });
  if (typeof fast !== "string") return fast;
  const when = input.noticeMs === undefined ? ` for a spot interruption (${seconds(noticeMs)})` : "";
  return `the fast path (NLB_FAST_PATH) is not taken${when}: ${fast}`;
}

/** The taint affects all pools of the node at once, so none of them may cut established connections. */
function withNotice(input: Noticed): PlannedFastPath | string | undefined {
  const { found, now, noticeMs } = input;
  const isShort = found.some(
    ({ registration: { pool }, terms, since }) => pool.kind === "nlb" && since + terms.newTrafficMs > now + noticeMs,
  );
  if (!isShort) return undefined;
  const checked = found.flatMap((one): Checked[] => {
    const { kubeProxyCheckMs: failsAfterMs }: AwsPool = one.registration.pool;
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

/** The names that people see in AWS. */
const KUBE_PROXY_CHECK = "HTTP, port 10256, path /healthz";

/** A pod answers its health check itself, whatever the port. */
function mayBePod(registration: Registration): boolean {
  return addressOf(registration) !== undefined;
}

function cutTexts({ elsewhere, noticeMs }: Noticed, checked: readonly Checked[]): readonly string[] {
  const cutting = checked.filter((one) => keptMs(one) < noticeMs).map(cutText);
  const unknown = elsewhere
    .filter(({ pool }: { readonly pool: AwsPool }) => pool.kubeProxyCheckMs !== undefined && mayCut(pool))
    .map(({ pool }) => `${pool.name} may close them: the drain does not cover it`);
  return [...new Set([...cutting, ...unknown])];
}

/** How long established connections of an unhealthy target are kept, in milliseconds. */
function keptMs({ registration: { pool }, terms }: Checked): number {
  return mayCut(pool) ? ((terms as AwsPoolTerms).keepsUnhealthyMs ?? 0) : Number.POSITIVE_INFINITY;
}

/**
 * Other load balancers let an unhealthy target complete its requests.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-conn-drain.html
 */
function mayCut({ kind }: AwsPool): boolean {
  return kind === "nlb" || kind === "gwlb" || kind === "unknown";
}

function cutText({ registration: { pool }, terms }: Checked): string {
  const { keepsUnhealthyMs } = terms as AwsPoolTerms;
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
