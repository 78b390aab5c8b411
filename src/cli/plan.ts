import { newAbort } from "../drain/abort.ts";
import { planReport } from "../drain/report.ts";
import type { Call } from "./call.ts";
import { poolNames } from "./cells.ts";
import { exitCodeOfPlan } from "./exit-codes.ts";
import { type NodeOptions, nodeOf, referenceFrom, requestFrom } from "./node-argument.ts";
import { clusterFor, configFrom } from "./options.ts";
import { formatFrom, printResult } from "./output.ts";

export async function runPlan(call: Call): Promise<number> {
  const options = call.options as NodeOptions;
  const { server } = options;
  if (server !== undefined) return (await import("./remote-reads.ts")).planRemotely({ ...options, server }, call);
  const format = formatFrom(options);
  const config = configFrom(call, "plan");
  const { clock } = call.streams;
  const { signal } = newAbort();
  const opened = await clusterFor(call, config, clock);
  try {
    const reference = await referenceFrom(nodeOf(call), opened, signal);
    const request = requestFrom(reference, options, { now: clock.now(), dryRun: true });
    const [{ openEngine }, { planText }] = await Promise.all([import("../app/places.ts"), import("./text.ts")]);
    const { drainer } = await openEngine(config, { clock, cluster: opened?.cluster });
    const report = planReport(await drainer.plan(request, signal));
    await printResult(call, format, { data: report, names: poolNames(report), text: (look) => planText(report, look) });
    return exitCodeOfPlan(report);
  } finally {
    opened?.close();
  }
}
