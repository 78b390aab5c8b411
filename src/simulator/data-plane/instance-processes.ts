import { setMaxListeners } from "node:events";
import type { Instance } from "../world/instance.ts";
import type { World } from "../world/world.ts";
import { TargetProcess } from "./target-process.ts";

/** A program that answers for one instance. */
export interface Machine {
  /** Where it listens on 127.0.0.1. */
  readonly port: number;
  /** Where it takes datagrams on 127.0.0.1. Absent: nowhere. */
  readonly udpPort?: number;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  /** Ends it at once, with all of its connections. */
  kill(): void;
}

/** Resolves when the program listens. `name`: the name of the machine in its answers. `signal`: it is needed no more. */
export type StartMachine = (name: string, signal: AbortSignal) => Promise<Machine>;

/** Nothing listens on the port of TCPMUX: the machine refuses connections. */
const REFUSING: Machine = { port: 1, ended: Promise.resolve(), kill() {} };

/** A program for each running instance: a process, unless `start` creates something else. */
export class InstanceProcesses {
  readonly #world: World;
  readonly #start: StartMachine;
  readonly #running = new Map<string, Machine>();
  readonly #endings: Promise<void>[] = [];
  readonly #starting = new Set<Promise<unknown>>();
  readonly #closed = new AbortController();

  constructor(world: World, start: StartMachine = TargetProcess.start) {
    this.#world = world;
    this.#start = start;
    // Every program that starts listens to it.
    setMaxListeners(0, this.#closed.signal);
  }

  /** Resolves when the instance's process listens. If the instance is off by then, it has none. */
  async start(instance: Instance): Promise<void> {
    const starting = this.#start(instance.id, this.#closed.signal).then((process) => {
      this.#endings.push(process.ended);
      return process;
    });
    this.#starting.add(starting);
    const process = await starting.finally(() => this.#starting.delete(starting));
    if (instance.isOff || this.#closed.signal.aborted) process.kill();
    else this.#begin(instance, process);
  }

  #begin(instance: Instance, process: Machine): void {
    this.#running.set(instance.id, process);
    void process.ended.then(() => {
      // What ends a program on purpose has put something in its place before.
      if (this.#running.get(instance.id) === process && !this.#closed.signal.aborted) this.#onEndedByItself(instance);
    });
  }

  /** As when the control API stops the program: the machine goes on, and a recovery starts the program again. */
  #onEndedByItself(instance: Instance): void {
    this.#running.set(instance.id, REFUSING);
    this.#world.setAnswering(instance, false, { refuses: true });
    this.#world.notify({ type: "program-ended", instance });
  }

  /** Ends its program: connections to the machine are refused from now on. */
  refuse({ id }: Instance): void {
    this.#running.get(id)?.kill();
    this.#running.set(id, REFUSING);
  }

  /** Starts its program again, if it has been ended. */
  async restart(instance: Instance): Promise<void> {
    const running = this.#running.get(instance.id);
    if (running === undefined || running === REFUSING) await this.start(instance);
  }

  /** Resolves when every program that is being started now listens, or could not be started. */
  async started(): Promise<void> {
    await Promise.allSettled(this.#starting);
  }

  /** After the time that the machine needs to start. */
  startAfter(instance: Instance, ms: number): void {
    this.#world.clock
      .sleep(ms, this.#closed.signal)
      .then(() => (this.#running.has(instance.id) ? undefined : this.start(instance)))
      .catch(() => {}); // Closed, or no process could be started: then no process answers, as when the machine is off.
  }

  kill({ id }: Instance): void {
    this.#running.get(id)?.kill();
    this.#running.delete(id);
  }

  /** The ports of an instance's program. None if it is off. */
  portsOf({ id }: Instance): readonly number[] {
    const machine = this.#running.get(id);
    return [machine?.port, machine?.udpPort].filter((port) => port !== undefined);
  }

  /** The port of the machine behind a target. Undefined if it is off. */
  portOf(targetId: string, vpcId?: string, protocol: "tcp" | "udp" = "tcp"): number | undefined {
    const machine = this.#running.get(this.#world.machineOf(targetId, vpcId)?.id ?? "");
    return protocol === "udp" ? machine?.udpPort : machine?.port;
  }

  close(): void {
    this.#closed.abort();
    for (const process of this.#running.values()) process.kill();
  }

  /** Resolves when every process has ended, after `close`. */
  async ended(): Promise<void> {
    await this.started();
    await Promise.all(this.#endings);
  }
}
