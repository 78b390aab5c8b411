import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { runHere } from "../support/run-here.ts";

interface Document {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly {
    readonly apiGroups: unknown;
    readonly resources: unknown;
    readonly verbs: readonly string[];
  }[];
  readonly roleRef?: object;
  readonly subjects?: readonly object[];
}

async function printed(...args: readonly string[]): Promise<readonly Document[]> {
  const { code, stdout, stderr } = await runHere(["rbac", ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return parseAllDocuments(stdout).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS();
  });
}

const verbsOf = ([role]: readonly Document[]) => role?.rules?.flatMap(({ verbs }) => verbs);

describe("hasta-la-vista rbac", () => {
  test("prints a role and its binding to the service account of the manifest", async () => {
    const documents = await printed();
    expect(documents.map(({ kind, metadata }) => [kind, metadata])).toEqual([
      ["ClusterRole", { name: "hasta-la-vista" }],
      ["ClusterRoleBinding", { name: "hasta-la-vista" }],
    ]);
    expect(documents[1]).toMatchObject({
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "hasta-la-vista" },
      subjects: [{ kind: "ServiceAccount", name: "hasta-la-vista", namespace: "kube-system" }],
    });
  });

  test("lets plan only read, and drain watch nothing", async () => {
    expect(verbsOf(await printed("--for", "plan"))).toEqual(["get", "list", "list"]);
    expect(verbsOf(await printed("--for", "drain"))).toEqual(["get", "list", "patch", "list", "create", "create"]);
    expect(verbsOf(await printed())).toEqual([
      "get",
      "list",
      "watch",
      "patch",
      "list",
      "watch",
      "create",
      "create",
      "get",
    ]);
  });

  test("lets pods be deleted only where that is asked for, and nothing be evicted where EVICT is never", async () => {
    const rulesFor = async (...args: string[]) => JSON.stringify((await printed(...args))[0]?.rules);
    expect(await rulesFor()).not.toContain('"delete"');
    expect(await rulesFor("--disable-eviction")).toContain(
      '{"apiGroups":[""],"resources":["pods"],"verbs":["delete"]}',
    );
    expect(await rulesFor("--for", "plan", "--disable-eviction")).not.toMatch(/delete|eviction/);
    expect(await rulesFor("--evictions", "never", "--disable-eviction")).not.toMatch(/delete|eviction/);
    expect(await rulesFor("--for", "drain", "--evictions", "never")).toContain("pods/eviction");
  });

  test("lets the service read single pods only where it is the eviction gate", async () => {
    const pods = async (...args: readonly string[]) =>
      (await printed(...args))[0]?.rules?.flatMap(({ resources, verbs }) =>
        JSON.stringify(resources) === '["pods"]' ? verbs : [],
      );
    expect(await pods()).toEqual(["list", "watch"]);
    expect(await pods("--eviction-gate")).toEqual(["list", "watch", "get"]);
    expect(await pods("--eviction-gate", "--for", "drain")).toEqual(["list"]);
  });

  test("lets the service review tokens and the access of their users, only where callers may send them", async () => {
    const reviews = async (...args: string[]) =>
      (await printed(...args))[0]?.rules?.filter(({ resources }) => /review/.test(String(resources)));
    expect(await reviews("--token-review")).toEqual([
      { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
      { apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"], verbs: ["create"] },
    ]);
    expect(await reviews()).toEqual([]);
    expect(await reviews("--token-review", "--for", "drain")).toEqual([]);
  });

  test("allows nothing by a wildcard, and no secrets", async () => {
    const text = JSON.stringify(await printed());
    expect(text).not.toContain("*");
    expect(text).not.toContain("secrets");
  });

  test("takes other names, and prints the service account where it is asked to", async () => {
    const [account, role, binding] = await printed("--service-account", "--name", "drainer", "--namespace", "tools");
    expect(account).toMatchObject({ kind: "ServiceAccount", metadata: { name: "drainer", namespace: "tools" } });
    expect(role?.metadata.name).toBe("drainer");
    expect(binding?.subjects).toEqual([{ kind: "ServiceAccount", name: "drainer", namespace: "tools" }]);
  });
});
