import type { FileHandle } from "node:fs/promises";

type Reader = Pick<FileHandle, "read">;

export interface Line {
  /** Without the line end. Only the beginning of a line that is too long. */
  readonly bytes: Buffer;
  /** Where the next line begins. */
  readonly end: number;
  /** It is longer than a line of a ledger can be. */
  readonly isTooLong?: true;
}

/** The number of bytes that are read before other work has its turn. */
const CHUNK_BYTES = 64 * 1_024;
/** No line of this program is nearly as long: no node is registered in a hundred thousand pools. */
const LINE_BYTES_MAX = 32 * 1_024 * 1_024;
/** The part of a longer line that is passed on. */
export const CUT_BYTES = 4_096;
export const NEWLINE = 10;

/** A part of a file, in large pieces. */
export async function* bytesOf(handle: Reader, from: number, to: number): AsyncGenerator<Buffer> {
  for (let at = from; at < to; ) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, to - at));
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield chunk.subarray(0, bytesRead);
  }
}

/** A line that is too long is not gathered, because it may be larger than the memory. */
export async function* linesOf(handle: Reader, from: number, to: number): AsyncGenerator<readonly Line[]> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  let at = from;
  for await (const read of bytesOf(handle, from, to)) {
    const lines: Line[] = [];
    let start = 0;
    for (let end = read.indexOf(NEWLINE); end !== -1; end = read.indexOf(NEWLINE, start)) {
      const last = read.subarray(start, end);
      const isTooLong = restBytes + last.length > LINE_BYTES_MAX && { isTooLong: true as const };
      lines.push({
        bytes: rest.length === 0 ? last : Buffer.concat([...rest, last]),
        end: at + end + 1,
        ...isTooLong,
      });
      [rest, restBytes] = [[], 0];
      start = end + 1;
    }
    if (start < read.length) {
      rest.push(read.subarray(start));
      restBytes += read.length - start;
      if (restBytes > LINE_BYTES_MAX) rest = [Buffer.concat(rest).subarray(0, CUT_BYTES)];
    }
    at += read.length;
    yield lines;
  }
}

export async function writeAll(handle: Pick<FileHandle, "write">, bytes: Buffer, at: number): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, at + written);
    written += bytesWritten;
  }
}
