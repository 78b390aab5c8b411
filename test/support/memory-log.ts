import { DrainError } from "../../src/drain/errors.ts";
import type { LogPiece, SharedLog, TakenLog } from "../../src/drain/shared-log.ts";

/** What several processes share. */
export class LogStore {
  pieces: LogPiece[] = [];
  isNew = true;
  owner: MemoryLog | undefined;

  get text(): string {
    return Buffer.concat(this.pieces.flatMap((piece) => ("bytes" in piece ? [piece.bytes] : []))).toString("utf8");
  }
}

type Call = "takeOver" | "append" | "replace";

/** A `SharedLog` in memory: each call may fail before it has done its work, or after. */
export class MemoryLog implements SharedLog {
  /** What it throws the call throws; what it awaits the call waits for. */
  before: (call: Call, signal: AbortSignal) => unknown = () => {};
  after: (call: Call) => unknown = () => {};
  readonly calls: Call[] = [];
  readonly #store: LogStore;
  #pending: Buffer | undefined;

  constructor(store: LogStore) {
    this.#store = store;
  }

  get pieceCount(): number {
    return this.#store.pieces.length;
  }

  async takeOver(signal: AbortSignal): Promise<TakenLog> {
    const { pieces, isNew } = await this.#call("takeOver", signal, () => {
      const taken = { pieces: [...this.#store.pieces], isNew: this.#store.isNew };
      this.#store.owner = this;
      this.#store.isNew = false;
      return taken;
    });
    return { isNew, pieces: eachOf(pieces) };
  }

  async append(bytes: Buffer, signal: AbortSignal): Promise<void> {
    const stored = this.#pending ?? Buffer.of();
    const rest = bytes.subarray(0, stored.length).equals(stored) ? bytes.subarray(stored.length) : bytes;
    await this.#call("append", signal, () => {
      if (rest.length > 0) this.#store.pieces.push({ bytes: rest });
      this.#pending = bytes;
    });
    this.#pending = undefined;
  }

  async replace(bytes: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void> {
    const all: Buffer[] = [];
    for await (const each of bytes) all.push(each);
    await this.#call("replace", signal, () => {
      this.#store.pieces = [{ bytes: Buffer.concat(all) }];
      this.#pending = undefined;
    });
  }

  async #call<T>(call: Call, signal: AbortSignal, work: () => T): Promise<T> {
    this.calls.push(call);
    await this.before(call, signal);
    signal.throwIfAborted();
    if (call !== "takeOver" && this.#store.owner !== this)
      throw new DrainError("not-leader", "another replica has taken the ledger over");
    const result = work();
    await this.after(call);
    return result;
  }
}

async function* eachOf(pieces: readonly LogPiece[]): AsyncGenerator<LogPiece> {
  yield* pieces;
}
