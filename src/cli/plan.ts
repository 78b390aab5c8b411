import type { Command } from "commander";
import type { Config } from "../config.ts";
import { SystemClock } from "../drain/clock.ts";
import { planReport } from "../drain/report.ts";
import { createEngine } from "../engine.ts";
import { EXIT } from "./exit-codes.ts";
import { addNodeArgument, type NodeOptions, requestFrom } from "./node-argument.ts";
import { addOptions, configFrom } from "./options.ts";
import { planText } from "./text.ts";

export function addPlanCommand(program: Command): void {
  const command = program
    .command("plan")
    .summary("show what drain would do; changes nothing")
    .description(
      "Shows where a node is registered, what drain would do, how long it would hold, and what AWS will not let anybody save. Only reads. With --scope tag it marks the pools that a policy for the cluster's tag does not let anybody write.",
    );
  addNodeArgument(addOptions(command, "plan")).action(async (node: string, options: NodeOptions) => {
    process.exitCode = await plan(node, options, configFrom(command, "plan"));
  });
}

async function plan(node: string, options: NodeOptions, config: Config): Promise<number> {
  const clock = new SystemClock();
  const request = requestFrom(node, options, { now: clock.now(), dryRun: true });
  const found = await createEngine(config, { clock }).plan(request, new AbortController().signal);
  process.stdout.write(`${options.json ? JSON.stringify(planReport(found)) : planText(found)}\n`);
  return EXIT.done;
}
