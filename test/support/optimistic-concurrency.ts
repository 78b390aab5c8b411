import type { KubernetesObject } from "../../src/kubernetes/objects.ts";

/** A refusal to write, as its HTTP status, reason and message. */
type WriteRefusal = readonly [status: number, reason: string, message: string];

/** Subresources, and objects that are answers, are not stored under their names. */
export function creationRefusal(path: string, before: KubernetesObject | undefined): WriteRefusal | undefined {
  const { name } = before?.metadata ?? {};
  if (name === undefined || path.endsWith("/eviction")) return undefined;
  return [409, "AlreadyExists", `"${name}" already exists`];
}

/** https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions */
export function updateRefusal(before: KubernetesObject, given: KubernetesObject): WriteRefusal | undefined {
  const { uid = before.metadata?.uid, resourceVersion } = given.metadata ?? {};
  if (resourceVersion === undefined)
    return [422, "Invalid", "metadata.resourceVersion: must be specified for an update"];
  const isMeant = uid === before.metadata?.uid && resourceVersion === before.metadata?.resourceVersion;
  return isMeant ? undefined : [409, "Conflict", "the object has been modified; please apply your changes"];
}

/** Whether an object has the labels of a selector of equalities. */
export function isSelected({ metadata }: KubernetesObject, selector: string | null): boolean {
  const labels = metadata?.labels ?? {};
  return (selector ?? "").split(",").every((term) => {
    const [label = "", value] = term.split("=");
    return label === "" || labels[label] === value;
  });
}
