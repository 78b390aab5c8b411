import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test, vi } from "vitest";
import { Drainer } from "../../src/drain/drainer.ts";
import type { DrainError } from "../../src/drain/errors.ts";
import { type LedgerEntry, NOTED_WITHIN_MS } from "../../src/drain/ledger.ts";
import type { FileBounds } from "../../src/ledger/file-ledger.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { FailingFiles, noSpace } from "../support/failing-files.ts";
import { FakeCloud } from "../support/fake-cloud.ts";
import { closeAtEnd, EntriesOf, stateDir } from "../support/ledger-entries.ts";
import { never } from "../support/simulated-region.ts";

async function scene(bounds: Partial<FileBounds> = {}) {
  const folder = await stateDir();
  const clock = new VirtualClock();
  const files = new FailingFiles();
  const told: string[] = [];
  const failures: DrainError[] = [];
  const open = async () => {
    const opened = await openLedger(folder, {
      clock,
      files,
      bounds,
      onFailure: (error) => failures.push(error),
      onTrouble: ({ message }) => told.push(message),
      onRecovered: (lost) => told.push(`recovered, ${lost} lost`),
    });
    closeAtEnd(clock, opened.close, () => {
      files.before = () => {};
    });
    return opened;
  };
  const { ledger, close } = await open();
  const lines = async () => {
    const text = await readFile(join(folder, "drains.jsonl"), "utf8");
    expect(text === "" || text.endsWith("\n")).toBe(true);
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line): LedgerEntry => JSON.parse(line));
  };
  /** Lets the disk work: virtual time does not know of it. */
  const onDisk = <T>(work: Promise<T>) => clock.outside(work);
  return { folder, clock, files, told, failures, ledger, close, open, lines, onDisk };
}

const settled = (work: Promise<unknown>) =>
  work.then(
    () => "kept",
    ({ code, message }: DrainError) => `${code}: ${message}`,
  );

describe("a full disk", () => {
  test("promises nothing to whoever waits for an entry, says so once, and delays nobody else", async () => {
    const { files, ledger, told, failures, onDisk, clock } = await scene();
    files.before = (operation) => {
      if (operation === "write") throw noSpace();
    };
    const entries = new EntriesOf("d-1");
    const refused =
      "ledger-unavailable: the ledger could not be written: the disk is full (ENOSPC): free space, or enlarge the volume";
    expect(await onDisk(settled(ledger.append(entries.accepted())))).toBe(refused);
    ledger.note(entries.found("i-1:80"));
    await onDisk(ledger.noted());
    expect(await onDisk(settled(ledger.append(new EntriesOf("d-2").accepted())))).toBe(refused);
    expect(clock.elapsedMs).toBe(0);
    expect(told).toEqual([refused.slice("ledger-unavailable: ".length)]);
    expect(failures.map(({ code }) => code)).toEqual(["ledger-unavailable", "ledger-unavailable"]);
  });

  test("that has written half a line leaves none, and once there is room everything stands in its order", async () => {
    const { files, ledger, lines, told, onDisk, clock } = await scene();
    const entries = new EntriesOf("d-1");
    const given = [entries.accepted(), entries.found("i-1:80"), entries.deregistered(0)];
    const [accepted = entries.accepted(), ...steps] = given;
    await onDisk(ledger.append(accepted));
    files.writesBeforeFailure = 30;
    files.before = (operation) => {
      if (operation === "write") throw noSpace();
    };
    for (const step of steps) ledger.note(step);
    await onDisk(ledger.noted());
    // As anybody may read it meanwhile.
    expect(await onDisk(ledger.read("d-1", never))).toEqual(given);
    files.before = () => {};
    await clock.advance(5_000);
    await onDisk(ledger.append(entries.ended()));
    expect((await lines()).map(({ n }) => n)).toEqual([1, 2, 3, 4]);
    expect(told.at(-1)).toBe("recovered, 0 lost");
  });

  test("is tried again every few seconds, one try at a time, however many have asked", async () => {
    const { files, ledger, failures, onDisk, clock } = await scene();
    files.before = (operation) => {
      if (operation === "write") throw noSpace();
    };
    for (let number = 0; number < 50; number++)
      await onDisk(settled(ledger.append(new EntriesOf(`d-${number}`).accepted())));
    const before = failures.length;
    for (let retry = 1; retry <= 5; retry++) {
      await clock.advance(5_000);
      await vi.waitFor(() => expect(failures).toHaveLength(before + retry), { timeout: 60_000 });
      expect(clock.sleeping).toBe(1);
    }
  });

  test("costs steps once too many wait, never how drains begin and end, and says how many", async () => {
    const { files, ledger, lines, told, onDisk, clock } = await scene({ waitingMax: 10 });
    files.before = (operation) => {
      if (operation === "write") throw noSpace();
    };
    const entries = new EntriesOf("d-1");
    await onDisk(settled(ledger.append(entries.accepted())));
    for (let step = 0; step < 30; step++) ledger.note(entries.deregistered(0));
    ledger.note(entries.ended());
    files.before = () => {};
    await clock.advance(5_000);
    await onDisk(ledger.append(new EntriesOf("d-2").accepted()));
    const kept = (await lines()).filter(({ drain }) => drain === "d-1");
    expect(kept.map(({ type }) => type)).toEqual(["accepted", ...Array(9).fill("deregistered"), "ended"]);
    expect(told.at(-1)).toBe("recovered, 21 lost");
  });
});

test("what the disk has refused to keep is written again, once", async () => {
  const { files, ledger, lines, onDisk, clock } = await scene();
  files.before = (operation) => {
    if (operation === "datasync") throw Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
  };
  const entries = new EntriesOf("d-1");
  expect(await onDisk(settled(ledger.append(entries.accepted())))).toMatch(/^ledger-unavailable: .*EIO/);
  files.before = () => {};
  await clock.advance(5_000);
  await onDisk(ledger.append(entries.ended()));
  expect((await lines()).map(({ n }) => n)).toEqual([1, 2]);
});

test("a disk that hangs keeps nobody waiting: a promise for 5 s, a deregistration for a quarter of a second", async () => {
  const { files, ledger, clock, told, lines, onDisk } = await scene();
  let wake: () => void = () => {};
  const hangs = new Promise<void>((resolve) => {
    wake = resolve;
  });
  files.before = () => hangs;
  const entries = new EntriesOf("d-1");
  const kept = settled(ledger.append(entries.accepted()));
  ledger.note(entries.found("i-1:80"));
  await clock.run(ledger.noted());
  expect(clock.elapsedMs).toBe(250);
  expect(await clock.run(kept)).toBe("ledger-unavailable: the ledger was not written within 5 s");
  expect(clock.elapsedMs).toBe(5_000);
  // From now on nobody waits for it.
  await ledger.noted();
  expect(await clock.run(settled(ledger.read("d-1", never)))).toBe("kept");
  files.before = () => {};
  wake();
  await onDisk(ledger.append(entries.ended()));
  expect((await lines()).map(({ n }) => n)).toEqual([1, 2, 3]);
  expect(told).toEqual(["the ledger was not written within 5 s", "recovered, 0 lost"]);
});

test("those who gather while the disk is busy share one fdatasync, and steps cost none", async () => {
  const { files, ledger, onDisk } = await scene();
  files.done.length = 0;
  const drains = Array.from({ length: 100 }, (_, number) => new EntriesOf(`d-${number}`));
  await onDisk(Promise.all(drains.map((drain) => ledger.append(drain.accepted()))));
  const shared = files.done.filter((operation) => operation === "datasync").length;
  expect(shared).toBeLessThanOrEqual(2);
  for (const drain of drains) ledger.note(drain.deregistered(0));
  await onDisk(ledger.noted());
  expect(files.done.filter((operation) => operation === "datasync")).toHaveLength(shared);
});

describe.each(["hangs", "fails"] as const)("a disk whose reads %s", (how) => {
  /** A drainer whose last drains have ended short, so that its next one has to know what they held. */
  async function afterShortDrains(count: number) {
    const { clock, files, ledger, onDisk } = await scene();
    const cloud = new FakeCloud(clock);
    const node = cloud.addNode("i-1");
    cloud.addPool("nlb", "tcp", [node], { drainMs: 30_000 });
    const drainer = new Drainer({ cloud, clock, ledger, times: { deadlineMarginMs: 10_000 } });
    const drain = (more: { readonly timeoutMs?: number; readonly deadline?: number } = {}) =>
      clock.run(drainer.drain({ node: { by: "id", value: "i-1" }, dryRun: false, ...more }, never));
    for (let times = 0; times < count; times += 1)
      expect((await drain({ timeoutMs: 1_000 })).status).toBe("deadline-passed");
    await onDisk(ledger.noted());
    const reads = { begun: 0 };
    files.before = (operation) => {
      if (operation !== "read") return;
      reads.begun += 1;
      if (how === "hangs") return new Promise(() => {});
      throw Object.assign(new Error("EIO: i/o error, read"), { code: "EIO" });
    };
    cloud.addPool("alb", "web", [node], { drainMs: 30_000 });
    return { clock, cloud, ledger, drain, reads };
  }

  test.each([1, 20, 50])(
    "delays no deregistration after %s drains that ended short, and no hold is forgotten",
    async (count) => {
      const { clock, cloud, drain, reads } = await afterShortDrains(count);
      const begun = clock.now();
      expect((await drain({ deadline: begun + 600_000 })).status).toBe("drained");
      const [first, ...more] = cloud.callsOf("deregister").map(({ at }) => at);
      // What was found is noted first, for which it waits a quarter of a second at most.
      expect(more.map((at) => at - begun).every((ms) => ms <= NOTED_WITHIN_MS)).toBe(true);
      expect(more).toHaveLength(1);
      const heldMs = clock.now() - (first ?? 0);
      expect(heldMs).toBeGreaterThanOrEqual(210_000);
      expect(heldMs).toBeLessThanOrEqual(211_000);
      expect(reads.begun).toBe(0);
    },
  );

  test("is told to those who want to read a drain, within five seconds", async () => {
    const { clock, ledger } = await afterShortDrains(1);
    const whole = new EntriesOf("d-whole");
    for (const entry of whole.whole()) ledger.note(entry);
    await clock.outside(ledger.append(new EntriesOf("d-next").accepted()));
    const begun = clock.now();
    await expect(clock.run(ledger.read("d-whole", never))).rejects.toMatchObject({ code: "ledger-unavailable" });
    expect(clock.now() - begun).toBe(how === "hangs" ? 5_000 : 0);
  });
});

describe("the file stays small", () => {
  const BOUNDS = { fileBytesMax: 20_000, endedBytesMax: 5_000 };

  test("however many drains there were: those that run are kept whole, and the newest of the others", async () => {
    const { folder, ledger, lines, onDisk, open, close } = await scene(BOUNDS);
    const running = new EntriesOf("d-running");
    const left = [running.accepted(), running.found("i-1:80"), running.deregistered(0)];
    for (const entry of left) ledger.note(entry);
    for (let number = 0; number < 200; number++) {
      for (const entry of new EntriesOf(`d-${number}`).whole()) ledger.note(entry);
      await onDisk(ledger.noted());
      // It is written anew beside those who write.
      await expect.poll(async () => (await lines()).length).toBeLessThan(200);
    }
    await onDisk(ledger.append(new EntriesOf("d-last").accepted()));
    for (const drain of ["d-199", "d-198"]) expect(await onDisk(ledger.read(drain, never))).toHaveLength(5);
    expect(await onDisk(ledger.read("d-running", never))).toEqual(left);
    expect(await onDisk(ledger.read("d-0", never))).toBeUndefined();
    expect(ledger.list(1_000).length).toBeLessThan(100);
    await onDisk(close());
    const again = await open();
    expect(again.findings).toEqual([]);
    expect(await onDisk(again.ledger.read("d-running", never))).toEqual(left);
    expect((await readdir(folder)).sort()).toEqual(["drains.jsonl", "lock"]);
  });

  test("and whoever writes or reads does not wait for it to be written anew", async () => {
    const { folder, ledger, files, lines, onDisk, open, close } = await scene(BOUNDS);
    const isThere = async () => (await readdir(folder)).includes("drains.jsonl.new");
    let goOn = () => {};
    const hangs = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    files.before = (operation, path) => (operation === "write" && path.endsWith(".new") ? hangs : undefined);
    const before = new EntriesOf("d-before");
    ledger.note(before.accepted());
    for (let number = 0; !(await isThere()); number++) {
      for (const entry of new EntriesOf(`d-${number}`).whole()) ledger.note(entry);
      await onDisk(ledger.noted());
    }
    const meanwhile = new EntriesOf("d-meanwhile");
    await onDisk(ledger.append(meanwhile.accepted()));
    ledger.note(before.found("i-1:80"));
    ledger.note(meanwhile.found("i-2:80"));
    await onDisk(ledger.noted());
    expect((await lines()).slice(-3).map(({ drain, type }) => [drain, type])).toEqual([
      ["d-meanwhile", "accepted"],
      ["d-before", "found"],
      ["d-meanwhile", "found"],
    ]);
    expect(await onDisk(ledger.read("d-before", never))).toHaveLength(2);
    expect(await isThere()).toBe(true);

    goOn();
    await expect.poll(isThere).toBe(false);
    ledger.note(meanwhile.deregistered(0));
    await onDisk(ledger.noted());
    for (const [drain, count] of [
      ["d-before", 2],
      ["d-meanwhile", 3],
      ["d-0", undefined],
    ] as const)
      expect((await onDisk(ledger.read(drain, never)))?.length, drain).toBe(count);
    expect((await lines()).length).toBeLessThan(60);
    await onDisk(close());
    const again = await open();
    expect(again.findings).toEqual([]);
    expect((await onDisk(again.ledger.unfinished(never))).map((entries) => entries.length)).toEqual([2, 3]);
  });

  test("and it may be closed while it is written anew", async () => {
    const { folder, ledger, files, onDisk, open, close } = await scene(BOUNDS);
    const first = new EntriesOf("d-first");
    ledger.note(first.accepted());
    let closed: Promise<void> | undefined;
    files.before = (operation, path) => {
      if (operation === "open" && path.endsWith(".new")) closed = onDisk(close());
    };
    for (let number = 0; closed === undefined; number++) {
      for (const entry of new EntriesOf(`d-${number}`).whole()) ledger.note(entry);
      await onDisk(ledger.noted());
    }
    await closed;
    expect(await readdir(folder)).toEqual(["drains.jsonl"]);
    const again = await open();
    expect(again.findings).toEqual([]);
    expect(await onDisk(again.ledger.unfinished(never))).toHaveLength(1);
  });

  test.each(["open", "write", "datasync", "rename", "sync"] as const)(
    "and is whole whatever fails while it is written anew: %s",
    async (failing) => {
      const { ledger, files, onDisk, open, close, told, clock } = await scene(BOUNDS);
      let [isRewriting, hasFailed] = [false, false];
      files.before = (operation, path) => {
        // Once: the ledger tries again, and whether before it is closed is a matter of timing.
        if (hasFailed) return;
        if (operation === "open" && path.endsWith(".new")) isRewriting = true;
        if (operation === failing && isRewriting && (failing === "sync" || path.endsWith(".new"))) {
          hasFailed = true;
          throw noSpace();
        }
      };
      const first = new EntriesOf("d-first");
      ledger.note(first.accepted());
      for (let number = 0; told.length === 0; number++) {
        for (const entry of new EntriesOf(`d-${number}`).whole()) ledger.note(entry);
        await onDisk(ledger.noted());
        await clock.advance(1_000);
      }
      await onDisk(ledger.append(first.found("i-1:80")));
      await onDisk(close());
      const again = await open();
      expect(again.findings).toEqual([]);
      expect(await onDisk(again.ledger.read("d-first", never))).toHaveLength(2);
      expect(await onDisk(again.ledger.unfinished(never))).toHaveLength(1);
    },
  );
});
