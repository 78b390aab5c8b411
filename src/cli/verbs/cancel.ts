import type { Command } from "commander";
import { addOptions, addServerOption } from "../options.ts";

export function declareCancel(program: Command): Command {
  const command = program
    .command("cancel")
    .summary("undo a drain: register its targets again")
    .description(
      "Registers exactly the targets that a drain has deregistered, and waits until AWS lists them. With --server: a drain of the service, which is stopped if it is still running. With --from: a drain that 'drain --json' has printed. An IP target of an ALB can be registered only after its deregistration delay.",
    );
  addServerOption(command)
    .argument("[drain-id]", "with --server: id of the drain, such as d-0123456789")
    .option("--from <file>", "file with the output of 'drain --json'; - reads stdin")
    .option("--json", "print one JSON object on stdout, and everything else on stderr");
  return addOptions(command, "cancel");
}
