import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Written } from "../../support/program-run.ts";

/** The folder that `test/conformance/kubernetes/install` fills. */
const FOLDER = process.env["CONFORMANCE_KUBERNETES"] ?? "";
/** Where tools of the Kubernetes project expect the programs of a control plane: https://book.kubebuilder.io/reference/envtest */
const CONTROL_PLANE_FOLDER = process.env["KUBEBUILDER_ASSETS"] || FOLDER;
/** What a cluster cannot do without. */
export const CONTROL_PLANE = ["kube-apiserver", "etcd"] as const;

export type KubernetesProgram =
  | (typeof CONTROL_PLANE)[number]
  | "aws-cloud-controller-manager"
  | "aws-sdk-go"
  | "helm"
  | "helm-3"
  | "karpenter"
  | "kube-controller-manager"
  | "kube-scheduler"
  | "kubectl"
  | "kwok"
  | "lifecycle-manager"
  | "otel-collector";

/** Which of the programs are not there, and where they were looked for. Undefined where none is missing. */
export function missingOf(programs: readonly KubernetesProgram[]): string | undefined {
  const missing = programs.map(programPath).filter((file) => !existsSync(file));
  if (missing.length === 0) return undefined;
  return FOLDER === "" ? "CONFORMANCE_KUBERNETES names no folder" : `there is no ${missing.join(", no ")}`;
}

/** A program of the folder as a child of this process. The caller ends it. */
export class RunningKubernetesProgram {
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #written = new Written();
  #hasEnded = false;

  constructor(program: KubernetesProgram, args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    // On Linux it ends with this process, however this one ends.
    const [command, ...before] = process.platform === "linux" ? ["setpriv", "--pdeathsig", "KILL"] : [];
    const file = programPath(program);
    const env = { PATH: process.env["PATH"], HOME: "/nonexistent", ...environment };
    const child = spawn(command ?? file, command === undefined ? args : [...before, file, ...args], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const output of [child.stdout, child.stderr])
      output.on("data", (chunk) => this.#written.add("stdout", `${chunk}`));
    this.ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", () => {
        this.#hasEnded = true;
        this.#written.end(program, environment);
        resolve();
      });
    });
    this.ended.catch(() => {}); // The one who waits for a line hears of it.
    this.#child = child;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Stdout and stderr so far, in the order in which they came. */
  get output(): string {
    return this.#written.stdout;
  }

  /** The first line of its output that matches. Rejects when it ends without one. */
  line(pattern: RegExp): Promise<string> {
    return this.#written.line(pattern);
  }

  /** Stops all of its threads, as a machine does that hangs, and resolves when they stand still. */
  async pause(): Promise<void> {
    this.#child.kill("SIGSTOP");
    const threads = `/proc/${this.#child.pid}/task`;
    const isStopped = (thread: string) => /\) T /.test(readFileSync(`${threads}/${thread}/stat`, "utf8"));
    while (!this.#hasEnded && !readdirSync(threads).every(isStopped)) await wait(1);
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }

  /** Ends it, also while it is paused, and resolves when it has ended. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }
}

/** The folder with what a program needs besides itself, or with the kinds of objects of a project. */
export function filesOf(
  program: "cert-manager" | "gateway-api" | "karpenter" | "kwok" | "prometheus-operator",
): string {
  return path.join(FOLDER, `${program}-files`);
}

export function programPath(program: KubernetesProgram): string {
  const isOfControlPlane = CONTROL_PLANE.some((name) => name === program);
  return path.join(isOfControlPlane ? CONTROL_PLANE_FOLDER : FOLDER, program);
}
