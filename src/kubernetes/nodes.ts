import { type ClusterNode, EXCLUDE_LABEL, instanceIdOf } from "../drain/cluster.ts";
import { type ApiServer, type ApplyOptions, segment } from "./api-server.ts";
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
    taints: (spec.taints ?? []).map(({ key, value, effect }) => ({
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

export const NODES_PATH = "/api/v1/nodes";

export function nodePath(name: string): string {
  return `${NODES_PATH}/${segment(name)}`;
}

/** Labels, annotations and fields of `spec` that one manager wants a Node object to have. */
interface NodeFields {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec?: { readonly unschedulable?: true };
}

/**
 * Server-side apply to a Node object: what the manager has applied before, and is not among these fields, is removed. With
 * the uid, because an apply would otherwise make a Node object that is gone anew. Throws `KubernetesError`.
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

const TERMINATION_TIME = "karpenter.sh/nodeclaim-termination-timestamp";
const CLAIM_TIMEOUT_MS = 2_000;

/**
 * When Karpenter terminates the machine whatever is still on it, in milliseconds since the epoch: where its NodeClaim has a
 * `terminationGracePeriod`. Undefined: never, or Karpenter has not made it. Throws `KubernetesError`.
 * https://karpenter.sh/docs/concepts/disruption/#terminationgraceperiod
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
