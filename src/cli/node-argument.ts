import { type Command, InvalidArgumentError } from "commander";
import { type DrainRequest, parseNodeReference } from "../drain/request.ts";
import { readDeadlineSeconds } from "./options.ts";
import type { ServerOptions } from "./server-option.ts";

export interface NodeOptions extends ServerOptions {
  readonly json?: true;
  /** Seconds from now. */
  readonly deadline?: number;
}

/** The argument and the flag that all verbs about a node share. */
export function addNodeArgument(command: Command): Command {
  return command
    .argument("<node>", "an instance id, a private IP address, or a node name", checkNode)
    .option("--json", "print one JSON object on stdout, and everything else on stderr");
}

export function addDeadlineOption(command: Command): Command {
  return command.option(
    "--deadline <seconds>",
    "the machine may be gone so many seconds from now",
    readDeadlineSeconds,
  );
}

export function requestFrom(
  node: string,
  { deadline }: NodeOptions,
  { now, dryRun }: { readonly now: number; readonly dryRun: boolean },
): DrainRequest {
  return {
    node: parseNodeReference(node),
    dryRun,
    ...(deadline === undefined ? {} : { deadline: now + deadline * 1_000 }),
  };
}

function checkNode(text: string): string {
  try {
    parseNodeReference(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}
