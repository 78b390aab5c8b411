import { randomUUID } from "node:crypto";
import type { Clock } from "../drain/clock.ts";
import { DrainError } from "../drain/errors.ts";
import type { LogPiece, SharedLog, TakenLog } from "../drain/shared-log.ts";
import { type ApiServer, segment } from "./api-server.ts";
import { type ChunkOrder, type FoundChunks, inOrder, type OrderedChunk } from "./chunk-order.ts";
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
  /** What the names of the ConfigMaps begin with: at most 63 characters, as of a label. */
  readonly name: string;
  /** Of this process, for those who read the ConfigMaps. */
  readonly identity: string;
  /** Another process has taken the log over: this one can write nothing more. */
  readonly onReplaced?: (error: DrainError) => void;
  /** ConfigMaps that are not needed any more could not be deleted. They are tried again later. */
  readonly onNotDeleted?: (error: Error) => void;
}

/** Less than an append may take, so that its failure is told with its cause. */
const REQUEST_WITHIN_MS = 4_000;
/** A page of an answer, though each of them had the largest size. */
const PAGE_CHUNKS = 50;
const RETRY_MS = 1_000;

/** A record that is being written. */
interface Recording {
  readonly id: string;
  readonly isGeneration: boolean;
  /** How many of its parts are stored, and the number of the first one. */
  done: number;
  first: number;
}

/** An append that failed: the chunk that was sent last may be stored all the same. */
interface Pending {
  readonly recording: Recording;
  readonly bytes: Buffer;
}

/**
 * A `SharedLog` of ConfigMaps. Each has a number in its name, and the API server creates no name twice: that is the
 * comparison which keeps a process out that was replaced. A new generation makes those before it superfluous, and they are
 * deleted once all of it is there.
 */
export class ChunkLog implements SharedLog {
  readonly #options: ChunkLogOptions;
  readonly #path: string;
  /** Tells this process's chunks, and those of this term of it, from all others. */
  readonly #writer: string;
  #next = 1;
  #base = 1;
  /** In order. */
  #numbers: number[] = [];
  #replaced: DrainError | undefined;
  #pending: Pending | undefined;
  #deleting: Promise<void> = Promise.resolve();

  constructor(options: ChunkLogOptions) {
    this.#options = options;
    this.#path = `/api/v1/namespaces/${segment(options.namespace)}/configmaps`;
    this.#writer = `${options.identity}/${randomUUID().slice(0, 8)}`;
  }

  get pieceCount(): number {
    return this.#next - this.#base;
  }

  async takeOver(signal: AbortSignal): Promise<TakenLog> {
    // What another program has taken out of the list by its label.
    const unlisted = new Map<number, StoredChunk | undefined>();
    for (;;) {
      try {
        const order = inOrder(new Map([...unlisted, ...(await this.#list(signal))]));
        this.#numbers = [...(order?.numbers ?? [])];
        this.#next = (this.#numbers.at(-1) ?? 0) + 1;
        this.#base = order?.base ?? this.#next;
        const fence = recording(order === undefined);
        const taken = await this.#createdOrThere(fence, Buffer.of(), true, signal);
        if (taken === undefined) return this.#taken(order, signal);
        // The process before this one has appended once more.
        unlisted.set(taken.number, placeOf(taken.object, taken.number));
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof KubernetesError && error.isPassing)) throw error;
        await this.#options.clock.sleep(RETRY_MS, signal);
      }
    }
  }

  async append(bytes: Buffer, signal: AbortSignal): Promise<void> {
    const before = this.#pending?.bytes;
    await this.#finishPending(signal);
    const isRepeated = before !== undefined && bytes.subarray(0, before.length).equals(before);
    const rest = isRepeated ? bytes.subarray(before.length) : bytes;
    if (rest.length === 0) return;
    this.#pending = { recording: recording(false), bytes: rest };
    await this.#finishPending(signal);
  }

  async replace(bytes: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void> {
    await this.#finishPending(signal);
    const generation = recording(true);
    let last: Buffer | undefined;
    for await (const part of partsOf(bytes)) {
      if (last !== undefined) await this.#put(generation, last, false, signal);
      last = part;
    }
    await this.#put(generation, last ?? Buffer.of(), true, signal);
    this.#deleteOld(signal);
  }

  async #finishPending(signal: AbortSignal): Promise<void> {
    if (this.#pending === undefined) return;
    const { recording, bytes } = this.#pending;
    for (let from = recording.done * CHUNK_BYTES; from < bytes.length; from += CHUNK_BYTES) {
      const part = bytes.subarray(from, from + CHUNK_BYTES);
      await this.#put(recording, part, from + CHUNK_BYTES >= bytes.length, signal);
    }
    this.#pending = undefined;
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

  /** Creates the chunk with the next number. Resolves with another one that has this number. */
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
    const place = { number, base, part: record.done + 1, isLast, record: record.id, writer: this.#writer };
    const body = asConfigMap({ namespace, log }, place, bytes);
    try {
      await server.create<ConfigMap>(this.#path, body, signal, { timeoutMs: REQUEST_WITHIN_MS, turn: "first" });
    } catch (error) {
      if (!(error instanceof KubernetesError && error.status === 409)) throw error;
      const there = await this.#stored(number, signal);
      if (there === undefined) throw error;
      // Or else an earlier try of the same chunk came through.
      if (there.record !== record.id || there.part !== place.part) return there;
    }
    record.done += 1;
    record.first = first;
    this.#numbers.push(number);
    this.#next = number + 1;
    if (isLast && record.isGeneration) this.#base = first;
    return undefined;
  }

  /** Goes on behind a chunk that this process has not heard of. Throws `not-leader` where another one has written it. */
  #pass(there: StoredChunk): void {
    if (there.writer !== this.#writer) {
      this.#replaced = new DrainError("not-leader", `another replica has taken the ledger over: ${there.writer}`);
      this.#options.onReplaced?.(this.#replaced);
      throw this.#replaced;
    }
    this.#numbers.push(there.number);
    this.#next = there.number + 1;
    const first = there.number - there.part + 1;
    if (there.isLast && there.base === first) this.#base = first;
  }

  async #stored(number: number, signal: AbortSignal): Promise<StoredChunk | undefined> {
    const { server, name } = this.#options;
    const path = `${this.#path}/${segment(chunkName(name, number))}`;
    const object = await server.find<ConfigMap>(path, REQUEST_WITHIN_MS, signal);
    if (object === undefined) return undefined;
    const unknown = { number, base: 0, part: 0, isLast: false, record: "", writer: "unknown", object };
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

  #taken(order: ChunkOrder | undefined, signal: AbortSignal): TakenLog {
    this.#deleteOld(signal);
    return { isNew: order === undefined, pieces: this.#pieces(order?.chunks ?? []) };
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

  /** Beside what is appended meanwhile. */
  #deleteOld(signal: AbortSignal): void {
    this.#deleting = this.#deleting.then(() => this.#delete(this.#base, signal));
  }

  async #delete(upTo: number, signal: AbortSignal): Promise<void> {
    const { server, name, onNotDeleted } = this.#options;
    try {
      for (let [number = upTo] = this.#numbers; number < upTo; [number = upTo] = this.#numbers) {
        const path = `${this.#path}/${segment(chunkName(name, number))}`;
        await server.delete(path, signal, { turn: "background" }).catch(orGone);
        this.#numbers.shift();
      }
    } catch (error) {
      if (!signal.aborted) onNotDeleted?.(error as Error);
    }
  }
}

function recording(isGeneration: boolean): Recording {
  return { id: randomUUID(), isGeneration, done: 0, first: 0 };
}

function orGone(error: unknown): void {
  if (!(error instanceof KubernetesError && error.status === 404)) throw error;
}

/** In parts of the size of a chunk. */
async function* partsOf(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.of();
  for await (const bytes of source) {
    rest = Buffer.concat([rest, bytes]);
    for (; rest.length > CHUNK_BYTES; rest = rest.subarray(CHUNK_BYTES)) yield rest.subarray(0, CHUNK_BYTES);
  }
  if (rest.length > 0) yield rest;
}
