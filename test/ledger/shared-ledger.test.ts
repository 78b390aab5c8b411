import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { newAbort, whenAborted } from "../../src/drain/abort.ts";
import type { DrainError } from "../../src/drain/errors.ts";
import type { LedgerEntry } from "../../src/drain/ledger.ts";
import type { FileBounds } from "../../src/ledger/file-ledger.ts";
import { lineOf } from "../../src/ledger/lines.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { FailingFiles, noSpace } from "../support/failing-files.ts";
import { closeAtEnd, EntriesOf, stateDir } from "../support/ledger-entries.ts";
import { LogStore, MemoryLog } from "../support/memory-log.ts";
import { never } from "../support/simulated-region.ts";

/** A log, and replicas with a folder each. */
function scene() {
  const clock = new VirtualClock();
  const store = new LogStore();
  const told: string[] = [];
  const replica = async (given: { readonly folder?: string; readonly bounds?: Partial<FileBounds> } = {}) => {
    const { folder = await stateDir(), bounds = {} } = given;
    const log = new MemoryLog(store);
    const files = new FailingFiles();
    const over = newAbort();
    const opened = await openLedger(folder, {
      ...{ clock, files, bounds, shared: { log, over: over.signal } },
      onTrouble: ({ message }) => told.push(message),
      onRecovered: (lost) => told.push(`recovered, ${lost} lost`),
    });
    closeAtEnd(clock, opened.close, () => {
      log.before = log.after = files.before = () => {};
    });
    const path = join(folder, "drains.jsonl");
    return {
      folder,
      path,
      log,
      files,
      over,
      ...opened,
      append: (entry: LedgerEntry) => settled(opened.ledger.append(entry)),
    };
  };
  const lines = () =>
    store.text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as LedgerEntry);
  return { clock, store, told, replica, lines };
}

const settled = (work: Promise<unknown>) =>
  work.then(
    () => "kept",
    ({ code, message }: DrainError) => `${code}: ${message}`,
  );

const away = () => {
  throw new Error("the API server is away");
};

describe("a ledger that several replicas share", () => {
  test("goes on in the next replica with all drains of the one before, and its folder has a copy", async () => {
    const { replica, store } = scene();
    const first = await replica();
    const [ended, running] = [new EntriesOf("d-1"), new EntriesOf("d-2")];
    const ofEnded = ended.whole();
    const ofRunning = [running.accepted(), running.found("i-1:80"), running.deregistered(0)];
    for (const entry of [...ofEnded, ...ofRunning]) await first.append(entry);
    const second = await replica();
    expect(await second.ledger.unfinished(never)).toEqual([ofRunning]);
    expect(await second.ledger.read("d-1", never)).toEqual(ofEnded);
    expect(second.findings).toEqual([]);
    expect(await readFile(second.path, "utf8")).toBe(store.text);
    expect(await second.append(running.ended())).toBe("kept");
    expect(await second.ledger.unfinished(never)).toEqual([]);
  });

  test("has noted an entry only when the next replica would find it", async () => {
    const { replica, store } = scene();
    const { ledger, log } = await replica();
    let isAway = true;
    log.before = () => isAway && new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
    ledger.note(new EntriesOf("d-1").accepted());
    await ledger.noted();
    expect(store.text).toContain('"drain":"d-1"');
    isAway = false;
  });

  test("writes what gathers while an append runs as one piece", async () => {
    const { replica, store, clock } = scene();
    const { ledger, append } = await replica();
    const entries = new EntriesOf("d-1");
    ledger.note(entries.accepted());
    for (let step = 0; step < 100; step++) ledger.note(entries.deregistered(0));
    await clock.outside(append(entries.ended()));
    expect(store.pieces.length).toBeLessThanOrEqual(2);
    expect(await ledger.read("d-1", never)).toHaveLength(102);
  });

  test("gathers steps that no drain waits for, for a fifth of a second", async () => {
    const { replica, lines, clock, store } = scene();
    const { ledger, append } = await replica();
    const entries = new EntriesOf("d-1");
    await append(entries.accepted());
    const before = store.pieces.length;
    for (let step = 0; step < 20; step++) {
      ledger.note(entries.deregistered(0));
      await clock.advance(9);
    }
    expect(store.pieces).toHaveLength(before);
    await clock.advance(20);
    await expect.poll(lines).toHaveLength(21);
    expect(store.pieces).toHaveLength(before + 1);
    // A drain waits for this one.
    ledger.note(entries.deregistered(0));
    await ledger.noted();
    expect(lines()).toHaveLength(22);
  });

  test("leaves a replica that was replaced without a voice, and tells it so", async () => {
    const { replica, lines, told } = scene();
    const first = await replica();
    await first.append(new EntriesOf("d-1").accepted());
    const second = await replica();
    expect(await first.append(new EntriesOf("d-2").accepted())).toBe(
      "ledger-unavailable: the ledger could not be written: another replica has taken the ledger over",
    );
    expect(await second.append(new EntriesOf("d-3").accepted())).toBe("kept");
    expect(lines().map(({ drain }) => drain)).toEqual(["d-1", "d-3"]);
    expect(told).toHaveLength(1);
  });

  test.each(["before", "after"] as const)(
    "tells callers that the cluster does not keep their drains, and has each entry once later: failed %s it was stored",
    async (when) => {
      const { replica, lines, told, clock } = scene();
      const { ledger, log, append } = await replica();
      const entries = new EntriesOf("d-1");
      log[when] = away;
      expect(await append(entries.accepted())).toBe(
        "ledger-unavailable: the ledger could not be written: the API server is away",
      );
      const steps = [entries.found("i-1:80"), entries.deregistered(0)];
      for (const entry of steps) ledger.note(entry);
      await clock.advance(12_000);
      log[when] = () => {};
      await clock.advance(5_000);
      expect(await clock.outside(append(entries.ended()))).toBe("kept");
      expect(lines().map(({ n }) => n)).toEqual([1, 2, 3, 4]);
      expect(told).toEqual(["the ledger could not be written: the API server is away", "recovered, 0 lost"]);
      expect(await ledger.read("d-1", never)).toHaveLength(4);
    },
  );

  test("a cluster that hangs keeps a caller no longer than five seconds", async () => {
    const { replica, clock } = scene();
    const { log, append } = await replica();
    log.before = () => new Promise(() => {});
    expect(await clock.run(append(new EntriesOf("d-1").accepted()))).toBe(
      "ledger-unavailable: the ledger was not written within 5 s",
    );
  });

  test("has each entry once though the disk of the folder failed after the cluster had it", async () => {
    const { replica, lines, clock } = scene();
    const { ledger, files, append } = await replica();
    const entries = new EntriesOf("d-1");
    files.before = (operation) => {
      if (operation === "write") throw noSpace();
    };
    expect(await append(entries.accepted())).toMatch(/^ledger-unavailable: .*the disk is full/);
    files.before = () => {};
    ledger.note(entries.found("i-1:80"));
    await clock.advance(5_000);
    expect(await clock.outside(append(entries.ended()))).toBe("kept");
    expect(lines().map(({ n }) => n)).toEqual([1, 2, 3]);
    expect(await ledger.read("d-1", never)).toHaveLength(3);
  });

  test("hands everything over when it is closed, though the cluster is slow", async () => {
    const { replica, lines, clock } = scene();
    const { ledger, log, close } = await replica();
    const answers = newAbort();
    log.before = () => whenAborted(answers.signal).catch(() => {});
    for (const entry of new EntriesOf("d-1").whole()) ledger.note(entry);
    const closed = close();
    await clock.advance(4_000);
    answers.abort();
    await closed;
    expect(lines()).toHaveLength(5);
  });

  test("ends its calls when the term of its replica is over", async () => {
    const { replica, store } = scene();
    const { log, over, append } = await replica();
    log.before = (_, signal) => whenAborted(signal);
    const appended = append(new EntriesOf("d-1").accepted());
    over.abort(new Error("the term is over"));
    expect(await appended).toMatch(/^ledger-unavailable: .*the term is over/);
    expect(store.text).toBe("");
  });

  test("is not opened in a term that is over", async () => {
    const over = newAbort();
    over.abort(new Error("the term is over"));
    const shared = { log: new MemoryLog(new LogStore()), over: over.signal };
    const opened = openLedger(await stateDir(), { clock: new VirtualClock(), shared });
    await expect(opened).rejects.toBe(over.signal.reason);
  });

  test("that can't be read is no fault of the folder", async () => {
    const log = new MemoryLog(new LogStore());
    log.before = away;
    const opened = openLedger(await stateDir(), { clock: new VirtualClock(), shared: { log, over: never } });
    const message = "the shared ledger could not be read: the API server is away";
    await expect(opened).rejects.toMatchObject({ code: "ledger-unavailable", message });
  });
});

describe("a shared ledger is rewritten", () => {
  test("when it has too many pieces, and keeps every drain that runs", async () => {
    const { replica, store, clock } = scene();
    const { append, ledger } = await replica({ bounds: { piecesMax: 10 } });
    const running = new EntriesOf("d-0");
    const accepted = running.accepted();
    await append(accepted);
    for (let number = 1; number <= 20; number++) await clock.outside(append(new EntriesOf(`d-${number}`).accepted()));
    await expect.poll(() => store.pieces.length).toBeLessThanOrEqual(12);
    const next = await replica();
    expect(await next.ledger.unfinished(never)).toHaveLength(21);
    expect(await ledger.read("d-0", never)).toEqual([accepted]);
  });

  test("when the file was taken out of the folder, and the log has each entry once", async () => {
    const { replica, lines, clock } = scene();
    const { append, ledger, path } = await replica();
    const entries = new EntriesOf("d-1");
    await append(entries.accepted());
    await rm(path);
    expect(await append(entries.found("i-1:80"))).toMatch(/was removed while the service was running/);
    await clock.advance(5_000);
    expect(await clock.outside(append(entries.deregistered(0)))).toBe("kept");
    expect(lines().map(({ n }) => n)).toEqual([1, 2, 3]);
    expect(await ledger.read("d-1", never)).toHaveLength(3);
  });

  test("later, where that fails, and nothing is lost meanwhile", async () => {
    const { replica, lines, clock } = scene();
    const { append, log } = await replica({ bounds: { piecesMax: 5 } });
    log.before = (call) => call === "replace" && away();
    let number = 0;
    const appendUpTo = async (count: number) => {
      while (number < count) await clock.outside(append(new EntriesOf(`d-${++number}`).accepted()));
    };
    const tries = () => log.calls.filter((call) => call === "replace").length;
    await appendUpTo(6);
    await expect.poll(tries).toBe(1);
    await appendUpTo(12);
    expect(tries()).toBe(1);
    await appendUpTo(13);
    await expect.poll(tries).toBe(2);
    expect(lines()).toHaveLength(13);
  });
});

test("the drains of a service without replicas go on when it gets some, up to its last whole line", async () => {
  const { replica, lines } = scene();
  const folder = await stateDir();
  const running = new EntriesOf("d-1");
  const entries = [running.accepted(), running.found("i-1:80")];
  await writeFile(join(folder, "drains.jsonl"), `${entries.map((entry) => lineOf(entry)).join("")}{"drain":"d-1",`);
  const first = await replica({ folder });
  expect(first.findings[0]?.error).toMatch(/^the last line of the ledger is incomplete/);
  expect(lines().filter(({ type }) => type !== "gap")).toEqual(entries);
  await first.close();
  const second = await replica();
  expect((await second.ledger.unfinished(never))[0]?.filter(({ type }) => type !== "gap")).toEqual(entries);
  // What a folder has from an earlier term is not what counts.
  const third = await replica({ folder });
  expect(await third.append(running.deregistered(0))).toBe("kept");
  expect(lines().filter(({ type }) => type !== "gap")).toHaveLength(3);
});

describe("a shared ledger of which a piece is missing", () => {
  test("says so, holds the targets of any node for long enough, and is whole again afterwards", async () => {
    const { replica, store, lines, clock } = scene();
    const first = await replica();
    const running = new EntriesOf("d-1");
    for (const entry of [running.accepted(), running.found("i-1:80"), running.deregistered(0)])
      await first.append(entry);
    store.pieces[1] = { damage: "the ConfigMap hlv/hlv-ledger-0000000003 was deleted by another program" };
    const { ledger, findings } = await replica();
    expect(findings.map(({ error }) => error)).toEqual([
      "part of the ledger is missing: the ConfigMap hlv/hlv-ledger-0000000003 was deleted by another program",
      expect.stringMatching(/^parts of the ledger are missing: the damaged file was kept as/),
      expect.stringMatching(/^an entry of the drain is missing: its targets are held as long/),
      expect.stringMatching(/^it is unknown which drains the unreadable lines were about/),
    ]);
    expect(ledger.unknownSince("i-any")).toBe(clock.now());
    expect(store.pieces).toHaveLength(1);
    expect(lines().map(({ drain, type }) => `${drain} ${type}`)).toEqual([
      "d-1 accepted",
      "d-1 deregistered",
      "d-1 gap",
      "unknown gap",
    ]);
    const third = await replica();
    expect(third.findings).toEqual([]);
    expect(third.ledger.unknownSince("i-any")).toBe(clock.now());
  });

  test("in the middle of a line takes the rest of it for no line", async () => {
    const { store, replica } = scene();
    const [one, other] = [lineOf(new EntriesOf("d-1").accepted()), lineOf(new EntriesOf("d-2").accepted())];
    store.isNew = false;
    const pieces = [one.slice(0, 40), undefined, `${one.slice(90)}${other}`];
    store.pieces = pieces.map((text) => (text === undefined ? { damage: "it is gone" } : { bytes: Buffer.from(text) }));
    const { ledger, findings } = await replica();
    expect((await ledger.unfinished(never)).map(([first]) => first?.drain)).toEqual(["d-2"]);
    expect(findings.map(({ error }) => error)).toContainEqual(
      expect.stringMatching(/^these lines of the ledger can't be read: 1, 2/),
    );
  });
});
