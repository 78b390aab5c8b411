import { type DemoRun, runStrategy } from "../demo/run.ts";
import { STRATEGIES } from "../demo/strategies.ts";
import { comparisonText, demoReport, INTRODUCTION, nextStepText } from "../demo/text.ts";
import { tooSlowText, verdictOn } from "../demo/verdict.ts";
import { newAbort } from "../drain/abort.ts";
import type { Call } from "./call.ts";
import { EXIT } from "./exit-codes.ts";

export async function runDemo({ options, streams: { stdout, stderr } }: Call): Promise<number> {
  const json = options["json"] === true;
  const say = (text: string) => (json ? stderr : stdout).write(`${text}\n`);
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
  if (json) stdout.write(`${JSON.stringify(demoReport(runs))}\n`);
  else say(`${comparisonText(runs)}\n\n${nextStepText()}`);
  const verdict = verdictOn(runs);
  if (verdict === "too-slow") say(tooSlowText(runs));
  return verdict === "shown" ? EXIT.done : EXIT.notDrained;
}
