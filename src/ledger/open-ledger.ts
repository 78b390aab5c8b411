import { randomUUID } from "node:crypto";
import * as fs from "node:fs/promises";
import { newAbort, onAbort } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { DrainError } from "../drain/errors.ts";
import type { LedgerEntry } from "../drain/ledger.ts";
import type { SharedLog } from "../drain/shared-log.ts";
import { type FileBounds, FileLedger, type FileLedgerOptions } from "./file-ledger.ts";
import type { Line } from "./file-lines.ts";
import { FolderLock } from "./folder-lock.ts";
import { type Gap, GapFinder } from "./gaps.ts";
import { diskProblem, type Files, type Handle, LedgerFile, type Sharing } from "./ledger-file.ts";
import { LedgerIndex } from "./ledger-index.ts";
import { entryOf, lineOf, remainsOf } from "./lines.ts";
import { openShared, type SharedFile } from "./shared-file.ts";
import { copyRetained } from "./stored-drains.ts";

/** What is wrong with the file, in a sentence for the operator. */
export interface Finding {
  readonly error: string;
  readonly drain?: string;
  readonly node?: string;
}

export interface OpenedLedger {
  readonly ledger: FileLedger;
  readonly findings: readonly Finding[];
  /**
   * Identifies the boot of the machine for `StampedLedger`, or this process if the operating system does not name its
   * boots.
   */
  readonly boot: string;
  /** See `StampedLedgerOptions`. Absent if the last entry has a stamp. */
  readonly lastWritten?: { readonly at: number; readonly entryAt: number };
  /** Writes the remaining entries, and unlocks the folder. */
  close(): Promise<void>;
}

const LINES_NAMED_MAX = 20;
const GAPS_NAMED_MAX = 100;
/** The longest time for one call of the operating system. */
const ANSWERED_WITHIN_MS = 15_000;

/** Makes the ledger survive this machine: see `SharedLog`. */
export interface SharedLedger {
  readonly log: SharedLog;
  /** Aborts all calls of the log, also while the ledger is being opened, when another process may have it. */
  readonly over: AbortSignal;
}

export interface OpenLedgerOptions extends FileLedgerOptions {
  readonly files?: Files;
  /** Absent: only the folder has the ledger. Otherwise the folder has a copy. */
  readonly shared?: SharedLedger;
}

/** The API server of a cluster keeps it in memory, and each new leader reads all of it. */
const SHARED_BOUNDS: Partial<FileBounds> = {
  endedBytesMax: 4 * 1_024 * 1_024,
  fileBytesMax: 8 * 1_024 * 1_024,
};
/** Each write is a request to the API server. */
const SHARED_TIMES = { gatheredForMs: 200 };

/**
 * Opens the ledger in a folder that no other process may use meanwhile. Throws `Error` with the problem of the folder,
 * also if its disk does not answer. Throws as `openShared` if the shared log has a problem. A damaged file does not
 * stop the service: a last line without its end was cut by a crash and is skipped. A file with lines that can't be read
 * is kept aside, and the ledger continues with the others. What the unreadable lines said is recorded as unknown
 * (`gap`).
 */
export async function openLedger(
  folder: string,
  { files = fs, shared, ...options }: OpenLedgerOptions,
): Promise<OpenedLedger> {
  const { clock } = options;
  try {
    if (!(await answered(clock, files.stat(folder))).isDirectory()) throw new Error("it is not a directory");
    const taking = FolderLock.take(folder);
    const lock = await answered(clock, taking).catch((error: unknown) => {
      // A lock that is taken too late is not used.
      taking.then((late) => late.release()).catch(() => {});
      throw error;
    });
    const ended = newAbort();
    const forget = shared && onAbort(shared.over, () => ended.abort(shared.over.reason));
    let file: LedgerFile | undefined;
    try {
      shared?.over.throwIfAborted();
      const [bounded, relax] = impatient(files, clock);
      const opened = await openFile(folder, bounded, shared && { log: shared.log, signal: ended.signal });
      file = opened.file;
      const index = new LedgerIndex();
      const { findings, last } = await readFile(opened, index, options);
      relax();
      const lastWritten =
        last !== undefined && last.clock === undefined ? { at: file.writtenAt, entryAt: last.at } : undefined;
      const bounds = { ...(shared && SHARED_BOUNDS), ...options.bounds };
      const times = shared && SHARED_TIMES;
      const ledger = new FileLedger(file, index, { ...times, ...options, bounds, checkLock: () => lock.check() });
      const close = async () => {
        await ledger.close();
        ended.abort();
        forget?.();
        await lock.release();
      };
      return { ledger, findings, boot: await bootId(), ...(lastWritten && { lastWritten }), close };
    } catch (error) {
      // A disk that hangs does not close it either.
      file?.close().catch(() => {});
      ended.abort();
      forget?.();
      await lock.release();
      throw error;
    }
  } catch (error) {
    // The folder has no problem.
    if (shared?.over.aborted === true || error instanceof DrainError) throw error;
    throw new Error(diskProblem(error as NodeJS.ErrnoException), { cause: error });
  }
}

async function openFile(folder: string, files: Files, sharing: Sharing | undefined): Promise<SharedFile> {
  if (sharing !== undefined) return openShared(folder, files, sharing);
  return { file: await LedgerFile.open(folder, files), damage: [] };
}

const BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id";

async function bootId(): Promise<string> {
  const id = await fs.readFile(BOOT_ID_FILE, "utf8").catch(() => randomUUID());
  return id.slice(0, BOOT_ID_CHARACTERS);
}

/** Enough to distinguish the boots of one folder's machines. */
const BOOT_ID_CHARACTERS = 13;

interface ReadEntries {
  readonly findings: readonly Finding[];
  readonly last: LedgerEntry | undefined;
}

async function readFile(
  { file, damage }: SharedFile,
  index: LedgerIndex,
  options: FileLedgerOptions,
): Promise<ReadEntries> {
  const findings: Finding[] = [];
  const damaged: number[] = [];
  const finder = new GapFinder();
  let [from, number] = [0, 0];
  let last: LedgerEntry | undefined;
  for await (const lines of file.lines(0, file.size)) {
    for (const line of lines) {
      number += 1;
      const entry = soundEntry(line);
      if (entry === undefined) {
        damaged.push(number);
        finder.damaged(remainsOf(line.bytes));
      } else {
        last = entry;
        index.given(entry);
        index.written(entry.drain, from, line.end);
        finder.entry(entry);
      }
      from = line.end;
    }
  }
  if (from < file.size) {
    finder.torn(remainsOf(await file.start(from)));
    const error = `the last line of the ledger is incomplete, as after a crash: ${file.size - from} bytes were dropped`;
    findings.push({ error });
    file.takeBack(from);
  }
  if (damage.length > 0) finder.lost();
  findings.push(
    ...damage.slice(0, LINES_NAMED_MAX).map((what) => ({ error: `part of the ledger is missing: ${what}` })),
  );
  const gaps = finder.gaps(index, options.clock.now());
  const marks = gaps.flatMap(({ mark }) => mark ?? []);
  // Before the file is rewritten, so that they are retained.
  for (const mark of marks) index.given(mark);
  if (damaged.length > 0 || damage.length > 0 || gaps.some(({ isHeadless }) => isHeadless))
    findings.push(...(await repaired(file, index, { damaged, damage, marks, clock: options.clock })));
  else await written(file, index, marks);
  return { findings: [...findings, ...gapFindings(gaps)], last };
}

function soundEntry({ bytes, isTooLong }: Line) {
  return isTooLong ? undefined : entryOf(bytes.toString("utf8"));
}

interface Repair extends Pick<FileLedgerOptions, "clock"> {
  readonly damaged: readonly number[];
  /** See `SharedFile`. */
  readonly damage: readonly string[];
  readonly marks: readonly LedgerEntry[];
}

async function repaired(
  file: LedgerFile,
  index: LedgerIndex,
  { damaged, damage, marks, clock }: Repair,
): Promise<readonly Finding[]> {
  const named = damaged.slice(0, LINES_NAMED_MAX).join(", ");
  const more = damaged.length > LINES_NAMED_MAX ? ` and ${damaged.length - LINES_NAMED_MAX} more` : "";
  const lines = `these lines of the ledger can't be read: ${named}${more}`;
  const parts = damage.length > 0 ? "parts of the ledger are missing" : "the ledger has drains without a beginning";
  const what = damaged.length > 0 ? lines : parts;
  try {
    const aside = await file.copyAside(`damaged-${new Date(clock.now()).toISOString().replaceAll(":", "-")}`);
    const everything = { endedMax: Number.MAX_SAFE_INTEGER, endedBytesMax: Number.MAX_SAFE_INTEGER };
    const isMeant = (line: Line) => {
      const entry = soundEntry(line);
      return entry !== undefined && (index.get(entry.drain) !== undefined || entry.type === "gap");
    };
    const copied = await copyRetained(file, index, everything, { isSound: isMeant, more: () => marks.map(lineFor) });
    await copied.finish();
    return [{ error: `${what}: the damaged file was kept as ${aside}, and the ledger continues without them` }];
  } catch (error) {
    return [{ error: `${what}, and the file was not repaired: ${diskProblem(error as Error)}` }];
  }
}

/** So that the next start knows what this one has found missing. */
async function written(file: LedgerFile, index: LedgerIndex, marks: readonly LedgerEntry[]): Promise<void> {
  try {
    for (const mark of marks) {
      const from = file.size;
      await file.append(Buffer.from(lineOf(mark)));
      index.written(mark.drain, from, file.size);
    }
    if (marks.length > 0) await file.sync();
  } catch {
    // The next start finds the gap again, and this one knows of it.
  }
}

function lineFor(entry: LedgerEntry): Line {
  return { bytes: Buffer.from(lineOf(entry).trimEnd()), end: 0 };
}

function gapFindings(gaps: readonly Gap[]): readonly Finding[] {
  const findings = gaps.slice(0, GAPS_NAMED_MAX).map(({ drain, node, ...gap }) => ({
    error: gapText(gap),
    ...(drain === undefined ? {} : { drain }),
    ...(node === undefined ? {} : { node }),
  }));
  const more = gaps.length - findings.length;
  return more === 0 ? findings : [...findings, { error: `entries of ${more} more drains are missing` }];
}

function gapText({ missing, isHeadless, isHarmless, isUnknown }: Omit<Gap, "drain" | "node">): string {
  const held = "its targets are held as long as a load balancer may send them traffic";
  if (isUnknown)
    return "it is unknown which drains the unreadable lines were about: drains of any node are held longer";
  if (isHeadless && isHarmless) return "the first entry of a drain that has ended is missing: the drain was removed";
  if (isHeadless)
    return `the first entry of the drain is missing, so that it is not resumed: if its node is requested, ${held}`;
  const some = missing === 1 ? "an entry of the drain is missing" : `${missing} entries of the drain are missing`;
  const what = missing === 0 ? "entries of the drain disagree, or the last ones are missing" : some;
  return isHarmless ? `${what}: it had ended` : `${what}: ${held}`;
}

/** Files whose calls fail if the operating system does not answer in time, until the returned function is called. */
function impatient(files: Files, clock: Clock): readonly [Files, () => void] {
  let isImpatient = true;
  const bounded = <T>(work: Promise<T>) => (isImpatient ? answered(clock, work) : work);
  const handleOf = (handle: Handle): Handle => {
    const { read, write, datasync, truncate, sync, stat, close } = handle;
    const call =
      <A extends unknown[], T>(method: (...args: A) => Promise<T>) =>
      (...args: A) =>
        bounded(method.apply(handle, args));
    return {
      read: call(read as (...args: unknown[]) => Promise<never>) as Handle["read"],
      write: call(write as (...args: unknown[]) => Promise<never>) as Handle["write"],
      datasync: call(datasync),
      truncate: call(truncate),
      sync: call(sync),
      stat: call(stat as () => Promise<never>) as Handle["stat"],
      close: call(close),
    };
  };
  const open = async (...args: Parameters<Files["open"]>) => handleOf(await bounded(files.open(...args)));
  return [
    {
      open,
      stat: (path) => bounded(files.stat(path)),
      rename: (from, to) => bounded(files.rename(from, to)),
      rm: (path, how) => bounded(files.rm(path, how)),
      copyFile: (from, to, mode) => bounded(files.copyFile(from, to, mode)),
    },
    () => {
      isImpatient = false;
    },
  ];
}

/** Throws if it takes too long, because the disk hangs. */
async function answered<T>(clock: Clock, work: Promise<T>): Promise<T> {
  const done = newAbort();
  const late = clock.sleep(ANSWERED_WITHIN_MS, done.signal).then(
    () => {
      throw new Error(
        `the operating system did not answer within ${ANSWERED_WITHIN_MS / 1_000} s: check the disk, or the volume, of the directory`,
      );
    },
    () => new Promise<never>(() => {}),
  );
  return Promise.race([work, late]).finally(() => done.abort());
}
