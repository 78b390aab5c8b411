import { randomUUID } from "node:crypto";
import type { Clock } from "../drain/clock.ts";
import { DrainError } from "../drain/errors.ts";
import type { LogPiece, SharedLog, TakenLog } from "../drain/shared-log.ts";
import { type ApiServer, segment } from "./api-server.ts";
import { type FoundChunks, inOrder, type OrderedChunk } from "./chunk-order.ts";
import { KubernetesError } from "./errors.ts";
import {
  asConfigMap,
  CHUNK_BYTES,
  type ConfigMap,
  chunkName,
  chunkNumber,
  chunkSelector,
  contentOf,
  placeOf,
  type StoredChunk,
} from "./ledger-chunk.ts";

export interface ChunkLogOptions {
  readonly server: Pick<ApiServer, "create" | "delete" | "find" | "list">;
  readonly clock: Clock;
  readonly namespace: string;
  /** The beginning of the names of the ConfigMaps: at most 63 characters, as in a label. */
  readonly name: string;
  /** The identity of this process, for people who read the ConfigMaps. */
  readonly identity: string;
  /** The size of a ConfigMap. Absent: half of what Kubernetes allows. */
  readonly chunkBytes?: number;
  /** Called when another process has taken the log over. This one can write nothing more. */
  readonly onReplaced?: (error: DrainError) => void;
  /** Called for each attempt to take the log over that has failed and is repeated. */
  readonly onNotTaken?: (error: Error) => void;
  /** Called when ConfigMaps that are not needed any more could not be deleted. It is tried again later. */
  readonly onNotDeleted?: (error: Error) => void;
}

/** Less than an append may take, so that its failure is reported with its cause. */
const REQUEST_WITHIN_MS = 4_000;
/** A page that still fits into an answer if each chunk has the largest size. */
const PAGE_CHUNKS = 50;
const RETRY_MS = 1_000;
/**
 * The chunks of this many last takeovers are kept. If all were deleted, a process that was replaced and stood still
 * meanwhile would find the number free that it uses next.
 */
const FENCES_KEPT = 20;

/** A record that is being written. */
interface Recording {
  readonly id: string;
  readonly isGeneration: boolean;
  readonly isFence: boolean;
  /** The number of its parts that are stored, and the number of the first one. */
  done: number;
  first: number;
}

/** An append that failed. The chunk that was sent last may be stored all the same. */
interface Pending {
  readonly recording: Recording;
  readonly bytes: Buffer;
}

/**
 * A `SharedLog` of ConfigMaps. Each has a number in its name, and the API server creates no name twice. This is the
 * comparison that keeps out a process that was replaced. A new generation replaces the chunks before it, which are
 * deleted when all of it is stored.
 */
export class ChunkLog implements SharedLog {
  readonly #options: ChunkLogOptions;
  readonly #path: string;
  readonly #chunkBytes: number;
  /** Distinguishes the chunks of this process in this term from all others. */
  readonly #writer: string;
  #next = 1;
  #base = 1;
  /** The numbers of the existing chunks, and of those with which a process has taken over, in order. */
  readonly #numbers = new Set<number>();
  #fences: readonly number[] = [];
  #replaced: DrainError | undefined;
  #pending: Pending | undefined;
  /** The beginning of a failed append, which is stored. */
  #stored: Buffer = Buffer.of();
  #deleting: Promise<void> = Promise.resolve();

  constructor(options: ChunkLogOptions) {
    this.#options = options;
    this.#chunkBytes = options.chunkBytes ?? CHUNK_BYTES;
    this.#path = `/api/v1/namespaces/${segment(options.namespace)}/configmaps`;
    this.#writer = `${options.identity}/${randomUUID().slice(0, 8)}`;
  }

  get pieceCount(): number {
    return this.#next - this.#base;
  }

  async takeOver(signal: AbortSignal): Promise<TakenLog> {
    // Chunks that another program has hidden from the list by changing their label.
    const unlisted = new Map<number, StoredChunk | undefined>();
    for (;;) {
      try {
        const before = inOrder(new Map([...unlisted, ...(await this.#list(signal))]));
        const highest = before?.numbers.at(-1) ?? 0;
        this.#next = highest + 1;
        this.#base = before?.base ?? this.#next;
        const there = await this.#createdOrThere(fence(before === undefined), Buffer.of(), true, signal);
        // The earlier process has appended once more.
        if (there !== undefined) unlisted.set(there.number, placeOf(there.object, there.number));
        else return this.#taken(before === undefined, new Map([...unlisted, ...(await this.#list(signal))]), signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof KubernetesError && error.isPassing)) throw error;
        this.#options.onNotTaken?.(error);
        await this.#options.clock.sleep(RETRY_MS, signal);
      }
    }
  }

  /**
   * Everything that was appended before the fence is found now. There may be something after it: this process stood
   * still between its list and the fence, and another one has taken over meanwhile.
   */
  #taken(isNew: boolean, found: FoundChunks, signal: AbortSignal): TakenLog {
    const order = inOrder(found);
    const newest = found.get(order?.numbers.at(-1) ?? 0);
    if (newest?.writer !== this.#writer) throw this.#wasReplaced(newest?.writer ?? "another program");
    for (const number of found.keys()) this.#numbers.add(number);
    this.#fences = (order?.numbers ?? []).filter((number) => found.get(number)?.isFence === true);
    this.#deleteOld(signal);
    return { isNew, pieces: this.#pieces(order?.chunks ?? []) };
  }

  async append(bytes: Buffer, signal: AbortSignal): Promise<void> {
    // This decides whether a generation that failed was stored all the same, and stands for what is stored.
    if (this.#stored.length > 0 && this.#pending === undefined)
      await this.#put(recording(false), Buffer.of(), true, signal);
    await this.#finishPending(signal);
    const isRepeated = bytes.subarray(0, this.#stored.length).equals(this.#stored);
    const rest = isRepeated ? bytes.subarray(this.#stored.length) : bytes;
    if (rest.length > 0) this.#pending = { recording: recording(false), bytes: rest };
    await this.#finishPending(signal);
    this.#stored = Buffer.of();
  }

  async replace(bytes: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void> {
    await this.#finishPending(signal);
    const generation = recording(true);
    let last: Buffer | undefined;
    for await (const part of partsOf(bytes, this.#chunkBytes)) {
      if (last !== undefined) await this.#put(generation, last, false, signal);
      last = part;
    }
    await this.#put(generation, last ?? Buffer.of(), true, signal);
    this.#stored = Buffer.of();
    this.#deleteOld(signal);
  }

  async #finishPending(signal: AbortSignal): Promise<void> {
    if (this.#pending === undefined) return;
    const { recording, bytes } = this.#pending;
    const size = this.#chunkBytes;
    for (let from = recording.done * size; from < bytes.length; from += size) {
      const part = bytes.subarray(from, from + size);
      await this.#put(recording, part, from + size >= bytes.length, signal);
    }
    this.#pending = undefined;
    this.#stored = Buffer.concat([this.#stored, bytes]);
  }

  /** Stores the next part of a record. */
  async #put(record: Recording, bytes: Buffer, isLast: boolean, signal: AbortSignal): Promise<void> {
    if (this.#replaced !== undefined) throw this.#replaced;
    for (;;) {
      const there = await this.#createdOrThere(record, bytes, isLast, signal);
      if (there === undefined) return;
      this.#pass(there);
      if (record.done === 0) continue;
      const name = chunkName(this.#options.name, there.number);
      throw new DrainError("internal", `the ConfigMap ${name} is not of the record that it belongs to`);
    }
  }

  /** Creates the chunk with the next number. Resolves with another chunk if it has this number. */
  async #createdOrThere(
    record: Recording,
    bytes: Buffer,
    isLast: boolean,
    signal: AbortSignal,
  ): Promise<StoredChunk | undefined> {
    const { server, namespace, name: log } = this.#options;
    const number = this.#next;
    const first = record.done === 0 ? number : record.first;
    const base = record.isGeneration ? first : this.#base;
    const of = { record: record.id, writer: this.#writer, isFence: record.isFence };
    const place = { number, base, part: record.done + 1, isLast, ...of };
    const body = asConfigMap({ namespace, log }, place, bytes);
    try {
      await server.create<ConfigMap>(this.#path, body, signal, { timeoutMs: REQUEST_WITHIN_MS, turn: "first" });
    } catch (error) {
      if (!(error instanceof KubernetesError && error.status === 409)) throw error;
      const there = await this.#found(number, signal);
      if (there === undefined) throw error;
      // Otherwise an earlier attempt for the same chunk was stored.
      if (there.record !== record.id || there.part !== place.part) return there;
    }
    record.done += 1;
    record.first = first;
    this.#numbers.add(number);
    this.#next = number + 1;
    if (isLast && record.isGeneration) this.#base = first;
    return undefined;
  }

  /**
   * Continues after a chunk that this process did not know of. Throws `not-leader` if another process has written it.
   */
  #pass(there: StoredChunk): void {
    if (there.writer !== this.#writer) throw this.#wasReplaced(there.writer);
    this.#numbers.add(there.number);
    this.#next = there.number + 1;
    const first = there.number - there.part + 1;
    if (!there.isLast || there.base !== first) return;
    this.#base = first;
    this.#stored = Buffer.of();
  }

  #wasReplaced(by: string): DrainError {
    this.#replaced = new DrainError("not-leader", `another replica has taken the ledger over: ${by}`);
    this.#options.onReplaced?.(this.#replaced);
    return this.#replaced;
  }

  async #found(number: number, signal: AbortSignal): Promise<StoredChunk | undefined> {
    const { server, name } = this.#options;
    const path = `${this.#path}/${segment(chunkName(name, number))}`;
    const object = await server.find<ConfigMap>(path, REQUEST_WITHIN_MS, signal);
    if (object === undefined) return undefined;
    const unknown = { number, base: 0, part: 0, isLast: false, isFence: false, record: "", writer: "unknown", object };
    return placeOf(object, number) ?? unknown;
  }

  async #list(signal: AbortSignal): Promise<FoundChunks> {
    const { server, name: log } = this.#options;
    const query = { labelSelector: chunkSelector(log), limit: PAGE_CHUNKS };
    const { items } = await server.list<ConfigMap>(this.#path, signal, query, "first");
    const found = new Map<number, StoredChunk | undefined>();
    for (const object of items) {
      const number = chunkNumber(log, object.metadata?.name ?? "");
      if (number !== undefined) found.set(number, placeOf(object, number));
    }
    return found;
  }

  async *#pieces(chunks: readonly OrderedChunk[]): AsyncGenerator<LogPiece> {
    const { namespace, name } = this.#options;
    const named = (number: number) => `${namespace}/${chunkName(name, number)}`;
    for (const each of chunks) {
      if ("because" in each) {
        const { damaged, upTo, because } = each;
        const which =
          damaged === upTo
            ? `the ConfigMap ${named(damaged)} was`
            : `ConfigMaps ${named(damaged)} to ${named(upTo)} were`;
        yield { damage: `${which} ${because === "missing" ? "deleted" : "changed"} by another program` };
        continue;
      }
      const { number, object } = each.chunk;
      const content = contentOf(object);
      if (content !== undefined) yield { bytes: content.bytes };
      if (content?.isIntact !== true) yield { damage: `the ConfigMap ${named(number)} was changed by another program` };
    }
  }

  /** Runs beside later appends. */
  #deleteOld(signal: AbortSignal): void {
    this.#deleting = this.#deleting.then(() => this.#delete(this.#base, signal));
  }

  async #delete(upTo: number, signal: AbortSignal): Promise<void> {
    const { server, name, onNotDeleted } = this.#options;
    // A process that was replaced continues with the number of its last chunk if it does not know of it, or with the
    // next one.
    const kept = new Set(this.#fences.slice(-FENCES_KEPT).flatMap((number) => [number - 1, number]));
    try {
      for (const number of this.#numbers) {
        if (number >= upTo || kept.has(number)) continue;
        const path = `${this.#path}/${segment(chunkName(name, number))}`;
        await server.delete(path, signal, { turn: "background" }).catch(orGone);
        this.#numbers.delete(number);
      }
    } catch (error) {
      if (!signal.aborted) onNotDeleted?.(error as Error);
    }
  }
}

function recording(isGeneration: boolean): Recording {
  return { id: randomUUID(), isGeneration, isFence: false, done: 0, first: 0 };
}

/** In a new log it is the first generation. */
function fence(isGeneration: boolean): Recording {
  return { ...recording(isGeneration), isFence: true };
}

function orGone(error: unknown): void {
  if (!(error instanceof KubernetesError && error.status === 404)) throw error;
}

/** In parts of this size, and a last smaller one. */
async function* partsOf(source: AsyncIterable<Buffer>, size: number): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.of();
  for await (const bytes of source) {
    rest = Buffer.concat([rest, bytes]);
    for (; rest.length > size; rest = rest.subarray(size)) yield rest.subarray(0, size);
  }
  if (rest.length > 0) yield rest;
}
