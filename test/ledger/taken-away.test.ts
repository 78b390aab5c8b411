import { execFileSync } from "node:child_process";
import { appendFile, mkdir, readFile, rename, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { DrainError } from "../../src/drain/errors.ts";
import type { LedgerEntry } from "../../src/drain/ledger.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { FailingFiles } from "../support/failing-files.ts";
import { closeAtEnd, EntriesOf, stateDir } from "../support/ledger-entries.ts";
import { never } from "../support/simulated-region.ts";

/** A ledger with a drain that has ended, and one that runs. */
async function scene() {
  const folder = await stateDir();
  const path = join(folder, "drains.jsonl");
  const clock = new VirtualClock();
  const told: string[] = [];
  const failures: DrainError[] = [];
  const open = async () => {
    const opened = await openLedger(folder, {
      clock,
      onFailure: (error) => failures.push(error),
      onTrouble: ({ message }) => told.push(message),
      onRecovered: (lost) => told.push(`recovered, ${lost} lost`),
    });
    closeAtEnd(clock, opened.close);
    return opened;
  };
  const opened = await open();
  const { ledger } = opened;
  const [ended, running] = [new EntriesOf("d-ended"), new EntriesOf("d-running")];
  const onDisk = <T>(work: Promise<T>) => clock.outside(work);
  const ofEnded = ended.whole();
  const ofRunning: LedgerEntry[] = [running.accepted(), running.found("i-1:80"), running.deregistered(0)];
  for (const entry of [...ofEnded, ...ofRunning]) ledger.note(entry);
  await onDisk(ledger.append(new EntriesOf("d-other").accepted()));
  const lines = async () =>
    (await readFile(path, "utf8"))
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
  return { folder, path, clock, told, failures, ...opened, open, running, ofEnded, ofRunning, onDisk, lines };
}

type Scene = Awaited<ReturnType<typeof scene>>;

const settled = (work: Promise<unknown>) =>
  work.then(
    () => "kept",
    ({ code, message }: DrainError) => `${code}: ${message}`,
  );

/** The next request is refused, the file is written anew, and the one after that is kept. */
async function expectNoticed(at: Scene, said: RegExp) {
  const { ledger, clock, onDisk, told, failures } = at;
  const before = failures.length;
  const third = new EntriesOf("d-3");
  expect(await onDisk(settled(ledger.append(third.accepted())))).toMatch(/^ledger-unavailable: /);
  expect(ledger.displaced?.error.message).toMatch(said);
  expect(ledger.displaced?.at).toBe(clock.now());
  expect(failures).toHaveLength(before + 1);
  expect(told).toEqual([expect.stringMatching(said)]);
  await clock.advance(5_000);
  expect(await onDisk(settled(ledger.append(new EntriesOf("d-4").accepted())))).toBe("kept");
  expect(ledger.displaced).toBeUndefined();
}

describe("a ledger that another program takes away from the running service is noticed, and written anew:", () => {
  test.each<[string, (at: Scene) => Promise<unknown>, RegExp]>([
    ["removed", ({ path }) => rm(path), /drains\.jsonl was removed while the service was running/],
    ["moved aside", ({ path }) => rename(path, `${path}.1`), /was removed while the service was running/],
    [
      "replaced",
      async ({ path }) => {
        await writeFile(`${path}.new-one`, "{}\n");
        await rename(`${path}.new-one`, path);
      },
      /was replaced by another file/,
    ],
    [
      "replaced by a link",
      async ({ path, folder }) => {
        await rename(path, join(folder, "elsewhere"));
        await symlink("/dev/null", path);
      },
      /was replaced by another file/,
    ],
  ])("%s, and nothing of it is lost", async (_, takeAway, said) => {
    const at = await scene();
    const before = await at.lines();
    await takeAway(at);
    await expectNoticed(at, said);
    expect(at.told.at(-1)).toBe("recovered, 0 lost");
    expect((await at.lines()).slice(0, before.length)).toEqual(before);
    expect((await at.lines()).slice(before.length).map(({ drain }) => drain)).toEqual(["d-3", "d-4"]);
    expect((await stat(at.path)).mode & 0o777).toBe(0o600);
    await at.onDisk(at.close());
    const again = await at.open();
    expect(again.findings).toEqual([]);
    expect(await at.onDisk(again.ledger.read("d-ended", never))).toEqual(at.ofEnded);
  });

  test.each<[string, (at: Scene) => Promise<unknown>, RegExp]>([
    ["emptied", ({ path }) => truncate(path, 0), /was truncated from \d+ to 0 bytes/],
    ["cut within a line", ({ path }) => truncate(path, 1_000), /was truncated from \d+ to 1000 bytes/],
    [
      "emptied and written by another program",
      async ({ path }) => {
        await truncate(path, 0);
        await appendFile(path, "x".repeat(100_000));
      },
      /was written by another program/,
    ],
  ])("%s, and every entry of what runs is there again", async (_, takeAway, said) => {
    const at = await scene();
    await takeAway(at);
    await expectNoticed(at, said);
    expect(at.told.at(-1)).toMatch(/^recovered, \d+ lost$/);
    at.ledger.note(at.running.next({ type: "released", of: [0] }));
    await at.onDisk(at.ledger.noted());
    const own = (await at.lines()).filter(({ drain }) => drain === "d-running");
    expect(own.slice(0, 3)).toEqual(at.ofRunning);
    expect(own.map(({ n }) => n)).toEqual([1, 2, 3, 4]);
    expect(await at.onDisk(at.ledger.read("d-running", never))).toEqual(own);
    await at.onDisk(at.close());
    const again = await at.open();
    expect((await at.onDisk(again.ledger.unfinished(never))).map(([first]) => first?.drain)).toEqual([
      ...["d-running", "d-other", "d-3", "d-4"],
    ]);
  });

  test("appended to, and what was added is left out", async () => {
    const at = await scene();
    await appendFile(at.path, '{"drain":"d-5"}\n');
    await expectNoticed(at, /was written by another program: 16 bytes were added/);
    await at.onDisk(at.close());
    expect((await at.open()).findings).toEqual([]);
  });

  test("with its directory, and said until there is one again", async () => {
    const at = await scene();
    const { ledger, folder, clock, onDisk } = at;
    await rm(folder, { recursive: true });
    for (const drain of ["d-3", "d-4"])
      expect(await onDisk(settled(ledger.append(new EntriesOf(drain).accepted())))).toMatch(/^ledger-unavailable/);
    expect(ledger.displaced).toBeDefined();
    await mkdir(folder);
    await clock.advance(5_000);
    expect(await onDisk(settled(ledger.append(new EntriesOf("d-5").accepted())))).toBe("kept");
    expect(ledger.displaced).toBeUndefined();
    const drains = new Set((await at.lines()).map(({ drain }) => drain));
    expect([...drains]).toEqual(["d-ended", "d-running", "d-other", "d-3", "d-4", "d-5"]);
  });
});

describe("the lock of the directory", () => {
  const refusal = (folder: string) =>
    openLedger(folder, { clock: new VirtualClock() }).then(
      ({ close }) => close().then(() => "opened"),
      ({ message }: Error) => message,
    );

  test("is made again as soon as it is removed, so that no second process gets in", async () => {
    const { folder } = await scene();
    const path = join(folder, "lock");
    await rm(path);
    await expect
      .poll(() =>
        stat(path).then(
          ({ ino }) => ino > 0,
          () => false,
        ),
      )
      .toBe(true);
    expect(await refusal(folder)).toBe("another process uses it: give each process its own directory");
  });

  test("that another process has taken meanwhile keeps this one from writing, until it is free", async () => {
    const at = await scene();
    const path = join(at.folder, "lock");
    const other: Server = createServer().listen(`${path}.other`);
    await new Promise((resolve) => other.once("listening", resolve));
    await rename(`${path}.other`, path);
    const refused = await at.onDisk(settled(at.ledger.append(new EntriesOf("d-3").accepted())));
    expect(refused).toMatch(/^ledger-unavailable: .*another process uses it/);
    expect(at.ledger.displaced).toBeDefined();
    expect((await at.lines()).some(({ drain }) => drain === "d-3")).toBe(false);
    await new Promise((resolve) => other.close(resolve));
    expect(await at.onDisk(settled(at.ledger.append(new EntriesOf("d-4").accepted())))).toBe("kept");
    expect(at.ledger.displaced).toBeUndefined();
  });
});

describe("what is no file is no ledger, and the start says so:", () => {
  const message = async (make: (path: string) => unknown) => {
    const folder = await stateDir();
    await make(join(folder, "drains.jsonl"));
    return openLedger(folder, { clock: new VirtualClock() }).then(
      () => "opened",
      (error: Error) => error.message,
    );
  };

  test.each<[string, (path: string) => unknown]>([
    ["a FIFO", (path) => execFileSync("mkfifo", [path])],
    ["a device", (path) => symlink("/dev/zero", path)],
    ["a directory", (path) => mkdir(path)],
  ])("%s", async (_, make) => {
    expect(await message(make)).toBe("'drains.jsonl' in it is not a regular file: remove it");
  });
});

describe("a disk that hangs", () => {
  test.each(["stat", "open", "read"] as const)("at the start, in %s, is said within 15 s", async (hanging) => {
    const { folder, close, onDisk } = await scene();
    await onDisk(close());
    const clock = new VirtualClock();
    const files = new FailingFiles();
    const hangs = new Promise<void>((resolve) => {
      files.before = (operation) => {
        if (operation !== hanging) return undefined;
        resolve();
        return new Promise(() => {});
      };
    });
    const opening = openLedger(folder, { clock, files }).then(
      () => "opened",
      ({ message }: Error) => message,
    );
    await hangs;
    await clock.advance(15_000);
    expect(await opening).toBe(
      "the operating system did not answer within 15 s: check the disk, or the volume, of the directory",
    );
  });

  test("while the file is compacted delays the end of the process by no more than 5 s", async () => {
    const folder = await stateDir();
    const clock = new VirtualClock();
    const files = new FailingFiles();
    const { ledger, close } = await openLedger(folder, { clock, files, bounds: { fileBytesMax: 1_000 } });
    let hangs = false;
    files.before = (operation, path) => {
      if (operation !== "write" || !path.endsWith(".new")) return undefined;
      hangs = true;
      return new Promise(() => {});
    };
    for (let number = 0; !hangs; number++) {
      for (const entry of new EntriesOf(`d-${number}`).whole()) ledger.note(entry);
      await clock.outside(ledger.noted());
    }
    let isClosed = false;
    const closed = close().then(() => {
      isClosed = true;
    });
    await clock.advance(4_999);
    expect(isClosed).toBe(false);
    await clock.advance(1);
    await closed;
  });
});
