import type { Instance } from "../world/instance.ts";
import type { World } from "../world/world.ts";
import { TargetProcess } from "./target-process.ts";

/** A process for each instance that is switched on. */
export class InstanceProcesses {
  readonly #world: World;
  readonly #running = new Map<string, TargetProcess>();
  readonly #endings: Promise<void>[] = [];
  readonly #closed = new AbortController();

  constructor(world: World) {
    this.#world = world;
  }

  /** Resolves once the instance's process listens; one that is switched off by then has none. */
  async start(instance: Instance): Promise<void> {
    const process = await TargetProcess.start(instance.id);
    this.#endings.push(process.ended);
    const isOff = instance.terminatedAt !== undefined || instance.stoppedAt !== undefined;
    if (isOff || this.#closed.signal.aborted) process.kill();
    else this.#running.set(instance.id, process);
  }

  /** After the time that the machine needs to be up. */
  startAfter(instance: Instance, ms: number): void {
    this.#world.clock
      .sleep(ms, this.#closed.signal)
      .then(() => (this.#running.has(instance.id) ? undefined : this.start(instance)))
      .catch(() => {}); // Closed, or no process could be started: then nobody answers, as when the machine is off.
  }

  kill({ id }: Instance): void {
    this.#running.get(id)?.kill();
    this.#running.delete(id);
  }

  /** Where the machine behind a target listens; undefined when it is off. */
  portOf(targetId: string, vpcId?: string): number | undefined {
    return this.#running.get(this.#world.machineOf(targetId, vpcId)?.id ?? "")?.port;
  }

  close(): void {
    this.#closed.abort();
    for (const process of this.#running.values()) process.kill();
  }

  /** Resolves when every process has ended, after `close`. */
  async ended(): Promise<void> {
    await Promise.all(this.#endings);
  }
}
