import type { KubernetesObject } from "../../src/kubernetes/objects.ts";
import { type FakeApiServer, merged } from "./fake-api-server.ts";
import { shellWords } from "./mending.ts";

/** The collections of what doctor's commands change, by the names that kubectl has for the kinds. */
const COLLECTIONS: Readonly<Record<string, string>> = {
  deployment: "/apis/apps/v1/deployments",
  namespace: "/api/v1/namespaces",
  nodepool: "/apis/karpenter.sh/v1/nodepools",
  service: "/api/v1/services",
};

/** Does to the objects of a fake API server what `kubectl patch` and `kubectl label` would do. */
export function runKubectl(line: string, fake: FakeApiServer): void {
  const [program, ...words] = shellWords(line);
  if (program !== "kubectl") throw new Error(`not a command of kubectl: ${line}`);
  const given = (flag: string) => (words.includes(flag) ? words[words.indexOf(flag) + 1] : undefined);
  const namespace = given("--namespace");
  const [verb, kind = "", name = ""] = words.slice(namespace === undefined ? 0 : 2);
  const path = COLLECTIONS[kind];
  const key = namespace === undefined ? name : `${namespace}/${name}`;
  const before = path && fake.stored(path, key);
  if (path === undefined || before === undefined || before === "") throw new Error(`no object for: ${line}`);
  fake.put(path, changed(before, verb ?? "", { given, last: words.at(-1) ?? "" }) as KubernetesObject);
}

function changed(
  before: KubernetesObject,
  verb: string,
  { given, last }: { readonly given: (flag: string) => string | undefined; readonly last: string },
): unknown {
  if (verb === "label") {
    const [label = "", value = ""] = last.split("=");
    return merged(before, { metadata: { labels: { [label]: value } } });
  }
  const patch: unknown = JSON.parse(given("--patch") ?? "");
  switch (`${verb} ${given("--type")}`) {
    case "patch merge":
      return merged(before, patch);
    case "patch json":
      return (patch as readonly Operation[]).reduce(applied, structuredClone(before) as unknown);
    default:
      throw new Error(`no way to do ${verb}`);
  }
}

/** RFC 6902, of items of lists. */
interface Operation {
  readonly op: string;
  readonly path: string;
  readonly value: unknown;
}

function applied(object: unknown, { op, path, value }: Operation): unknown {
  const keys = path.split("/").slice(1);
  const last = keys.pop() ?? "";
  const list: unknown = keys.reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], object);
  if (!Array.isArray(list)) throw new Error(`${path} is no item of a list`);
  if (op === "add" && last === "-") list.push(value);
  else if (op === "replace" && Number(last) < list.length) list[Number(last)] = value;
  else throw new Error(`no way to ${op} ${path}`);
  return object;
}
