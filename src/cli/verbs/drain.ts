import { type Command, InvalidArgumentError } from "commander";
import { REASON_CHARACTERS_MAX, TIMEOUT_SECONDS_MAX } from "../../drain/request.ts";
import { addDeadlineOption, addNodeArgument } from "../node-argument.ts";
import { addOptions, addServerOption } from "../options.ts";

export function declareDrain(program: Command): Command {
  const command = program
    .command("drain")
    .summary("take a node out of its load balancers, and wait until traffic has ended")
    .description(
      "Takes a node out of every load balancer that could send it traffic, and waits until traffic has ended.",
    );
  return addNodeArgument(addDeadlineOption(addServerOption(addOptions(command, "drain"))))
    .option("--force", "drain even where too few healthy targets would stay, or too many drains run already")
    .option("--reason <text>", "with --server: why, for the service's log and reports", readReason)
    .option(
      "--wait <seconds>",
      "with --server: how long to wait; code 1 when the drain has not ended by then",
      readWait,
    )
    .option("--no-wait", "with --server: be content that the drain has begun");
}

function readWait(text: string): number {
  const seconds = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && seconds <= TIMEOUT_SECONDS_MAX) return seconds;
  throw new InvalidArgumentError(`Give seconds from 0 to ${TIMEOUT_SECONDS_MAX}, such as 60.`);
}

function readReason(text: string): string {
  if (text.length <= REASON_CHARACTERS_MAX) return text;
  throw new InvalidArgumentError(`Give at most ${REASON_CHARACTERS_MAX} characters.`);
}
