import { DrainError } from "../drain/errors.ts";
import type { JointEviction } from "../drain/eviction.ts";
import type { ApiServer } from "./api-server.ts";
import type { KubernetesObject } from "./objects.ts";
import type { NodePod } from "./pods.ts";

const REVIEWS_PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
const WITHIN_MS = 2_000;
/** Pods of at most this many namespaces are checked. The pods of a node are in a few. */
const NAMESPACES_MAX = 20;

interface Review extends KubernetesObject {
  readonly status?: { readonly allowed?: unknown };
}

/**
 * Throws `not-evicted` if the API server says that this program may not evict these pods, or may not delete them if the
 * options ask for that, and names the permission. Otherwise this would show only after the traffic of the node has
 * ended. If the API server can't be asked, the permission is assumed.
 * https://kubernetes.io/docs/reference/access-authn-authz/authorization/
 */
export async function checkMayEvict(
  server: ApiServer,
  pods: readonly Pick<NodePod, "name">[],
  { disablesEviction }: Pick<JointEviction, "disablesEviction">,
  signal: AbortSignal,
): Promise<void> {
  const isDeletion = disablesEviction === true;
  const what = isDeletion
    ? { verb: "delete", resource: "pods" }
    : { verb: "create", resource: "pods", subresource: "eviction" };
  const namespaces = [...new Set(pods.map(({ name }) => name.split("/", 1)[0] ?? ""))].slice(0, NAMESPACES_MAX);
  const isDenied = async (namespace: string) => {
    const spec = { resourceAttributes: { ...what, namespace } };
    const body = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec };
    const request = { method: "POST", path: REVIEWS_PATH, body, timeoutMs: WITHIN_MS } as const;
    try {
      const { status } = await server.request<Review>(request, signal);
      return status?.allowed === false;
    } catch {
      signal.throwIfAborted();
      return false;
    }
  };
  const denied = await Promise.all(namespaces.map(isDenied));
  const [first] = namespaces.filter((_, index) => denied[index] === true);
  if (first === undefined) return;
  const [permission, role] = isDeletion
    ? ["'delete' of 'pods'", "rbac --disable-eviction"]
    : ["'create' of 'pods/eviction'", "rbac"];
  throw new DrainError(
    "not-evicted",
    `the pods are not evicted: Kubernetes grants this program no ${permission} in the namespace ${first}. Grant the permission: 'hasta-la-vista ${role}' prints the role`,
  );
}
