import { type ChildProcess, fork } from "node:child_process";
import type { ApiAnswer } from "../../src/simulator/api/answer.ts";
import type { VirtualClock } from "../../src/simulator/clock.ts";
import type { RegionPlan } from "../region.ts";
import type { FromSimulator, ToSimulator } from "./messages.ts";
import { ownProgram } from "./own-program.ts";

/** Half a million registrations are walked by every small collection: better few large ones. */
const NODE_OPTIONS = ["--max-semi-space-size=64"];

/** A region in a process of its own. While it is at an answer, the clock stands still; its own follows. */
export class RemoteSimulator {
  readonly #clock: VirtualClock;
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve(answer: ApiAnswer): void; reject(error: Error): void }>();
  #calls = 0;

  private constructor(clock: VirtualClock, process: ChildProcess) {
    this.#clock = clock;
    this.#process = process;
    process.on("message", (message: FromSimulator) => {
      if (message.type !== "answer") return;
      this.#waiting.get(message.id)?.resolve(message.answer);
      this.#waiting.delete(message.id);
    });
    process.on("exit", (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`the simulator's process ended with ${code}`));
      this.#waiting.clear();
    });
  }

  /** Resolves once the region is built. `close` ends the process. */
  static async start(plan: RegionPlan, clock: VirtualClock): Promise<RemoteSimulator> {
    const program = ownProgram("simulator-process", import.meta.url);
    const child = fork(program, { execArgv: NODE_OPTIONS, serialization: "advanced" });
    try {
      await new Promise<void>((resolve, reject) => {
        child.once("message", () => resolve());
        child.once("error", reject);
        child.once("exit", (code) => reject(new Error(`the simulator's process ended with ${code}`)));
        child.send({ type: "build", plan } satisfies ToSimulator);
      });
    } catch (error) {
      child.kill();
      throw error;
    }
    return new RemoteSimulator(clock, child);
  }

  call(body: string): Promise<ApiAnswer> {
    const id = ++this.#calls;
    const answered = new Promise<ApiAnswer>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#process.send({ type: "call", id, elapsedMs: this.#clock.elapsedMs, body } satisfies ToSimulator);
    });
    return this.#clock.outside(answered);
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#process.exitCode !== null) return resolve();
      this.#process.once("exit", () => resolve());
      this.#process.kill();
    });
  }
}
