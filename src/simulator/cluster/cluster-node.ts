/** The parts of a Kubernetes Node object that controllers use. */
export interface ClusterNode {
  readonly name: string;
  /** `aws:///eu-west-1a/i-0123456789abcdef0` */
  readonly providerId?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly { readonly key: string; readonly effect: string }[];
  /** Its deletion was requested, and a finalizer retains it. */
  readonly isBeingDeleted?: true;
  /** The status of its condition Ready. */
  readonly ready: "True" | "False" | "Unknown";
}

/** Reads a node as the API server returns it. */
export function readNode({ metadata, spec, status }: NodeObject): ClusterNode {
  const ready = status?.conditions?.find(({ type }) => type === "Ready")?.status;
  return {
    name: metadata.name,
    ...(spec?.providerID === undefined ? {} : { providerId: spec.providerID }),
    labels: metadata.labels ?? {},
    taints: spec?.taints ?? [],
    ...(metadata.deletionTimestamp === undefined ? {} : { isBeingDeleted: true }),
    // A node without the condition counts as not ready.
    ready: ready === "True" || ready === "Unknown" ? ready : "False",
  };
}

/** https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/node-v1/ */
export interface NodeObject {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly spec?: {
    readonly providerID?: string;
    readonly taints?: readonly { readonly key: string; readonly effect: string }[];
  };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** Undefined if the node has no provider id, or one of another cloud. */
export function instanceIdOf({ providerId }: ClusterNode): string | undefined {
  return /^aws:\/\/.*\/(i-[0-9a-f]+)$/.exec(providerId ?? "")?.[1];
}
