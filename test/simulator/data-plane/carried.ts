import type { ChildProcess } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { onTestFinished } from "vitest";
import { DataPlane } from "../../../src/simulator/data-plane/data-plane.ts";
import type { World } from "../../../src/simulator/world/world.ts";

/** A world whose traffic is real, and the processes behind it. */
export class Carried {
  readonly plane: DataPlane;
  /** By instance id. */
  readonly processes: ReadonlyMap<string, ChildProcess>;

  constructor(plane: DataPlane, processes: ReadonlyMap<string, ChildProcess>) {
    this.plane = plane;
    this.processes = processes;
  }

  /** The machine goes on, but answers nothing until `thaw`: how a test keeps a request in flight, and lets it end. */
  freeze(instanceId: string): void {
    this.#process(instanceId).kill("SIGSTOP");
  }

  thaw(instanceId: string): void {
    this.#process(instanceId).kill("SIGCONT");
  }

  /** Its program ends, while the machine goes on. */
  async crash(instanceId: string): Promise<void> {
    const process = this.#process(instanceId);
    const exited = once(process, "exit");
    process.kill("SIGKILL");
    await exited;
  }

  #process(instanceId: string): ChildProcess {
    const process = this.processes.get(instanceId);
    if (process === undefined) throw new Error(`no process for ${instanceId}`);
    return process;
  }
}

/** Sets the idle timeout of every Application and classic load balancer: by default a request waits for a minute. */
export function allowIdle(world: World, seconds: number): void {
  for (const { type, attributes } of world.loadBalancers.values())
    if (type === "application") attributes.set("idle_timeout.timeout_seconds", String(seconds));
  for (const classic of world.classics.values()) classic.idleTimeoutSeconds = seconds;
}

/** Opens the data plane for the rest of the test. */
export async function carry(world: World): Promise<Carried> {
  const started: ChildProcess[] = [];
  const note = (message: unknown) => void started.push((message as { readonly process: ChildProcess }).process);
  subscribe("child_process", note);
  const plane = await DataPlane.open(world);
  unsubscribe("child_process", note);
  onTestFinished(() => plane.close());
  return new Carried(plane, new Map(started.map((process) => [process.spawnargs.at(-1) ?? "", process])));
}
