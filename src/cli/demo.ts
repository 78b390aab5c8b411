import type { Command } from "commander";
import { type DemoRun, runStrategy } from "../demo/run.ts";
import { STRATEGIES } from "../demo/strategies.ts";
import { comparisonText, demoReport, INTRODUCTION, nextStepText } from "../demo/text.ts";
import { tooSlowText, verdictOn } from "../demo/verdict.ts";
import { newAbort } from "../drain/abort.ts";
import { EXIT } from "./exit-codes.ts";

export function addDemoCommand(program: Command): void {
  program
    .command("demo")
    .summary("take a node away from a simulated cluster, under real traffic")
    .description(
      "Takes a node away from a simulated cluster in three ways, under real traffic, and compares what clients lose. Needs no AWS account and no network. Exits with 1 if the last way loses requests, or if the machine is too slow to send the traffic.",
    )
    .option("--json", "print one JSON object on stdout, and everything else on stderr")
    .action(async ({ json = false }: { readonly json?: boolean }) => {
      process.exitCode = await demo(json);
    });
}

async function demo(json: boolean): Promise<number> {
  const say = (text: string) => (json ? process.stderr : process.stdout).write(`${text}\n`);
  const signal = newAbort().signal;
  say(INTRODUCTION);
  const runs: DemoRun[] = [];
  for (const strategy of STRATEGIES) {
    say(`${strategy.name}: ${strategy.what}`);
    const run = await runStrategy(strategy, signal);
    const rate = Math.round(run.sentPerRealSecond);
    say(`  ${run.losses.length} of ${run.sent} requests lost, at ${rate} a second\n`);
    runs.push(run);
  }
  if (json) process.stdout.write(`${JSON.stringify(demoReport(runs))}\n`);
  else say(`${comparisonText(runs)}\n\n${nextStepText()}`);
  const verdict = verdictOn(runs);
  if (verdict === "too-slow") say(tooSlowText(runs));
  return verdict === "shown" ? EXIT.done : EXIT.notDrained;
}
