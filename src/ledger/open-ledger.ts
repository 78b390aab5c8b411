import { randomUUID } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import type { LedgerEntry } from "../drain/ledger.ts";
import { FileLedger, type FileLedgerOptions } from "./file-ledger.ts";
import { lockFolder } from "./folder-lock.ts";
import { type Files, LedgerFile, type Line } from "./ledger-file.ts";
import { LedgerIndex } from "./ledger-index.ts";
import { entryOf } from "./lines.ts";
import { copyRetained } from "./stored-drains.ts";

export interface OpenedLedger {
  readonly ledger: FileLedger;
  /** What was wrong with the file, in sentences for the operator. */
  readonly findings: readonly string[];
  /** Which boot of the machine this is, for `StampedLedger`. Where the operating system does not name it: this process. */
  readonly boot: string;
  /** See `StampedLedgerOptions`. Absent where the last entry has a stamp. */
  readonly lastWritten?: { readonly at: number; readonly entryAt: number };
  /** Writes the remaining entries, and unlocks the folder. */
  close(): Promise<void>;
}

const LINES_NAMED_MAX = 20;

/**
 * Opens the ledger in a folder, which no other process may use meanwhile. Throws `Error` that names the problem of
 * the folder. A damaged file does not stop the service: a last line without its end was torn by a crash and is left
 * out; a file with lines that can't be read is kept aside, and the ledger goes on with the others.
 */
export async function openLedger(
  folder: string,
  { files, ...options }: FileLedgerOptions & { readonly files?: Files },
): Promise<OpenedLedger> {
  try {
    if (!(await stat(folder)).isDirectory()) throw new Error("it is not a directory");
    const unlock = await lockFolder(folder);
    try {
      const file = await LedgerFile.open(folder, files);
      const index = new LedgerIndex();
      const { findings, last } = await readEntries(file, index, options);
      const lastWritten =
        last !== undefined && last.clock === undefined ? { at: file.writtenAt, entryAt: last.at } : undefined;
      const ledger = new FileLedger(file, index, options);
      const close = async () => {
        await ledger.close();
        await unlock();
      };
      return { ledger, findings, boot: await bootId(), ...(lastWritten && { lastWritten }), close };
    } catch (error) {
      await unlock();
      throw error;
    }
  } catch (error) {
    throw new Error(sentence(error as NodeJS.ErrnoException), { cause: error });
  }
}

const BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id";

async function bootId(): Promise<string> {
  const id = await readFile(BOOT_ID_FILE, "utf8").catch(() => randomUUID());
  return id.slice(0, BOOT_ID_CHARACTERS);
}

/** Enough to tell the boots of one folder's machines from each other. */
const BOOT_ID_CHARACTERS = 13;

interface ReadEntries {
  readonly findings: readonly string[];
  readonly last: LedgerEntry | undefined;
}

async function readEntries(file: LedgerFile, index: LedgerIndex, options: FileLedgerOptions): Promise<ReadEntries> {
  const findings: string[] = [];
  const damaged: number[] = [];
  let from = 0;
  let number = 0;
  let last: LedgerEntry | undefined;
  for await (const lines of file.lines(0, file.size)) {
    for (const { bytes, end } of lines) {
      number += 1;
      const entry = entryOf(bytes.toString("utf8"));
      if (entry === undefined) damaged.push(number);
      else {
        last = entry;
        index.given(entry);
        index.written(entry.drain, from, end);
      }
      from = end;
    }
  }
  if (from < file.size) {
    findings.push(
      `the last line of the ledger is incomplete, as after a crash: ${file.size - from} bytes were dropped`,
    );
    file.takeBack(from);
  }
  if (damaged.length > 0) findings.push(await repaired(file, index, damaged, options));
  return { findings, last };
}

async function repaired(
  file: LedgerFile,
  index: LedgerIndex,
  damaged: readonly number[],
  { clock }: FileLedgerOptions,
): Promise<string> {
  const named = damaged.slice(0, LINES_NAMED_MAX).join(", ");
  const more = damaged.length > LINES_NAMED_MAX ? ` and ${damaged.length - LINES_NAMED_MAX} more` : "";
  const lines = `these lines of the ledger can't be read: ${named}${more}`;
  try {
    const suffix = `damaged-${new Date(clock.now()).toISOString().replaceAll(":", "-")}`;
    const aside = await file.copyAside(suffix);
    const everything = { endedMax: Number.MAX_SAFE_INTEGER, endedBytesMax: Number.MAX_SAFE_INTEGER };
    const isEntry = ({ bytes }: Line) => entryOf(bytes.toString("utf8")) !== undefined;
    await (await copyRetained(file, index, everything, isEntry)).finish();
    return `${lines}: the damaged file was kept as ${aside}, and the ledger continues without them`;
  } catch (error) {
    return `${lines}, and the file was not repaired: ${(error as Error).message}`;
  }
}

function sentence({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return "the directory does not exist: create it";
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return `this user has no permission to write there (${code})`;
    case "EOPNOTSUPP":
    case "ENOTSUP":
      return "its file system has no sockets, which the lock needs: give a directory of a local file system";
    case undefined:
      return message;
    default:
      return `the operating system can't open it (${code})`;
  }
}
