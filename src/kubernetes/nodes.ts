import { AUTOSCALER_TAINT, type ClusterNode, EXCLUDE_LABEL, instanceIdOf, OWN_TAINT_VALUE } from "../drain/cluster.ts";
import { type ApiServer, type ApplyOptions, segment } from "./api-server.ts";
import { KubernetesError } from "./errors.ts";
import type { KubernetesObject, Node } from "./objects.ts";

const OWN_PREFIX = "hasta-la-vista.io/";
/** cluster-autoscaler waits for all annotations with this prefix to be removed. */
export const DELAY_PREFIX = "delay-deletion.cluster-autoscaler.kubernetes.io/";

/** The fields of a Node object that are kept in memory. */
export function clusterNode({ metadata = {}, spec = {}, status = {} }: Node): ClusterNode {
  const { name = "", uid = "", annotations = {}, labels = {}, deletionTimestamp, ownerReferences = [] } = metadata;
  const ready = status.conditions?.find(({ type }) => type === "Ready");
  const readySince = moment(ready?.lastTransitionTime);
  const deletedAt = moment(deletionTimestamp);
  const claim = ownerReferences.find(({ kind }) => kind === "NodeClaim")?.name;
  const { providerID: providerId } = spec;
  const instanceId = instanceIdOf(providerId);
  return {
    name,
    uid,
    ...(providerId !== undefined && { providerId }),
    ...(instanceId !== undefined && { instanceId }),
    annotations: picked(annotations, (key) => key.startsWith(OWN_PREFIX) || key.startsWith(DELAY_PREFIX)),
    labels: picked(labels, (key) => key === EXCLUDE_LABEL),
    taints: taintsOfOthers(spec.taints).map(({ key, value, effect }) => ({
      key,
      effect,
      ...(value !== undefined && { value }),
    })),
    isUnschedulable: spec.unschedulable === true,
    ...(ready !== undefined && { ready: ready.status }),
    ...(readySince !== undefined && { readySince }),
    ...(deletedAt !== undefined && { deletedAt }),
    ...(claim !== undefined && { claim }),
  };
}

type Taints = NonNullable<NonNullable<Node["spec"]>["taints"]>;

/** Without the taint of `setOwnTaint`. */
function taintsOfOthers(taints: Taints = []): Taints {
  return taints.filter(({ key, value }) => key !== AUTOSCALER_TAINT || value !== OWN_TAINT_VALUE);
}

export const NODES_PATH = "/api/v1/nodes";

export function nodePath(name: string): string {
  return `${NODES_PATH}/${segment(name)}`;
}

/** Labels, annotations and fields of `spec` that one manager applies to a Node object. */
interface NodeFields {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec?: { readonly unschedulable?: true };
}

/**
 * Server-side apply to a Node object: a field that the manager has applied before, and that is not among these, is
 * removed. With the uid, because an apply would otherwise create a deleted Node object again. Throws `KubernetesError`.
 */
export async function applyToNode(
  server: ApiServer,
  { name, uid }: Pick<ClusterNode, "name" | "uid">,
  { spec, ...metadata }: NodeFields,
  options: ApplyOptions,
  signal: AbortSignal,
): Promise<void> {
  const object = { apiVersion: "v1", kind: "Node", metadata: { name, uid, ...metadata }, ...(spec && { spec }) };
  await server.apply(nodePath(name), object, options, signal);
}

const OWN_TAINT = { key: AUTOSCALER_TAINT, value: OWN_TAINT_VALUE, effect: "NoSchedule" } as const;
/** Shown in `managedFields`. It does not own the taint: see `setOwnTaint`. */
const TAINT_MANAGER = "hasta-la-vista-taint";
/** Kubelets and controllers change Node objects all the time. */
const CONFLICTS_MAX = 5;

/**
 * Sets this program's taint, or removes it. The list of taints is one field, which an apply would take over from all
 * other managers. So it is written as it was read, and only if the object has not changed since. Throws
 * `KubernetesError`. https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
 */
export async function setOwnTaint(
  server: ApiServer,
  { name, uid }: Pick<ClusterNode, "name" | "uid">,
  isWanted: boolean,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const { metadata, spec } = await server.get<Node>(nodePath(name), signal);
    const before = spec?.taints ?? [];
    const others = taintsOfOthers(before);
    const isSet = others.length < before.length;
    // Another Node object of the name has nothing of this program. A node can have only one taint of this key and
    // effect.
    if (metadata?.uid !== uid || isSet === isWanted || others.some(isLikeOurs)) return;
    const taints = isWanted ? [...others, OWN_TAINT] : others;
    const patch = { metadata: { uid, resourceVersion: metadata.resourceVersion }, spec: { taints } };
    try {
      await server.mergePatch(nodePath(name), patch, signal, { query: { fieldManager: TAINT_MANAGER } });
      return;
    } catch (error) {
      if (!(error instanceof KubernetesError && error.status === 409) || attempt === CONFLICTS_MAX) throw error;
    }
  }
}

function isLikeOurs({ key, effect }: Taints[number]): boolean {
  return key === OWN_TAINT.key && effect === OWN_TAINT.effect;
}

const TERMINATION_TIME = "karpenter.sh/nodeclaim-termination-timestamp";
const CLAIM_TIMEOUT_MS = 2_000;

/**
 * When Karpenter terminates the machine with everything that is still on it, in milliseconds since the epoch, if its
 * NodeClaim has a `terminationGracePeriod`. Undefined: never, or Karpenter has not created the machine. Throws
 * `KubernetesError`. https://karpenter.sh/docs/concepts/disruption/#terminationgraceperiod
 */
export async function terminationTime(
  server: ApiServer,
  { claim }: ClusterNode,
  signal: AbortSignal,
): Promise<number | undefined> {
  if (claim === undefined) return undefined;
  const path = `/apis/karpenter.sh/v1/nodeclaims/${segment(claim)}`;
  const request = { method: "GET", path, timeoutMs: CLAIM_TIMEOUT_MS } as const;
  const { metadata } = await server.request<KubernetesObject>(request, signal);
  return moment(metadata?.annotations?.[TERMINATION_TIME]);
}

function picked(all: Readonly<Record<string, string>>, isRead: (key: string) => boolean) {
  return Object.fromEntries(Object.entries(all).filter(([key]) => isRead(key)));
}

function moment(time: string | undefined): number | undefined {
  const at = Date.parse(time ?? "");
  return Number.isNaN(at) ? undefined : at;
}
