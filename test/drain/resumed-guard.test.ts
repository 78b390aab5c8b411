import { expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import { drainRecord } from "../../src/drain/drain-record.ts";
import { Drainer } from "../../src/drain/drainer.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { FakeCloud } from "../support/fake-cloud.ts";
import { never } from "../support/simulated-region.ts";

/** The only target of an ALB's group, whose node is in the group of an NLB too. The process ends after so many seconds. */
async function interrupted(seconds: number) {
  const clock = new VirtualClock();
  const cloud = new FakeCloud(clock);
  const nodes = ["i-1", "i-2", "i-3"].map((id, index) => cloud.addNode(id, `10.0.0.${index + 1}`));
  const web = cloud.addPool("alb", "web", nodes.slice(0, 1));
  cloud.addPool("nlb", "tcp", nodes);
  const ledger = new MemoryLedger();
  const guard = { minHealthy: { count: 1 }, waitMs: 120_000, maxVoluntary: { percent: 100 } } as const;
  const newLife = () => new Drainer({ cloud, clock, ledger, times: { deadlineMarginMs: 10_000 }, guard });
  const stop = newAbort();
  const outcome = newLife().drain({ node: { by: "id", value: "i-1" }, dryRun: false, isVoluntary: false }, stop.signal);
  await clock.advance(seconds * 1_000);
  stop.abort();
  await outcome;
  const [entries = []] = await ledger.unfinished();
  const record = drainRecord(entries);
  if (record === undefined) throw new Error("there is no record");
  const resumedAt = clock.elapsedMs;
  await clock.run(newLife().resume(record, never));
  const steps = (await ledger.read(record.id)) ?? [];
  const verdicts = steps.flatMap((entry) => (entry.type === "guarded" ? entry.verdict : []));
  return { deregistered: cloud.callsOf("deregister", web).map(({ at }) => at - resumedAt), verdicts };
}

test.each([
  ["waits for a replacement", 20, ["waiting", "waiting", "kept"]],
  ["is kept", 130, ["waiting", "kept", "waiting", "kept"]],
])(
  "the last healthy target, which %s when the process ends, is not deregistered by the next process",
  async (_, after, verdicts) => {
    expect(await interrupted(after)).toEqual({ deregistered: [], verdicts });
  },
);
