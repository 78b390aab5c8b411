import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { ledgerLines } from "../../bench/readers/ledger-lines.ts";
import { SystemClock } from "../../src/drain/clock.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { stateDir } from "../support/ledger-entries.ts";
import { never } from "../support/simulated-region.ts";

test.each([1_000_000, 5])(
  "the ledger that readers are measured with is a whole one, of %i drains at most",
  async (drainsMax) => {
    const clock = new SystemClock();
    const folder = await stateDir();
    const { drains, text } = ledgerLines({ bytes: 1_000_000, drainsMax }, clock.now());
    expect(text.length).toBeGreaterThan(900_000);
    expect(text.length).toBeLessThan(1_100_000);
    expect(drains.length).toBe(Math.min(drainsMax, drains.length));
    await writeFile(join(folder, "drains.jsonl"), text);
    const { ledger, findings, close } = await openLedger(folder, { clock });
    onTestFinished(close);
    expect(findings).toEqual([]);
    expect((await ledger.read(drains[0] ?? "", never))?.at(-1)?.type).toBe("ended");
  },
);
