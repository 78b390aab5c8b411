import type { Command } from "commander";

export function declareDemo(program: Command): Command {
  return program
    .command("demo")
    .summary("take a node away from a simulated cluster, under real traffic")
    .description(
      "Takes a node away from a simulated cluster in three ways, under real traffic, and compares what clients lose. Needs no AWS account and no network. Exits with 1 if the last way loses requests, or if the machine is too slow to send the traffic.",
    )
    .option("--json", "print one JSON object on stdout, and everything else on stderr");
}
