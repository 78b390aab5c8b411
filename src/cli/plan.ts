import type { Command } from "commander";
import { createEngine } from "../app/engine.ts";
import type { Config } from "../config/config.ts";
import { newAbort } from "../drain/abort.ts";
import { SystemClock } from "../drain/clock.ts";
import { planReport } from "../drain/report.ts";
import { EXIT } from "./exit-codes.ts";
import { addDeadlineOption, addNodeArgument, type NodeOptions, requestFrom } from "./node-argument.ts";
import { addOptions, configFrom } from "./options.ts";
import { planRemotely } from "./remote-drain.ts";
import { addServerOption } from "./server-option.ts";
import { planText } from "./text.ts";

export function addPlanCommand(program: Command): void {
  const command = program
    .command("plan")
    .summary("show what drain would do; changes nothing")
    .description(
      "Shows where a node is registered, what drain would do, how long it would hold, and what AWS will not let anybody save. Only reads. With --scope tag it marks the pools that a policy for the cluster's tag does not let anybody write.",
    );
  addNodeArgument(addDeadlineOption(addServerOption(addOptions(command, "plan")))).action(
    async (node: string, options: NodeOptions) => {
      const { server } = options;
      process.exitCode =
        server === undefined
          ? await plan(node, options, configFrom(command, "plan"))
          : await planRemotely(node, { ...options, server }, command);
    },
  );
}

async function plan(node: string, options: NodeOptions, config: Config): Promise<number> {
  const clock = new SystemClock();
  const request = requestFrom(node, options, { now: clock.now(), dryRun: true });
  const report = planReport(await createEngine(config, { clock }).drainer.plan(request, newAbort().signal));
  process.stdout.write(`${options.json ? JSON.stringify(report) : planText(report)}\n`);
  return EXIT.done;
}
