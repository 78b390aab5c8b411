import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { CHART } from "../../support/chart-options.ts";
import type { KubernetesCluster } from "./kubernetes-cluster.ts";
import { programPath } from "./kubernetes-programs.ts";

/** Both have a `helm` that people use: version 3 applies objects by patches, version 4 lets the server apply them. */
export const HELMS = ["helm-3", "helm"] as const;
export type HelmProgram = (typeof HELMS)[number];

export interface HelmRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program of the conformance suite to its end. */
export async function runProgram(
  program: HelmProgram | "kubectl",
  args: readonly string[],
  cluster?: KubernetesCluster,
): Promise<HelmRun> {
  const home = mkdtempSync(join(tmpdir(), "helm-"));
  onTestFinished(() => rmSync(home, { recursive: true, force: true }));
  const env = {
    HOME: home,
    // Without a cluster a program may not find one either.
    KUBECONFIG: cluster?.kubeconfig ?? "/nonexistent",
  };
  const child = spawn(programPath(program), args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  return await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** What the program prints. Throws with what it says where it fails. */
export async function mustRun(
  program: HelmProgram | "kubectl",
  args: readonly string[],
  cluster?: KubernetesCluster,
): Promise<string> {
  const { code, stdout, stderr } = await runProgram(program, args, cluster);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}: ${code}\n${stderr}${stdout}`);
  return stdout;
}

/** The flags that set values: a value of JSON by its path. */
export function setting(values: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.entries(values).map(([path, value]) => `--set-json=${path}=${JSON.stringify(value)}`);
}

/** `helm template` without a cluster. */
export function template(
  program: HelmProgram,
  values: Readonly<Record<string, unknown>>,
  more: readonly string[] = [],
): Promise<HelmRun> {
  return runProgram(program, [
    "template",
    "hasta-la-vista",
    CHART,
    "--namespace=kube-system",
    ...setting(values),
    ...more,
  ]);
}
