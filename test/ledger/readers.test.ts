import { describe, expect, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import type { LedgerEntry } from "../../src/drain/ledger.ts";
import type { FileBounds } from "../../src/ledger/file-ledger.ts";
import { lineOf } from "../../src/ledger/lines.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { FailingFiles } from "../support/failing-files.ts";
import { closeAtEnd, EntriesOf, stateDir } from "../support/ledger-entries.ts";
import { never } from "../support/simulated-region.ts";

const DRAINS = 500;
const DISK_PAGE_BYTES = 4_096;

/** A ledger of drains that ran at the same time: the lines of each are spread over the whole file. */
async function scene(bounds: Partial<FileBounds> = {}) {
  const clock = new VirtualClock();
  const files = new FailingFiles();
  const { ledger, close } = await openLedger(await stateDir(), { clock, files, bounds });
  closeAtEnd(clock, close, () => {
    files.before = () => {};
  });
  const onDisk = <T>(work: Promise<T>) => clock.outside(work);
  const drains = Array.from({ length: DRAINS }, (_, number) => new EntriesOf(`d-${number}`).whole());
  for (let step = 0; step < 5; step++) for (const entries of drains) ledger.note(entries[step] as LedgerEntry);
  await onDisk(ledger.append(new EntriesOf("d-running").accepted()));
  files.bytesRead = 0;
  files.done.length = 0;
  /** From now on reads wait until they are let go. */
  const hold = () => {
    const waiting: (() => void)[] = [];
    let begun = 0;
    files.before = (operation) => {
      if (operation !== "read") return undefined;
      begun += 1;
      return new Promise<void>((resolve) => waiting.push(resolve));
    };
    return {
      get begun() {
        return begun;
      },
      letGo() {
        files.before = () => {};
        for (const resolve of waiting) resolve();
      },
    };
  };
  return { clock, files, ledger, drains, onDisk, hold };
}

/** Until everything that needs no disk has been done. */
const settle = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
};

describe("reading a drain", () => {
  test("reads its own lines, and of the rest of the file no more than a disk gives along with them", async () => {
    const { files, ledger, drains, onDisk } = await scene();
    for (const number of [0, 250, DRAINS - 1]) {
      files.bytesRead = 0;
      expect(await onDisk(ledger.read(`d-${number}`, never))).toEqual(drains[number]);
      const own = (drains[number] ?? []).reduce((sum, entry) => sum + lineOf(entry).length, 0);
      expect(files.bytesRead).toBeGreaterThanOrEqual(own);
      expect(files.bytesRead).toBeLessThanOrEqual(own + 5 * DISK_PAGE_BYTES);
    }
    const all = drains.flat().reduce((sum, entry) => sum + lineOf(entry).length, 0);
    expect(all).toBeGreaterThan(50 * DISK_PAGE_BYTES);
  });

  test("that runs reads no file", async () => {
    const { files, ledger } = await scene();
    files.before = (operation) => operation === "read" && new Promise(() => {});
    expect(await ledger.read("d-running", never)).toHaveLength(1);
    expect(await ledger.unfinished(never)).toHaveLength(1);
    expect(files.bytesRead).toBe(0);
  });

  test("is one read for all who read it at the same time", async () => {
    const { files, ledger, drains, onDisk } = await scene();
    await onDisk(ledger.read("d-7", never));
    const alone = files.bytesRead;
    files.bytesRead = 0;
    const all = await onDisk(Promise.all(Array.from({ length: 100 }, () => ledger.read("d-7", never))));
    expect(all.every((entries) => entries?.length === drains[7]?.length)).toBe(true);
    expect(files.bytesRead).toBe(alone);
  });

  test("gives whoever asks later what was written since, though an earlier read goes on", async () => {
    const { ledger, onDisk, hold } = await scene();
    const held = hold();
    const early = ledger.read("d-7", never);
    await settle();
    ledger.note({ drain: "d-7", n: 6, at: 2_000, type: "cancelled" });
    const late = ledger.read("d-7", never);
    held.letGo();
    expect((await onDisk(early))?.length).toBe(5);
    expect((await onDisk(late))?.length).toBe(6);
  });

  test("finds its lines where a compaction has moved them, also when it has begun before that", async () => {
    const { clock, files, ledger, drains, onDisk, hold } = await scene({ fileBytesMax: 400_000 });
    const held = hold();
    const before = ledger.read(`d-${DRAINS - 1}`, never);
    await settle();
    files.before = () => {};
    for (let number = 0; !files.done.includes("rename"); number++) {
      for (const entry of new EntriesOf(`d-more-${number}`).whole()) ledger.note(entry);
      await onDisk(ledger.noted());
      await clock.advance(1);
    }
    held.letGo();
    expect(await onDisk(before)).toEqual(drains[DRAINS - 1]);
    expect(await onDisk(ledger.read(`d-${DRAINS - 1}`, never))).toEqual(drains[DRAINS - 1]);
  });
});

describe("a hundred readers", () => {
  const readAll = async () => {
    const at = await scene();
    const held = at.hold();
    const leave = newAbort();
    const reads = Array.from({ length: 100 }, (_, number) => at.ledger.read(`d-${number}`, leave.signal));
    for (const read of reads) read.catch(() => {});
    await settle();
    return { ...at, held, leave, reads };
  };

  test("read two at a time, so that what drains write is written before the others have their turn", async () => {
    const { files, ledger, held, reads, onDisk } = await readAll();
    expect(held.begun).toBe(2);
    const drain = new EntriesOf("d-new");
    await onDisk(ledger.append(drain.accepted()));
    ledger.note(drain.found("i-1:80"));
    await onDisk(ledger.noted());
    expect(files.done.filter((operation) => operation === "write")).toHaveLength(2);
    expect(files.done).not.toContain("read");
    held.letGo();
    expect(await onDisk(Promise.all(reads))).toHaveLength(100);
  });

  test("who leave while they wait cost no read", async () => {
    const { held, leave, reads, onDisk, files } = await readAll();
    leave.abort();
    for (const read of reads) await expect(read).rejects.toBeDefined();
    held.letGo();
    await onDisk(settle());
    expect(files.done.filter((operation) => operation === "read").length).toBeLessThanOrEqual(2);
  });

  test("whose disk hangs are told so within five seconds, and the ledger is written meanwhile", async () => {
    const { clock, ledger, reads, onDisk } = await readAll();
    const told = Promise.all(reads.map((read) => read.catch(({ code }: { code: string }) => code)));
    await clock.advance(5_000);
    expect(new Set(await told)).toEqual(new Set(["ledger-unavailable"]));
    await onDisk(ledger.append(new EntriesOf("d-new").accepted()));
  });
});
