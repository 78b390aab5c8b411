import { type ChildProcess, fork } from "node:child_process";
import { ownProgram } from "../process/own-program.ts";
import type { Asks } from "./asks.ts";

interface Ask {
  readonly id: number;
  readonly name: string;
  readonly given: unknown;
}

interface Answer {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
}

/** A process of the bench that answers what it is asked. */
export class Forked<A extends Asks> {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>();
  #asks = 0;

  /** `program`: the file beside this one, without its extension. `close` ends it. */
  constructor(program: string) {
    this.#process = fork(ownProgram(program, import.meta.url), { execArgv: [], serialization: "advanced" });
    this.#process.on("message", ({ id, answer, error }: Answer) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(answer);
      else waiting?.reject(new Error(`${program}: ${error}`));
    });
    this.#process.on("exit", (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${program} has ended with ${code}`));
      this.#waiting.clear();
    });
  }

  ask<N extends keyof A & string>(name: N, given: Parameters<A[N]>[0]): Promise<ReturnType<A[N]>> {
    const id = ++this.#asks;
    return new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#process.send({ id, name, given } satisfies Ask);
    }) as Promise<ReturnType<A[N]>>;
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null) return resolve();
      this.#process.once("exit", () => resolve());
      this.#process.kill("SIGKILL");
    });
  }
}

/** In the process itself: from now on it answers in these ways. It ends with whoever has started it. */
export function answering<A extends Asks>(
  answers: {
    readonly [N in keyof A]: (given: Parameters<A[N]>[0]) => Promise<ReturnType<A[N]>>;
  },
): void {
  process.on("disconnect", () => process.exit());
  process.on("message", ({ id, name, given }: Ask) => {
    const send = (answer: Answer) => void process.send?.(answer);
    const answer: ((given: never) => Promise<unknown>) | undefined = answers[name];
    if (answer === undefined) return send({ id, error: `nobody answers '${name}'` });
    answer(given as never).then(
      (value) => send({ id, answer: value }),
      (error: unknown) => send({ id, error: String(error) }),
    );
  });
}
