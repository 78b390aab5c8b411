import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PROBE = "probe.mjs";
const BUNDLE = fileURLToPath(new URL("../../dist/service.js", import.meta.url));

/** The built service as a process of its own, which tells what it holds. */
export class ServiceProcess {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#process = child;
    this.url = url;
  }

  /**
   * Resolves once it listens. `stop` or `kill` ends it. `probe`: what tells of it from inside, a file beside this one.
   * `bundle`: the service's.
   */
  static async start(
    environment: Readonly<Record<string, string>>,
    { probe = PROBE, bundle = BUNDLE }: { readonly probe?: string; readonly bundle?: string } = {},
  ): Promise<ServiceProcess> {
    const path = fileURLToPath(new URL(probe, import.meta.url));
    const child = spawn(process.execPath, ["--import", path, bundle], {
      env: { PATH: "", HOME: "/nonexistent", AWS_EC2_METADATA_DISABLED: "true", ...environment },
      stdio: ["ignore", "pipe", "inherit", "ipc"],
    });
    const said: string[] = [];
    for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
      said.push(line);
      const { msg, port } = JSON.parse(line) as { readonly msg: string; readonly port?: number };
      if (msg !== "listening") continue;
      // The log goes on, and nobody reads it.
      child.stdout?.resume();
      return new ServiceProcess(child, `http://127.0.0.1:${port}`);
    }
    throw new Error(`the service has ended before it listened:\n${said.join("\n")}`);
  }

  /** What it holds now. Rejects where it has ended. */
  async values(): Promise<Readonly<Record<string, number>>> {
    const over = new AbortController();
    const first = (event: string) => once(this.#process, event, { signal: over.signal });
    const told = Promise.race([first("message"), first("exit").then(() => [undefined])]);
    this.#process.send("values");
    try {
      const [values] = await told;
      if (values === undefined) throw new Error("the service has ended by itself");
      return values as Readonly<Record<string, number>>;
    } finally {
      over.abort();
    }
  }

  /** Ends it as an operator does, and returns its exit code. */
  async stop(): Promise<number | null> {
    if (this.#process.exitCode !== null) return this.#process.exitCode;
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGTERM");
    const [code] = await exited;
    return code as number | null;
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }
}
