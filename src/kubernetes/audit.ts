import type { V1Deployment, V1EndpointSlice, V1Namespace, V1Service } from "@kubernetes/client-node";
import type { AutoscalerFacts, KubernetesFacts, LocalServiceFacts, NodePoolFacts, Unread } from "../doctor/facts.ts";
import type { ApiServer } from "./api-server.ts";
import { KubernetesError } from "./errors.ts";
import type { Wire } from "./objects.ts";

type Deployment = Wire<V1Deployment>;
type Container = NonNullable<NonNullable<NonNullable<Deployment["spec"]>["template"]["spec"]>["containers"]>[number];

/** https://karpenter.sh/docs/concepts/nodepools/ */
interface NodePool {
  readonly metadata?: { readonly name?: string };
  readonly spec?: { readonly template?: { readonly spec?: { readonly terminationGracePeriod?: unknown } } };
}

/** https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/targetgroupbinding/spec/ */
interface TargetGroupBinding {
  readonly metadata?: { readonly namespace?: string };
  readonly spec?: { readonly targetType?: string };
}

const GATE_LABEL = "elbv2.k8s.aws/pod-readiness-gate-inject";

/** What could not be read is missing in `facts` and named in `unread`. Rejects only with the reason of `signal`. */
export async function auditCluster(
  server: ApiServer,
  signal: AbortSignal,
): Promise<{ readonly facts: KubernetesFacts; readonly unread: readonly Unread[] }> {
  const unread: Unread[] = [];
  /** A kind that the cluster does not know has no objects. */
  const list = async <T>(what: string, path: string): Promise<readonly T[] | undefined> => {
    try {
      return (await server.list<T>(path, signal, {}, "background")).items;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof KubernetesError)) throw error;
      if (error.status === 404) return [];
      unread.push({ what: `${what} of the Kubernetes cluster ${server.name}`, why: error.message });
      return undefined;
    }
  };
  const [deployments, nodePools, namespaces, bindings, services, slices] = await Promise.all([
    list<Deployment>("the flags of cluster-autoscaler: Deployments", "/apis/apps/v1/deployments"),
    list<NodePool>("the grace periods of Karpenter: NodePools", "/apis/karpenter.sh/v1/nodepools"),
    list<Wire<V1Namespace>>("the readiness gates of pods: Namespaces", "/api/v1/namespaces"),
    list<TargetGroupBinding>(
      "the readiness gates of pods: TargetGroupBindings",
      "/apis/elbv2.k8s.aws/v1beta1/targetgroupbindings",
    ),
    list<Wire<V1Service>>("Services with externalTrafficPolicy Local", "/api/v1/services"),
    list<Wire<V1EndpointSlice>>(
      "the endpoints of Services with externalTrafficPolicy Local: EndpointSlices",
      "/apis/discovery.k8s.io/v1/endpointslices",
    ),
  ]);
  const facts = {
    autoscalers: (deployments ?? []).flatMap(autoscalerOf),
    nodePools: (nodePools ?? []).map(nodePoolOf),
    podTargetNamespaces: namespaces && bindings ? podTargetNamespaces(namespaces, bindings) : [],
    localServices: services && slices ? localServices(services, slices) : [],
  };
  return { facts, unread };
}

/** A Deployment is cluster-autoscaler's if one of its containers runs the program of that name. */
function autoscalerOf({ metadata, spec }: Deployment): readonly AutoscalerFacts[] {
  const containers = spec?.template.spec?.containers ?? [];
  return containers.flatMap((container, containerIndex) => {
    if (!runsAutoscaler(container)) return [];
    const { args = [], command = [] } = container;
    const list = args.length > 0 ? "args" : "command";
    const where = { namespace: metadata?.namespace ?? "", name: metadata?.name ?? "", containerIndex, list } as const;
    return [{ ...where, ...flagsOf([...command, ...args], list === "args" ? command.length : 0) }];
  });
}

function runsAutoscaler({ command = [], args = [], image = "" }: Container): boolean {
  const [program = ""] = [...command, ...args];
  if (!program.startsWith("-") && program !== "") return program.split("/").at(-1) === "cluster-autoscaler";
  return /(^|\/)cluster-autoscaler(-[a-z0-9]+)?(:|@|$)/.test(image);
}

/**
 * `--flag=value`, or `--flag value` in two words, with one dash or two. The last one counts, as in Go's package flag.
 * `from`: the number of words before the list that can be patched.
 */
function flagsOf(words: readonly string[], from: number): Pick<AutoscalerFacts, "flags" | "argumentIndex"> {
  const flags = new Map<string, string>();
  const argumentIndex = new Map<string, number>();
  for (const [index, word] of words.entries()) {
    const [, name, joined] = /^--?([a-z][a-z0-9-]*)(?:=(.*))?$/.exec(word) ?? [];
    if (name === undefined) continue;
    const next = words[index + 1] ?? "";
    flags.set(name, joined ?? (next.startsWith("-") ? "true" : next));
    if (joined !== undefined && index >= from) argumentIndex.set(name, index - from);
    else argumentIndex.delete(name);
  }
  return { flags, argumentIndex };
}

function nodePoolOf({ metadata, spec }: NodePool): NodePoolFacts {
  const { terminationGracePeriod } = spec?.template?.spec ?? {};
  return {
    name: metadata?.name ?? "",
    ...(typeof terminationGracePeriod === "string" ? { terminationGracePeriod } : {}),
  };
}

/** Namespaces with a TargetGroupBinding of type ip: their pods are targets. */
function podTargetNamespaces(
  namespaces: readonly Wire<V1Namespace>[],
  bindings: readonly TargetGroupBinding[],
): KubernetesFacts["podTargetNamespaces"] {
  const withPods = new Set(
    bindings.filter(({ spec }) => spec?.targetType === "ip").map(({ metadata }) => metadata?.namespace),
  );
  return namespaces
    .map(({ metadata }) => ({ name: metadata?.name ?? "", injectsGates: metadata?.labels?.[GATE_LABEL] === "enabled" }))
    .filter(({ name }) => withPods.has(name));
}

/** https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions */
function localServices(
  services: readonly Wire<V1Service>[],
  slices: readonly Wire<V1EndpointSlice>[],
): readonly LocalServiceFacts[] {
  const isLocal = ({ spec }: Wire<V1Service>) =>
    spec?.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";
  return services.filter(isLocal).map(({ metadata }) => {
    const { namespace = "", name = "" } = metadata ?? {};
    const own = slices.filter(
      (slice) =>
        slice.metadata?.namespace === namespace && slice.metadata.labels?.["kubernetes.io/service-name"] === name,
    );
    const ready = own
      .flatMap(({ endpoints }) => endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready !== false);
    // One pod has an endpoint in the slice of each address family.
    const pods = new Set(ready.map(({ targetRef, addresses }) => targetRef?.uid ?? addresses?.[0]));
    const nodes = new Set(ready.map(({ nodeName }) => nodeName));
    return { namespace, name, readyEndpoints: pods.size, nodes: nodes.size };
  });
}
