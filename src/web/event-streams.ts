import { newAbort } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { type DrainSummary, isOver, type Ledger, type LedgerEntry, summaryWith } from "../drain/ledger.ts";
import { type DrainTexts, StepReports, type StepText } from "./drain-texts.ts";
import { NotAccepted } from "./http-source.ts";

/** Readers at one address, which may be a proxy's. Each costs a socket and a few kilobytes. */
const READERS_PER_CLIENT_MAX = 100;
/**
 * Steps that may wait for a reader. A reader with more is too slow, and may reconnect with the id of its last step.
 */
const WAITING_MAX = 1_000;
/** The same for all readers together, each with an equal share. */
const WAITING_FOR_ALL_MAX = 100_000;
/** Proxies and load balancers close a silent connection, often after a minute. */
const HEARTBEAT_MS = 15_000;
/** A reader that was disconnected reconnects after this time. */
const RETRY_MS = 3_000;

export interface StreamOptions {
  readonly history: Pick<Ledger, "read" | "follow">;
  readonly id: string;
  /** The reader has the steps up to this number. */
  readonly after: number;
  /** The reader's address, or its IPv6 network. */
  readonly client: string;
  /** Whether the reader wants more than the head. */
  readonly isWanted: boolean;
  readonly signal: AbortSignal;
}

/**
 * The steps of drains as server-sent events, until their end.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export class EventStreams {
  readonly #clock: Clock;
  #readers = 0;
  readonly #readersOf = new Map<string, number>();

  readonly #texts: DrainTexts;

  constructor(clock: Clock, texts: DrainTexts) {
    this.#clock = clock;
    this.#texts = texts;
  }

  /** Undefined: there is no such drain. Throws `NotAccepted` when the client has too many readers. */
  async open({ history, id, after, client, isWanted, signal }: StreamOptions): Promise<Response | undefined> {
    if ((this.#readersOf.get(client) ?? 0) >= READERS_PER_CLIENT_MAX)
      throw new NotAccepted(`${READERS_PER_CLIENT_MAX} readers at this address already follow drains: try again later`);
    this.#count(client, 1);
    // It follows the drain before it reads the past, so that nothing is missed in between.
    const reader = new Reader({ clock: this.#clock, after, waitingMax: () => this.#waitingMax });
    const unfollow = history.follow(id, (entry) => reader.onEntry(entry));
    const closed = () => {
      unfollow();
      this.#count(client, -1);
    };
    try {
      const entries = await history.read(id, signal);
      const last = entries?.at(-1);
      // Sent to a reader that reconnects after the end, so that it does not reconnect again.
      const hasAll = last !== undefined && isWhole(entries ?? []) && last.n <= after;
      if (entries !== undefined && isWanted && !hasAll) {
        const text = await this.#texts.of(entries);
        return new Response(reader.stream(entries, text?.steps ?? [], closed), { headers: HEADERS });
      }
      closed();
      if (entries === undefined) return undefined;
      return new Response(null, hasAll ? { status: 204 } : { headers: HEADERS });
    } catch (error) {
      closed();
      throw error;
    }
  }

  get #waitingMax(): number {
    return Math.min(WAITING_MAX, Math.max(1, Math.floor(WAITING_FOR_ALL_MAX / this.#readers)));
  }

  #count(client: string, change: 1 | -1): void {
    this.#readers += change;
    const own = (this.#readersOf.get(client) ?? 0) + change;
    if (own > 0) this.#readersOf.set(client, own);
    else this.#readersOf.delete(client);
  }
}

interface ReaderOptions {
  readonly clock: Clock;
  /** The reader has the steps up to this number. */
  readonly after: number;
  /** The number of steps that may wait for it now. */
  readonly waitingMax: () => number;
}

const HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  // Some proxies buffer answers until they are large.
  "x-accel-buffering": "no",
};

/** No more steps will come. */
function isWhole(entries: readonly LedgerEntry[]): boolean {
  const summary = entries.reduce<DrainSummary | undefined>(summaryWith, undefined);
  return summary !== undefined && isOver(summary);
}

/** One reader of one drain. */
class Reader {
  readonly #clock: Clock;
  #reports = new StepReports();
  readonly #encoder = new TextEncoder();
  readonly #gone = newAbort();
  readonly #waitingMax: ReaderOptions["waitingMax"];
  /** Entries that arrive before the stream is open. */
  #early: LedgerEntry[] | undefined = [];
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #last: number;
  #summary: DrainSummary | undefined;
  #closed: () => void = () => {};

  constructor({ clock, after, waitingMax }: ReaderOptions) {
    this.#clock = clock;
    this.#last = after;
    this.#waitingMax = waitingMax;
  }

  /** `closed` is called once, when the reader has disconnected or the drain has ended. */
  stream(entries: readonly LedgerEntry[], steps: readonly StepText[], closed: () => void): ReadableStream<Uint8Array> {
    this.#closed = closed;
    this.#reports = new StepReports(entries);
    this.#summary = entries.reduce<DrainSummary | undefined>(summaryWith, undefined);
    const start = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      this.#controller = controller;
      const early = this.#early ?? [];
      this.#early = undefined;
      // The past in one piece, whatever its length.
      const past = steps.map((step) => this.#eventText(step)).join("");
      controller.enqueue(this.#encoder.encode(`retry: ${RETRY_MS}\n\n${past}`));
      if (isWhole(entries)) this.#end();
      else void this.#beat();
      for (const entry of early) this.onEntry(entry);
    };
    return new ReadableStream({ start, cancel: () => this.#leave() }, { highWaterMark: WAITING_MAX });
  }

  onEntry(entry: LedgerEntry): void {
    if (this.#early !== undefined) this.#early.push(entry);
    const text = this.#controller === undefined ? "" : this.#text(entry);
    if (text === "") return;
    this.#send(text);
    // The next process continues an interrupted drain.
    if ((this.#summary !== undefined && isOver(this.#summary)) || entry.type === "interrupted") this.#end();
  }

  /** Empty if the reader has it already. */
  #text(entry: LedgerEntry): string {
    const report = this.#reports.report(entry);
    this.#summary = summaryWith(this.#summary, entry);
    return this.#eventText({ n: entry.n, type: entry.type, json: JSON.stringify(report) });
  }

  #eventText({ n, type, json }: StepText): string {
    if (n <= this.#last) return "";
    this.#last = n;
    return `id: ${n}\nevent: ${type}\ndata: ${json}\n\n`;
  }

  #send(text: string): void {
    if (this.#controller === undefined) return;
    this.#controller.enqueue(this.#encoder.encode(text));
    if (this.#waiting >= this.#waitingMax()) this.#drop();
  }

  /** Steps that it has not received. */
  get #waiting(): number {
    return WAITING_MAX - (this.#controller?.desiredSize ?? WAITING_MAX);
  }

  async #beat(): Promise<void> {
    let wasBehind = false;
    while (!this.#gone.signal.aborted) {
      await this.#clock.sleep(HEARTBEAT_MS, this.#gone.signal).catch(() => {}); // It has gone.
      const isBehind = this.#waiting > 0;
      if (isBehind && wasBehind) this.#drop();
      wasBehind = isBehind;
      this.#send(": still here\n\n");
    }
  }

  #drop(): void {
    this.#controller?.error(new Error("the reader is too slow"));
    this.#leave();
  }

  #end(): void {
    this.#controller?.close();
    this.#leave();
  }

  #leave(): void {
    if (this.#gone.signal.aborted) return;
    this.#gone.abort();
    this.#controller = undefined;
    this.#closed();
  }
}
