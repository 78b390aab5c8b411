import { createReadStream } from "node:fs";
import { printable } from "../drain/errors.ts";
import { type Config, OPTIONS } from "./config.ts";

/**
 * The text of a file, without the byte order mark that some editors write before it. Throws the problem of the file:
 * the error of the operating system, that it is larger than `bytesMax`, or that it is not text.
 */
export async function readTextFile(path: string, bytesMax: number): Promise<string> {
  // `end` counts from 0 and is read too: one byte more than allowed, also from a file that never ends.
  return readText(createReadStream(path, { end: bytesMax }), bytesMax);
}

/** The same for another source, such as stdin. */
export async function readText(source: AsyncIterable<Buffer>, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of source) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > bytesMax) break;
  }
  const bytes = Buffer.concat(chunks);
  if (bytes.length > bytesMax) throw new Error(`it is larger than ${bytesMax} bytes: give a smaller file`);
  const text = decoded(bytes);
  if (text === undefined || text.includes("\0")) throw new Error("it is not text in UTF-8");
  return text;
}

function decoded(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** A file that an option names. */
export interface OptionFile {
  /** The variable or flag that it was given by. */
  readonly option: string;
  readonly path: string;
}

/** The problem of such a file, without any of its content. */
export class OptionFileError extends Error {
  constructor({ option, path }: OptionFile, why: string) {
    super(`${option} is '${printable(path)}', which can't be used: ${why}`);
    this.name = "OptionFileError";
  }
}

/** The result of `read` for the file's text. Every problem is thrown as `OptionFileError`, with its message. */
export async function readOptionFile<T>(file: OptionFile, bytesMax: number, read: (text: string) => T): Promise<T> {
  try {
    return read(await readTextFile(file.path, bytesMax));
  } catch (error) {
    throw new OptionFileError(file, fileProblem(error as NodeJS.ErrnoException));
  }
}

/** The problem of a file, in this program's words instead of the operating system's. */
export function fileProblem({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case undefined:
      return message;
    case "ENOENT":
    case "ENOTDIR":
      return `there is no such file (${code})`;
    case "EACCES":
    case "EPERM":
      return `this user has no permission to read it (${code})`;
    case "EISDIR":
      return `it is a directory: give a file (${code})`;
    default:
      return `the operating system can't read it (${code})`;
  }
}

/** The same for a file that could not be written. */
export function writeProblem({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case undefined:
      return message;
    case "ENOENT":
    case "ENOTDIR":
      return `its folder does not exist (${code})`;
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return `this user has no permission to write it (${code})`;
    case "EISDIR":
      return `it is a directory: give a file (${code})`;
    case "ENOSPC":
    case "EDQUOT":
      return `the disk is full (${code})`;
    default:
      return `the operating system can't write it (${code})`;
  }
}

/** More than a header can carry, with room for a few secrets. */
const SECRET_FILE_BYTES_MAX = 16 * 1_024;

/**
 * One secret from SECRET, or as many as SECRET_FILE has lines. A service accepts each of them, and a caller sends the
 * first one. Throws `OptionFileError`.
 */
export async function readSecrets({
  secret,
  secretFile = "",
  givenBy,
}: Pick<Config, "secret" | "secretFile" | "givenBy">): Promise<readonly string[]> {
  if (secret !== undefined) return [secret];
  return readOptionFile({ option: givenBy.secretFile, path: secretFile }, SECRET_FILE_BYTES_MAX, secretsIn);
}

/** One on each line. White space around a secret counts, but a line of white space is not a secret. */
function secretsIn(text: string): readonly string[] {
  const secrets = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  if (secrets.length === 0) throw new Error("it is empty");
  return secrets.map(OPTIONS.secret.parse);
}
