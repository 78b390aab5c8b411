import { newAbort } from "../drain/abort.ts";
import { nodeStatusReport } from "../drain/report.ts";
import { parseNodeReference } from "../drain/request.ts";
import { type Call, widthOf } from "./call.ts";
import { EXIT } from "./exit-codes.ts";
import { type NodeOptions, nodeOf } from "./node-argument.ts";
import { configFrom } from "./options.ts";
import { nodeStatusText } from "./text.ts";

export async function runStatus(call: Call): Promise<number> {
  const { server, json } = call.options as NodeOptions;
  if (server !== undefined) return (await import("./remote-drain.ts")).statusRemotely({ server, json }, call);
  const config = configFrom(call, "status");
  const { openEngine } = await import("../app/places.ts");
  const { clock, stdout } = call.streams;
  const { drainer } = await openEngine(config, { clock });
  const report = nodeStatusReport(await drainer.status(parseNodeReference(nodeOf(call)), newAbort().signal));
  stdout.write(`${json ? JSON.stringify(report) : nodeStatusText(report, widthOf(stdout))}\n`);
  return EXIT.done;
}
