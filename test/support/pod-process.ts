import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { Child } from "./child-process.ts";
import { Image } from "./image.ts";
import type { Environment } from "./program-run.ts";

export interface Variable {
  readonly name: string;
  readonly value?: string;
  /** Of the pod itself (downward API). */
  readonly valueFrom?: { readonly fieldRef?: { readonly fieldPath: string } };
}

/** What a kubelet fills in for a pod. */
const FIELDS: Readonly<Record<string, string>> = {
  "metadata.name": "pod-of-the-test",
  "metadata.namespace": "kube-system",
  "status.podIP": "127.0.0.1",
  "spec.nodeName": "node-of-the-pod",
};

interface Mount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}

interface Container {
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env: readonly Variable[];
  readonly volumeMounts: readonly Mount[];
}

interface Volume {
  readonly name: string;
  readonly secret?: {
    readonly secretName: string;
    readonly items?: readonly { readonly key: string; readonly path: string }[];
  };
}

/** The spec of a pod with one container. */
export interface PodSpec {
  readonly containers: readonly Container[];
  readonly volumes: readonly Volume[];
}

export interface PodInput {
  /** The Secrets of the namespace, with their values as text. */
  readonly secrets: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** What the process gets besides the variables of the container, and in place of them. */
  readonly environment: Environment;
  /** Addresses that a process reaches in place of those of a cluster. */
  readonly addresses?: Readonly<Record<string, string>>;
}

/**
 * The container of a pod as a process: the image's program with the container's arguments, its variables, and its volumes
 * as folders. It runs as the user of this process, and ends with the test.
 */
export async function startPod(
  { containers: [container], volumes }: PodSpec,
  { secrets, environment, addresses = {} }: PodInput,
): Promise<Child> {
  if (container === undefined) throw new Error("the pod has no container");
  const root = mkdtempSync(join(tmpdir(), "mounts-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const places: (readonly [string, string])[] = Object.entries(addresses);
  for (const { name, mountPath } of container.volumeMounts) {
    const volume = volumes.find((each) => each.name === name);
    if (volume === undefined) throw new Error(`the pod mounts ${name}, and has no such volume`);
    writeVolume(join(root, name), volume, secrets);
    places.push([mountPath, join(root, name)]);
  }
  const given: Record<string, string | undefined> = {};
  for (const { name, value, valueFrom } of container.env) {
    const text = value ?? FIELDS[valueFrom?.fieldRef?.fieldPath ?? ""];
    given[name] = text === undefined ? undefined : placed(text, places);
  }
  Object.assign(given, environment);
  const words = (list: readonly string[] = []) =>
    list.map((word) => placed(word, places).replace(/\$\((\w+)\)/g, (whole, name) => given[name] ?? whole));
  if (container.command !== undefined) {
    const [, ...rest] = words([...container.command, ...(container.args ?? [])]);
    return new Child({ command: [process.execPath, ...rest], options: {} }, [], given);
  }
  const image = await Image.of("service");
  const program = image.program(container.args === undefined ? undefined : words(container.args));
  return new Child({ ...program, options: {} }, [], given);
}

/** A longer path first: one mount may lie in another. */
function placed(text: string, places: readonly (readonly [string, string])[]): string {
  const ordered = [...places].sort(([one], [other]) => other.length - one.length);
  const [from, to] = ordered.find(([each]) => text === each || text.startsWith(`${each}/`)) ?? ["", ""];
  return from === "" ? text : to + text.slice(from.length);
}

function writeVolume(folder: string, { name, secret }: Volume, secrets: PodInput["secrets"]): void {
  // A new ext4 volume is not empty.
  mkdirSync(secret === undefined ? join(folder, "lost+found") : folder, { recursive: true });
  if (secret === undefined) return;
  const values = secrets[secret.secretName];
  if (values === undefined)
    throw new Error(`the volume ${name} is of the Secret ${secret.secretName}, which is not there`);
  const items = secret.items ?? Object.keys(values).map((key) => ({ key, path: key }));
  for (const { key, path } of items) writeFileSync(join(folder, path), values[key] ?? "", { mode: 0o600 });
}
