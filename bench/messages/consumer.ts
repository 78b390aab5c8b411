import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { ownProgram } from "../process/own-program.ts";
import { CREDENTIALS, QUEUE, REGION } from "./place.ts";

/** As users get it; `npm run bench` and the tests build it first. */
const SERVICE = "dist/service.js";
// The SDK's advice about its later releases is not for readers of tables.
const QUIET = { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" };
const ENVIRONMENT = { PATH: "", HOME: "/nonexistent", AWS_EC2_METADATA_DISABLED: "true", ...QUIET };
const KIB_PER_MIB = 1_024;
/** Linux tells everybody so, whatever it counts in. */
const TICKS_PER_SECOND = 100;

/** Where both are led. */
export interface Endpoints {
  readonly queue: string;
  readonly region: string;
}

/** A process that empties the queue, seen from outside. */
export class Consumer {
  readonly #process: ChildProcess;
  readonly #said: Buffer[] = [];

  private constructor(args: readonly string[], environment: Readonly<Record<string, string>>) {
    this.#process = spawn(process.execPath, args, {
      env: { ...ENVIRONMENT, ...environment },
      stdio: ["ignore", "pipe", "inherit"],
    });
    // Read later: whoever reads meanwhile takes the time of what is measured.
    this.#process.stdout?.on("data", (chunk: Buffer) => this.#said.push(chunk));
  }

  /** The built service, with no holds and no quota in its way. Resolves once it listens. */
  static service({ queue, region }: Endpoints): Promise<Consumer> {
    const [AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY] = [CREDENTIALS.accessKeyId, CREDENTIALS.secretAccessKey];
    const aws = { AWS_REGION: REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY };
    const endpoints = { AWS_ENDPOINT_URL: region, AWS_ENDPOINT_URL_SQS: queue };
    const isOpen = { ALB_PROPAGATION: "0", MIN_HEALTHY: "0", QUOTA_SHARE: "100" };
    const web = { CLOUDPROVIDER: "aws", SECRET: "bench", HOST: "127.0.0.1", PORT: "0" };
    return new Consumer([SERVICE], { ...web, ...aws, ...endpoints, ...isOpen, QUEUE }).#listening();
  }

  static bareLoop({ queue }: Pick<Endpoints, "queue">): Promise<Consumer> {
    return new Consumer([ownProgram("bare-loop", import.meta.url), queue], {}).#listening();
  }

  /** It stands still, as if nobody had given it the processor. */
  pause(): void {
    this.#process.kill("SIGSTOP");
  }

  resume(): void {
    this.#process.kill("SIGCONT");
  }

  /** Resident memory now, and the most that it ever was. */
  get memory(): { readonly nowMiB: number; readonly peakMiB: number } {
    const status = readFileSync(`/proc/${this.#process.pid}/status`, "utf8");
    const mib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) / KIB_PER_MIB;
    return { nowMiB: mib("VmRSS"), peakMiB: mib("VmHWM") };
  }

  /** What it has used of the processors so far. */
  get cpuSeconds(): number {
    // The command's name stands in brackets, and may hold spaces.
    const [, ...fields] = readFileSync(`/proc/${this.#process.pid}/stat`, "utf8").split(") ");
    const [userTicks, systemTicks] = fields.join(") ").split(" ").slice(11, 13).map(Number);
    return ((userTicks ?? Number.NaN) + (systemTicks ?? Number.NaN)) / TICKS_PER_SECOND;
  }

  /** All whole lines that it has written so far. */
  get lines(): readonly string[] {
    return Buffer.concat(this.#said).toString("utf8").split("\n").slice(0, -1);
  }

  async kill(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
  }

  async #listening(): Promise<this> {
    const ended = once(this.#process, "exit").then(() => true);
    while (!this.lines.some((line) => line.includes("listening"))) {
      const isOver = await Promise.race([once(this.#process.stdout as NodeJS.ReadableStream, "data"), ended]);
      if (isOver === true) throw new Error(`ended before it listened:\n${this.lines.join("\n")}`);
    }
    return this;
  }
}
