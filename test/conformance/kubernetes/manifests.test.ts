import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { codeBlocks, DOCUMENTS } from "../../support/documents.ts";
import type { KubernetesObject } from "../support/kubernetes-api.ts";
import { programPath } from "../support/kubernetes-programs.ts";
import { describeOnKubernetes } from "../support/on-kubernetes.ts";

const FOLDER = "deploy/kubernetes";
/** Those of the pages, by page. */
const BLOCKS = DOCUMENTS.flatMap(codeBlocks).filter(({ language }) => language === "yaml");

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

  const kindsOf = (text: string) => parseAllDocuments(text).map((document) => document.toJS().kind as string);
  const allCreated = (text: string) =>
    kindsOf(text).map((kind) => expect.stringMatching(new RegExp(`^${kind.toLowerCase()}\\S* created`)));

  test.each(readdirSync(FOLDER))("%s is accepted by an API server that allows no unknown field", async (name) => {
    const file = join(FOLDER, name);
    expect(await apply(file)).toEqual(allCreated(readFileSync(file, "utf8")));
  });

  test("those of the pages are accepted too", async () => {
    expect(BLOCKS.length).toBeGreaterThan(0);
    for (const { text } of BLOCKS)
      expect(await apply(cluster().writeFile("manifest.yaml", text))).toEqual(allCreated(text));
  });

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
    const text = readFileSync(join(FOLDER, "holder.yaml"), "utf8").replace("readOnlyRootFilesystem", "readOnlyRootfs");
    await expect(apply(cluster().writeFile("misspelt.yaml", text))).rejects.toThrow(/unknown field.*readOnlyRootfs/);
  });
});
