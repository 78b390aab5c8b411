import { newAbort } from "../drain/abort.ts";
import { nodeStatusReport } from "../drain/report.ts";
import { parseNodeReference } from "../drain/request.ts";
import type { Call } from "./call.ts";
import { poolNames } from "./cells.ts";
import { EXIT } from "./exit-codes.ts";
import { UsageError } from "./failure.ts";
import type { Look } from "./look.ts";
import { isDrainId, type NodeOptions, nodeOf } from "./node-argument.ts";
import { configFrom } from "./options.ts";
import { formatFrom, printResult } from "./output.ts";

export async function runStatus(call: Call): Promise<number> {
  const options = call.options as NodeOptions;
  const { server } = options;
  if (server !== undefined) return (await import("./remote-reads.ts")).statusRemotely({ ...options, server }, call);
  const format = formatFrom(options);
  const given = nodeOf(call);
  if (isDrainId(given)) throw new UsageError(`the drain ${given} requires --server: only a service knows past drains`);
  const config = configFrom(call, "status");
  const [{ openEngine }, { nodeStatusText }] = await Promise.all([import("../app/places.ts"), import("./text.ts")]);
  const { drainer } = await openEngine(config, { clock: call.streams.clock });
  const report = nodeStatusReport(await drainer.status(parseNodeReference(given), newAbort().signal));
  const text = (look: Look) => nodeStatusText(report, look);
  await printResult(call, format, { data: report, names: poolNames(report), text });
  return EXIT.done;
}
