import type { Command } from "commander";

export function declareDemo(program: Command): Command {
  return program
    .command("demo")
    .summary("remove a node from a simulated cluster under real traffic")
    .description(
      "Removes a node from a simulated cluster in three ways under real traffic, and compares the lost requests. Requires no AWS account and no network. Exits with 1 if the last way loses requests, or if the machine is too slow to send the traffic.",
    )
    .option("--json", "print one JSON object on stdout, and everything else on stderr");
}
