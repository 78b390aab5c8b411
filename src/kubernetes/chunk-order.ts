import type { StoredChunk } from "./ledger-chunk.ts";

/** What the API server has under each number: a chunk, or an object that can't be read as one. */
export type FoundChunks = ReadonlyMap<number, StoredChunk | undefined>;

/** One step through the log: a chunk that counts, or numbers whose chunks are missing or can't be read. */
export type OrderedChunk =
  | { readonly chunk: StoredChunk }
  | { readonly damaged: number; readonly upTo: number; readonly because: "missing" | "unreadable" };

export interface ChunkOrder {
  /** The number of the first chunk of the generation with which the log begins. */
  readonly base: number;
  /** All existing numbers, in order. */
  readonly numbers: readonly number[];
  readonly chunks: readonly OrderedChunk[];
}

/**
 * The chunks that make up the log, in order. The parts of a record whose writer died or was refused do not belong to
 * it: the next number has another record then. A number without a chunk was deleted by another program.
 */
export function inOrder(found: FoundChunks): ChunkOrder | undefined {
  const numbers = [...found.keys()].sort((one, other) => one - other);
  const highest = numbers.at(-1);
  if (highest === undefined) return undefined;
  const base = baseOf(found, numbers, highest) ?? numbers[0] ?? highest;
  const chunks: OrderedChunk[] = [];
  let next = base;
  for (const number of numbers) {
    if (number < next) continue;
    if (number > next) chunks.push({ damaged: next, upTo: number - 1, because: "missing" });
    const chunk = found.get(number);
    if (chunk === undefined) {
      chunks.push({ damaged: number, upTo: number, because: "unreadable" });
      next = number + 1;
      continue;
    }
    const { parts, isWhole, isBroken } = partsFrom(found, chunk, highest);
    next = number + parts.length;
    const isBase = isGeneration(chunk) && chunk.base === base;
    // A damaged record is read as far as it exists.
    const isMeant = isBase || (!isGeneration(chunk) && (isWhole || isBroken));
    if (isMeant) chunks.push(...parts.map((part) => ({ chunk: part })));
    if (isBase && !isWhole && !isBroken) chunks.push({ damaged: next, upTo: next, because: "missing" });
  }
  return { base, numbers, chunks };
}

/** The newest chunk of an append names it, and so does a newer generation that is complete. */
function baseOf(found: FoundChunks, numbers: readonly number[], highest: number): number | undefined {
  let partial: number | undefined;
  for (const number of [...numbers].reverse()) {
    const chunk = found.get(number);
    if (chunk === undefined) continue;
    if (!isGeneration(chunk)) return partial === undefined || isWholeBetween(found, chunk) ? chunk.base : partial;
    const first = found.get(chunk.base);
    if (first !== undefined && partsFrom(found, first, highest).isWhole) return chunk.base;
    partial ??= chunk.base;
  }
  return partial;
}

/** Otherwise it was deleted for a newer generation, of which parts are missing now. */
function isWholeBetween(found: FoundChunks, { base, number }: StoredChunk): boolean {
  const there = [...found.keys()].filter((each) => each >= base && each <= number);
  return there.length === number - base + 1;
}

function isGeneration({ number, part, base }: StoredChunk): boolean {
  return number - part + 1 === base;
}

interface Parts {
  readonly parts: readonly StoredChunk[];
  readonly isWhole: boolean;
  /** Neighbouring chunks are missing or can't be read, so that it may have been complete. */
  readonly isBroken: boolean;
}

/** The existing parts of the record from this one on. */
function partsFrom(found: FoundChunks, first: StoredChunk, highest: number): Parts {
  const parts = [first];
  let [last, next] = [first, found.get(first.number + 1)];
  while (!last.isLast && next?.record === first.record && next.part === last.part + 1) {
    parts.push(next);
    [last, next] = [next, found.get(next.number + 1)];
  }
  const isTailLost = !last.isLast && next === undefined && last.number < highest;
  return { parts, isWhole: first.part === 1 && last.isLast, isBroken: first.part > 1 || isTailLost };
}
