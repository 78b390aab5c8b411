import type { Command } from "commander";
import { createEngine } from "../app/engine.ts";
import { newAbort } from "../drain/abort.ts";
import { type NodeStatusReport, nodeStatusReport } from "../drain/report.ts";
import { parseNodeReference } from "../drain/request.ts";
import { EXIT } from "./exit-codes.ts";
import { addNodeArgument, type NodeOptions } from "./node-argument.ts";
import { addOptions, configFrom } from "./options.ts";
import { understand } from "./remote-answer.ts";
import { print } from "./remote-drain.ts";
import { addServerOption, remoteFrom } from "./server-option.ts";
import { nodeStatusText } from "./text.ts";

export function addStatusCommand(program: Command): void {
  const command = program
    .command("status")
    .summary("show where a node is registered now; changes nothing")
    .description(
      "Shows where a node is registered now; with --server, also the drain that runs for it, and how it fares. Only reads.",
    );
  addNodeArgument(addServerOption(addOptions(command, "status"))).action(
    async (node: string, { server, json }: NodeOptions) => {
      process.exitCode =
        server === undefined
          ? await status(node, json, command)
          : await statusRemotely(node, { server, json }, command);
    },
  );
}

async function status(node: string, json: true | undefined, command: Command): Promise<number> {
  const { drainer } = createEngine(configFrom(command, "status"));
  const report = nodeStatusReport(await drainer.status(parseNodeReference(node), newAbort().signal));
  process.stdout.write(`${json ? JSON.stringify(report) : nodeStatusText(report)}\n`);
  return EXIT.done;
}

async function statusRemotely(
  node: string,
  { server, json }: { readonly server: URL; readonly json: true | undefined },
  command: Command,
): Promise<number> {
  const { service } = await remoteFrom(command, "status", server);
  const path = `/nodes/${encodeURIComponent(node)}`;
  const answer = await service.ask("GET", path, undefined, newAbort().signal);
  if (answer.status !== 200) return print(answer, understand(answer), json, undefined);
  const report = answer.body as unknown as NodeStatusReport;
  const text = () => `${nodeStatusText(report)}${report.drain === undefined ? "\n\nNo drain runs for it." : ""}`;
  process.stdout.write(`${json ? JSON.stringify(report) : text()}\n`);
  return EXIT.done;
}
