import type { KubernetesObject } from "../../src/kubernetes/objects.ts";

type Texts = Record<string, string>;

/** Which manager owns which label or annotation, by the object's uid: `labels/KEY` to the managers. */
export type Owners = Map<string, Map<string, Set<string>>>;

export interface Apply {
  readonly manager: string;
  readonly force: boolean;
}

/**
 * Server-side apply of labels and annotations, which is all that is applied to Node objects here. A text: the conflict.
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
  return { ...before, metadata } as KubernetesObject;
}
