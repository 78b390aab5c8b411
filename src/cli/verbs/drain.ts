import { type Command, InvalidArgumentError } from "commander";
import { REASON_CHARACTERS_MAX, TIMEOUT_SECONDS_MAX } from "../../drain/request.ts";
import { addDeadlineOption, addNodeArgument } from "../node-argument.ts";
import { addOptions, addServerOption } from "../options.ts";

export function declareDrain(program: Command): Command {
  const command = program
    .command("drain")
    .summary("take a node out of its load balancers, and wait until traffic has stopped")
    .description(
      "Deregisters a node from every load balancer that could send it traffic, and waits until traffic has stopped.",
    );
  return addNodeArgument(addDeadlineOption(addServerOption(addOptions(command, "drain"))))
    .option("--force", "drain even if too few healthy targets would remain, or too many drains are running")
    .option("--reason <text>", "with --server: reason, shown in the log and the reports of the service", readReason)
    .option(
      "--wait <seconds>",
      "with --server: maximum time to wait; exit code 1 if the drain has not ended by then",
      readWait,
    )
    .option("--no-wait", "with --server: do not wait for the end of the drain");
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
