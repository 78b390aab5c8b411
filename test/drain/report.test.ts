import { expect, test } from "vitest";
import { drainListReport } from "../../src/drain/record-report.ts";
import { moment } from "../../src/drain/report.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { DrainScene } from "../support/drain-scene.ts";

test.each([0.4, 0.6])(
  "a running drain and its record began at the same millisecond (at a fraction of %d)",
  async (ms) => {
    const ledger = new MemoryLedger();
    const made = new DrainScene({}, undefined, { ledger });
    await made.clock.advance(ms);
    made.cloud.addPool("alb", "web", [made.cloud.addNode("i-1", "10.0.0.1")]);
    const drained = made.ask("i-1");
    await made.clock.advance(1_000);
    const running = made.drainer.running(ledger.list(1)[0]?.drain ?? "");
    expect((running?.startedAt ?? 0) % 1).toBeCloseTo(ms, 3);
    expect(JSON.stringify(drainListReport(ledger.list(1)))).toContain(moment(running?.startedAt ?? 0));
    await made.clock.run(drained);
  },
);
