import type { Command } from "commander";
import { REASON_CHARACTERS_MAX, TIMEOUT_SECONDS_MAX } from "../../drain/request.ts";
import { addEvictionFlags } from "../eviction-flags.ts";
import { UsageError } from "../failure.ts";
import { addDeadlineOption, addNodesArgument } from "../node-argument.ts";
import { addOptions, addServerOption, numberOf } from "../options.ts";

const readWait = numberOf(
  "--wait",
  (seconds) => seconds <= TIMEOUT_SECONDS_MAX,
  `seconds from 0 to ${TIMEOUT_SECONDS_MAX}, such as 60`,
);

export function declareDrain(program: Command): Command {
  const command = program
    .command("drain")
    .summary("take nodes out of their load balancers, and wait until traffic has stopped")
    .description(
      "Deregisters nodes from every load balancer that could send them traffic, and waits until traffic has stopped. With --evict the pods are evicted then, as 'kubectl drain' does.",
    );
  addEvictionFlags(addNodesArgument(addDeadlineOption(addServerOption(command))))
    .option("--force", "drain even if too few healthy targets would remain, or too many drains are running")
    .option("--reason <text>", "with --server: reason, shown in the log and the reports of the service", readReason)
    .option(
      "--wait <seconds>",
      "with --server: maximum time to wait; exit code 1 if the drain has not ended by then",
      readWait,
    )
    .option(
      "--undo-file <file>",
      "new file in which to write what the drain has done while it runs, for 'cancel --from'",
    )
    .option("--no-wait", "with --server: do not wait for the end of the drain");
  return addOptions(command, "drain");
}

function readReason(text: string): string {
  if (text.length <= REASON_CHARACTERS_MAX) return text;
  throw new UsageError(`--reason has ${text.length} characters: give at most ${REASON_CHARACTERS_MAX}`);
}
