import { Argument, type Command } from "commander";
import { oneOf } from "../../config/values.ts";
import { kindOf, wordsKnown } from "../options.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;

export function declareCompletion(program: Command): Command {
  const shell = new Argument("<shell>", `shell to complete commands in: ${SHELLS.join(", ")}`);
  return program
    .command("completion")
    .summary("print a completion script for bash, zsh or fish")
    .description("Prints a script that lets a shell complete commands, flags and values of flags with the Tab key.")
    .addArgument(wordsKnown(shell.argParser(kindOf("<shell>", oneOf(SHELLS))), SHELLS))
    .addHelpText(
      "after",
      [
        "",
        "bash: add to ~/.bashrc   source <(hasta-la-vista completion bash)",
        "zsh:  add to ~/.zshrc    source <(hasta-la-vista completion zsh)",
        "      below compinit",
        "fish: run once           hasta-la-vista completion fish > \\",
        "                         ~/.config/fish/completions/hasta-la-vista.fish",
      ].join("\n"),
    );
}
