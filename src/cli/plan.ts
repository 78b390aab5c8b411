import { newAbort } from "../drain/abort.ts";
import { planReport } from "../drain/report.ts";
import { type Call, widthOf } from "./call.ts";
import { EXIT } from "./exit-codes.ts";
import { type NodeOptions, nodeOf, referenceFrom, requestFrom } from "./node-argument.ts";
import { clusterFor, configFrom } from "./options.ts";
import { planText } from "./text.ts";

export async function runPlan(call: Call): Promise<number> {
  const options = call.options as NodeOptions;
  const { server } = options;
  if (server !== undefined) return (await import("./remote-drain.ts")).planRemotely({ ...options, server }, call);
  const config = configFrom(call, "plan");
  const { clock, stdout } = call.streams;
  const { signal } = newAbort();
  const opened = await clusterFor(call, config, clock);
  try {
    const reference = await referenceFrom(nodeOf(call), opened, signal);
    const request = requestFrom(reference, options, { now: clock.now(), dryRun: true });
    const { openEngine } = await import("../app/places.ts");
    const { drainer } = await openEngine(config, { clock, cluster: opened?.cluster });
    const report = planReport(await drainer.plan(request, signal));
    stdout.write(`${options.json ? JSON.stringify(report) : planText(report, widthOf(stdout))}\n`);
    return EXIT.done;
  } finally {
    opened?.close();
  }
}
