import type { Instance } from "../world/instance.ts";
import { ControlProblem } from "./control-problem.ts";
import { type ControlledRegion, calledIn } from "./controlled-region.ts";

/**
 * Failures of machines that EC2 does not see: it still reports them as running, sends no event, and its status checks
 * pass.
 */

/** The machine falls silent at once: neither new connections nor those that it had get an answer. */
export function failMachine(instance: Instance, { world, plane }: ControlledRegion): void {
  world.setAnswering(instance, false);
  plane?.vanish(instance);
}

/** Its program ends, and the machine continues: connections are refused, and its health checks fail. */
export function stopProgram(instance: Instance, { world, plane }: ControlledRegion): void {
  world.setAnswering(instance, false, { refuses: true });
  plane?.processes.refuse(instance);
}

/** Ends either failure. Resolves when the program listens, so that no request is lost in between. */
export async function recoverMachine(instance: Instance, { world, plane }: ControlledRegion): Promise<void> {
  if (!world.isRunning(instance.id)) return;
  await plane?.processes.restart(instance);
  world.setAnswering(instance, true);
}

/** Throws if one of them is off, because nothing of it could fail. */
export function checkRunning(machines: readonly Instance[], region: ControlledRegion): void {
  const off = machines.filter(({ id }) => !region.world.isRunning(id)).map((each) => calledIn(region, each));
  if (off.length === 0) return;
  throw new ControlProblem(
    409,
    `${off.join(", ")} ${off.length === 1 ? "does" : "do"} not run: name machines that run`,
  );
}
