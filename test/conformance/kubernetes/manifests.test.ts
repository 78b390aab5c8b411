import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { codeBlocks } from "../../support/documents.ts";
import { KUSTOMIZE } from "../../support/kustomize-files.ts";
import type { KubernetesObject } from "../support/kubernetes-api.ts";
import { programPath } from "../support/kubernetes-programs.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

const run = promisify(execFile);

describeOnKubernetes("the manifests", ["kubectl"], (cluster) => {
  /** What kubectl prints of each object. Rejects with what the API server refuses. */
  async function apply(file: string): Promise<readonly string[]> {
    const args = [`--kubeconfig=${cluster().kubeconfig}`, "apply", "--dry-run=server", "--validate=strict"];
    const { stdout } = await run(programPath("kubectl"), [...args, `--filename=${file}`], {
      env: { HOME: "/nonexistent" },
    });
    return stdout.trimEnd().split("\n");
  }

  test("the page's commands print the state of a node, and its Events", async () => {
    const annotations = {
      "hasta-la-vista.io/state": "draining",
      "hasta-la-vista.io/estimated-end": "2026-01-01T00:00:00Z",
    };
    const { api } = cluster();
    const { metadata: node } = await api.post<{ readonly metadata: { readonly uid: string } } & KubernetesObject>(
      "/api/v1/nodes",
      {
        apiVersion: "v1",
        kind: "Node",
        metadata: { name: "node-1", annotations },
      },
    );
    await api.post("/apis/events.k8s.io/v1/namespaces/default/events", {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { generateName: "node-1-", namespace: "default" },
      eventTime: "2026-01-01T00:00:00.000000Z",
      reportingController: "hasta-la-vista",
      reportingInstance: "test",
      action: "Drain",
      reason: "Draining",
      type: "Normal",
      note: "3 registrations.",
      regarding: { apiVersion: "v1", kind: "Node", name: "node-1", uid: node.uid },
    });
    const [block = ""] = codeBlocks("docs/kubernetes.md")
      .map(({ text }) => text)
      .filter((text) => text.includes("custom-columns"));
    // kubectl keeps what it discovers below HOME.
    const env = { HOME: "/nonexistent", PATH: dirname(programPath("kubectl")), KUBECONFIG: cluster().kubeconfig };
    const [nodes = "", events = ""] = await Promise.all(
      block
        .trimEnd()
        .split("\n")
        .map(async (line) => (await run("/bin/sh", ["-c", line], { env })).stdout),
    );
    expect(nodes.split("\n").map((line) => line.split(/ +/))).toEqual([
      ["NAME", "STATE", "RESULT", "END"],
      ["node-1", "draining", "<none>", "2026-01-01T00:00:00Z"],
      [""],
    ]);
    expect(events).toMatch(/Normal +Draining +node\/node-1 +3 registrations\./);
  });

  test("a misspelt field is refused", async () => {
    const text = readFileSync(join(KUSTOMIZE, "holder.yaml"), "utf8").replace(
      "readOnlyRootFilesystem",
      "readOnlyRootfs",
    );
    await expect(apply(cluster().writeFile("misspelt.yaml", text))).rejects.toThrow(/unknown field.*readOnlyRootfs/);
  });
});
