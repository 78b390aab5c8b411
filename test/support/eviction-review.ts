/**
 * A review as kube-apiserver 1.35 sends it for `POST …/pods/web/eviction`. `request`: fields of its request in place of
 * these.
 */
export function evictionReview(request: Readonly<Record<string, unknown>> = {}) {
  const { name = "web", namespace = "default" } = request;
  return {
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
    request: {
      uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
      kind: { group: "policy", version: "v1", kind: "Eviction" },
      resource: { group: "", version: "v1", resource: "pods" },
      subResource: "eviction",
      requestKind: { group: "policy", version: "v1", kind: "Eviction" },
      requestResource: { group: "", version: "v1", resource: "pods" },
      requestSubResource: "eviction",
      name,
      namespace,
      operation: "CREATE",
      userInfo: { username: "system:serviceaccount:kube-system:karpenter", groups: ["system:authenticated"] },
      object: {
        kind: "Eviction",
        apiVersion: "policy/v1",
        metadata: { name, namespace, creationTimestamp: null },
        deleteOptions: {},
      },
      oldObject: null,
      dryRun: false,
      options: { kind: "CreateOptions", apiVersion: "meta.k8s.io/v1" },
      ...request,
    },
  };
}
