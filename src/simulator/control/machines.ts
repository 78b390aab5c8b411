import type { Instance } from "../world/instance.ts";
import { ControlProblem } from "./control-problem.ts";
import type { ControlledRegion } from "./controlled-region.ts";

/**
 * What befalls machines without EC2's doing: it goes on saying that they run, sends no event, and its status checks see
 * nothing.
 */

/** The machine falls silent at once: neither new connections nor those that it had get an answer. */
export function failMachine(instance: Instance, { world, plane }: ControlledRegion): void {
  world.setAnswering(instance, false);
  plane?.vanish(instance);
}

/** Its program ends, the machine goes on: connections are refused, and its health checks fail. */
export function stopProgram(instance: Instance, { world, plane }: ControlledRegion): void {
  world.setAnswering(instance, false);
  plane?.processes.refuse(instance);
}

/** Ends either of them. Resolves when the program listens, so that no request is lost between. */
export async function recoverMachine(instance: Instance, { world, plane }: ControlledRegion): Promise<void> {
  if (!world.isRunning(instance.id)) return;
  await plane?.processes.restart(instance);
  world.setAnswering(instance, true);
}

/** Throws where one of them is off: nothing is left there that could fail. */
export function checkRunning(machines: readonly Instance[], { world }: ControlledRegion): void {
  const off = machines.filter(({ id }) => !world.isRunning(id)).map(({ id }) => id);
  if (off.length > 0) throw new ControlProblem(409, `${off.join(", ")} ${off.length === 1 ? "does" : "do"} not run`);
}
