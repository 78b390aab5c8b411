import type { KubernetesObject } from "../../src/kubernetes/objects.ts";

type Texts = Record<string, string>;

/** Which manager owns which label, annotation or `spec.unschedulable`, by the object's uid: `labels/KEY` to the managers. */
export type Owners = Map<string, Map<string, Set<string>>>;

export interface Apply {
  readonly manager: string;
  readonly force: boolean;
}

/**
 * Server-side apply of labels, annotations and the cordon, which is all that is applied to Node objects here. A text: the conflict.
 * https://kubernetes.io/docs/reference/using-api/server-side-apply/
 */
export function applied(
  before: KubernetesObject,
  given: KubernetesObject,
  { manager, force }: Apply,
  owners: Owners,
): KubernetesObject | string {
  const { uid = "" } = before.metadata ?? {};
  if (given.metadata?.uid !== undefined && given.metadata.uid !== uid)
    return `Precondition failed: UID in precondition: ${given.metadata.uid}, UID in object meta: ${uid}`;
  const owned = owners.get(uid) ?? new Map<string, Set<string>>();
  const metadata = { ...before.metadata } as Record<string, unknown>;
  for (const part of ["labels", "annotations"] as const) {
    const values: Texts = { ...before.metadata?.[part] };
    const wanted: Texts = { ...given.metadata?.[part] };
    for (const [key, value] of Object.entries(wanted)) {
      const of = owned.get(`${part}/${key}`) ?? new Set<string>();
      const isOthers = key in values && !of.has(manager);
      if (isOthers && values[key] !== value && !force) return `conflict with "other": .metadata.${part}.${key}`;
      owned.set(`${part}/${key}`, force && values[key] !== value ? new Set([manager]) : of.add(manager));
      // What is there already has an owner of its own: whoever wrote it.
      if (isOthers && values[key] === value) of.add("other");
      values[key] = value;
    }
    for (const [name, of] of owned) {
      const key = name.slice(part.length + 1);
      if (!name.startsWith(`${part}/`) || key in wanted || !of.delete(manager)) continue;
      if (of.size === 0) delete values[key];
    }
    metadata[part] = values;
  }
  owners.set(uid, owned);
  const spec = cordoned(before as Cordoned, given as Cordoned, manager, owned);
  return { ...before, metadata, ...(spec && { spec }) } as KubernetesObject;
}

type Cordoned = KubernetesObject & { readonly spec?: { readonly unschedulable?: boolean } };

/** A cordon stays as long as one of its managers wants it. */
function cordoned(before: Cordoned, given: Cordoned, manager: string, owned: Map<string, Set<string>>) {
  const of = owned.get("spec/unschedulable") ?? new Set<string>();
  const { unschedulable, ...rest } = before.spec ?? {};
  if (unschedulable === true && of.size === 0) of.add("other");
  if (unschedulable === undefined) of.clear();
  if (given.spec?.unschedulable === true) of.add(manager);
  else of.delete(manager);
  owned.set("spec/unschedulable", of);
  return before.spec && { ...rest, ...(of.size > 0 && { unschedulable: true }) };
}
