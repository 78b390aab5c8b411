import type { Instance } from "../../../src/simulator/world/instance.ts";
import type { KubernetesApi, KubernetesObject } from "./kubernetes-api.ts";

interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
}

export interface NodeObject extends KubernetesObject {
  readonly spec: { readonly providerID?: string; readonly unschedulable?: boolean; readonly taints?: readonly Taint[] };
  readonly status: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

export interface NodeInput {
  readonly name: string;
  /** `aws:///eu-west-1a/i-0123456789abcdef0`. Absent: the node has none. */
  readonly providerId?: string;
  /** The InternalIP. */
  readonly address?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly Taint[];
  /** Of the condition Ready. */
  readonly ready?: "True" | "False" | "Unknown";
}

/** A node as it is once its kubelet has joined and is ready, with just these taints. */
export async function addNode(api: KubernetesApi, input: NodeInput): Promise<NodeObject> {
  const { name, providerId, labels = {}, taints = [] } = input;
  await api.post("/api/v1/nodes", {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name, ...labels } },
    spec: providerId === undefined ? {} : { providerID: providerId },
  });
  await setReady(api, name, input.ready ?? "True", input.address);
  // An admission plug-in gives every new node the taint node.kubernetes.io/not-ready, which a controller takes away.
  return await api.patch<NodeObject>(nodePath(name), { spec: { taints } });
}

/** The node of an instance that is simulated, named as AWS names it. */
export function addNodeOf(
  api: KubernetesApi,
  instance: Pick<Instance, "id" | "name" | "privateIp" | "zone">,
  input: Partial<NodeInput> = {},
): Promise<NodeObject> {
  const { id, name, privateIp: address, zone } = instance;
  const labels = { "topology.kubernetes.io/zone": zone, ...input.labels };
  return addNode(api, { name, address, providerId: `aws:///${zone}/${id}`, ...input, labels });
}

export async function setReady(
  api: KubernetesApi,
  name: string,
  status: "True" | "False" | "Unknown",
  address?: string,
): Promise<void> {
  const addresses = address === undefined ? {} : { addresses: [{ type: "InternalIP", address }] };
  const conditions = [{ type: "Ready", status, reason: "Test" }];
  await api.patch(`${nodePath(name)}/status`, { status: { ...addresses, conditions } });
}

/** A Service of type LoadBalancer, for which cloud-provider-aws makes a load balancer. */
export async function addService(
  api: KubernetesApi,
  name: string,
  annotations: Readonly<Record<string, string>> = {},
): Promise<void> {
  await api.post("/api/v1/namespaces/default/services", {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, annotations },
    spec: { type: "LoadBalancer", selector: { app: name }, ports: [{ name: "http", port: 80, nodePort: 0 }] },
  });
}

export function nodePath(name: string): string {
  return `/api/v1/nodes/${name}`;
}
