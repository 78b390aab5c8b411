import { expect } from "vitest";
import { parseAllDocuments } from "yaml";

/** An object that a chart makes. */
export interface Made {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  readonly [key: string]: unknown;
}

/** The objects of a rendered chart, each of which must be well-formed. */
export const objectsIn = (text: string): readonly Made[] =>
  parseAllDocuments(text)
    .map((document) => {
      expect(document.errors).toEqual([]);
      return document.toJS() as Made | null;
    })
    .filter((object) => object !== null);

export interface RenderedPod {
  readonly automountServiceAccountToken: boolean;
  readonly containers: readonly [{ readonly env: readonly { readonly name: string; readonly value?: string }[] }];
}

/** The variables of its container, by their names. */
export function envOf({ containers: [{ env }] }: RenderedPod): Readonly<Record<string, { readonly value?: string }>> {
  return Object.fromEntries(env.map(({ name, ...given }) => [name, given]));
}

/** The pod of the workload of this kind whose name ends so. */
export function podOf(objects: readonly Made[], kind: string, suffix = ""): RenderedPod {
  const found = objects.find((object) => object.kind === kind && object.metadata.name.endsWith(suffix));
  if (found === undefined) throw new Error(`the chart makes no ${kind} whose name ends with '${suffix}'`);
  return (found["spec"] as { readonly template: { readonly spec: RenderedPod } }).template.spec;
}

/** Without the labels that say that Helm manages it. */
export function withoutHelm(object: Made): Made {
  const { "app.kubernetes.io/managed-by": _, "helm.sh/chart": __, ...labels } = object.metadata.labels ?? {};
  return { ...object, metadata: { ...object.metadata, labels } };
}

/**
 * The objects, and in them the entries of lists that have names, and the rules of roles, in one order: Kustomize merges these
 * lists by name, in an order of its own.
 */
export function sorted(objects: readonly Made[]): readonly unknown[] {
  return objects.map(withSortedLists).toSorted((a, b) => textOf(a).localeCompare(textOf(b)));
}

function withSortedLists(value: unknown): unknown {
  if (Array.isArray(value)) {
    const entries = value.map(withSortedLists);
    const areUnordered = value.every((entry) => typeof entry === "object" && entry !== null);
    return areUnordered ? entries.toSorted((a, b) => textOf(a).localeCompare(textOf(b))) : entries;
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      // Helm makes another pod for another role. In Kustomize the role is a patch of the service account alone.
      .filter(([key]) => key !== "hasta-la-vista.io/role-arn")
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([key, inner]) => [key, withSortedLists(inner)])
      // What is left of the annotations of that pod.
      .filter(([key, inner]) => key !== "annotations" || Object.keys(inner as object).length > 0),
  );
}

const textOf = (value: unknown) => JSON.stringify(value);
