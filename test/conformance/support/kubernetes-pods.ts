import type { KubernetesApi, KubernetesObject } from "./kubernetes-api.ts";

export interface PodObject extends KubernetesObject {
  readonly spec: { readonly nodeName?: string };
  readonly status: { readonly phase: string; readonly podIP?: string };
}

export interface PodInput {
  readonly name: string;
  /** There is no scheduler: the pod is bound to its node from the start. */
  readonly nodeName: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly tolerations?: readonly Readonly<Record<string, string>>[];
  readonly gracePeriodSeconds?: number;
  /** One that the API server brings along, or that the test has made. */
  readonly priorityClass?: string;
  /** Kind of the owner, such as DaemonSet. It need not exist: nothing collects garbage. */
  readonly owner?: string;
}

/** A pod in the namespace `default`. It stays pending unless kwok runs. */
export async function addPod(api: KubernetesApi, input: PodInput): Promise<PodObject> {
  const { name, nodeName, labels = {}, annotations = {}, tolerations = [], gracePeriodSeconds = 1, owner } = input;
  const { priorityClass: priorityClassName } = input;
  const uid = "00000000-0000-4000-8000-000000000000";
  const owners = owner === undefined ? [] : [{ apiVersion: "apps/v1", kind: owner, name, uid, controller: true }];
  return await api.post<PodObject>("/api/v1/namespaces/default/pods", {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels, annotations, ownerReferences: owners },
    spec: {
      nodeName,
      tolerations,
      ...(priorityClassName !== undefined && { priorityClassName }),
      terminationGracePeriodSeconds: gracePeriodSeconds,
      containers: [{ name: "main", image: "none" }],
    },
  });
}

export function podPath(name: string): string {
  return `/api/v1/namespaces/default/pods/${name}`;
}
