import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { newAbort } from "../../src/drain/abort.ts";
import { SystemClock } from "../../src/drain/clock.ts";
import { ownProgram } from "../process/own-program.ts";
import type { FromApiServer, ToApiServer } from "./api-server-process.ts";

const LOOK_MS = 250;
const clock = new SystemClock();
const never = newAbort().signal;

/** The process beside this file. */
export class ApiServerProcess {
  readonly url: string;
  readonly #process: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#process = child;
  }

  static async start(nodes: readonly { readonly name: string; readonly id: string }[], podsPerNode: number) {
    const child = fork(ownProgram("api-server-process", import.meta.url), { execArgv: [] });
    child.send({ type: "build", nodes, podsPerNode } satisfies ToApiServer);
    const [{ url }] = (await once(child, "message")) as [FromApiServer & { readonly url: string }];
    return new ApiServerProcess(url, child);
  }

  tell(message: ToApiServer): void {
    this.#process.send(message);
  }

  async counts(): Promise<Readonly<Record<string, number>>> {
    this.tell({ type: "counts" });
    const [{ counts }] = (await once(this.#process, "message")) as [
      FromApiServer & { readonly counts: Record<string, number> },
    ];
    return counts;
  }

  /** Whether it is so in time. */
  async until(isSo: (counts: Readonly<Record<string, number>>) => boolean, ms: number): Promise<boolean> {
    const until = clock.now() + ms;
    while (clock.now() < until) {
      if (isSo(await this.counts())) return true;
      await clock.sleep(LOOK_MS, never);
    }
    return false;
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }
}
