import type { Command } from "commander";
import { addOptions, addServerOption } from "../options.ts";

export function declareCancel(program: Command): Command {
  const command = program
    .command("cancel")
    .summary("undo a drain: register again what it has deregistered")
    .description(
      "Registers again exactly what a drain has deregistered, and waits until that is seen: with --server a drain of a service, which is stopped if it still runs; with --from one that 'drain --json' has printed. An address comes back to an ALB only after its deregistration delay.",
    );
  return addServerOption(addOptions(command, "cancel"))
    .argument("[drain-id]", "with --server: the drain, such as d-0123456789")
    .option("--from <file>", "what 'drain --json' has printed; - for stdin")
    .option("--json", "print one JSON object on stdout, and everything else on stderr");
}
