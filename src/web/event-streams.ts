import { newAbort } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { type DrainSummary, isOver, type Ledger, type LedgerEntry, summaryWith } from "../drain/ledger.ts";
import { StepReports } from "../drain/record-report.ts";
import { NotTaken } from "./http-source.ts";

/** Each costs a socket and a few kilobytes. */
const READERS_MAX = 100;
/** Steps that wait for a reader. Who has more is too slow, and may come again with the last one's id. */
const WAITING_MAX = 1_000;
/** Whatever is between us and a reader takes a silent connection for a dead one, often after a minute. */
const HEARTBEAT_MS = 15_000;
/** After this a reader that was cut off comes again. */
const RETRY_MS = 3_000;

export interface StreamOptions {
  readonly history: Pick<Ledger, "read" | "follow">;
  readonly id: string;
  /** The reader has the steps up to this number. */
  readonly after: number;
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

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Undefined: there is no such drain. Throws `NotTaken` when there are too many readers. */
  async open({ history, id, after, isWanted, signal }: StreamOptions): Promise<Response | undefined> {
    if (this.#readers >= READERS_MAX)
      throw new NotTaken(`${READERS_MAX} readers already follow drains: try again later`);
    this.#readers += 1;
    // Followed before the past is read, so that nothing is missed between the two.
    const reader = new Reader(this.#clock, after);
    const unfollow = history.follow(id, (entry) => reader.onEntry(entry));
    const closed = () => {
      unfollow();
      this.#readers -= 1;
    };
    try {
      const entries = await history.read(id, signal);
      const last = entries?.at(-1);
      // Sent to a reader that reconnects after the end, so that it stays away.
      const hasAll = last !== undefined && isWhole(entries ?? []) && last.n <= after;
      if (entries !== undefined && isWanted && !hasAll)
        return new Response(reader.stream(entries, closed), { headers: HEADERS });
      closed();
      if (entries === undefined) return undefined;
      return new Response(null, hasAll ? { status: 204 } : { headers: HEADERS });
    } catch (error) {
      closed();
      throw error;
    }
  }
}

const HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  // Some proxies gather answers until they are large.
  "x-accel-buffering": "no",
};

/** Nothing more is to come. */
function isWhole(entries: readonly LedgerEntry[]): boolean {
  const summary = entries.reduce<DrainSummary | undefined>(summaryWith, undefined);
  return summary !== undefined && isOver(summary);
}

/** One reader of one drain. */
class Reader {
  readonly #clock: Clock;
  readonly #reports = new StepReports();
  readonly #encoder = new TextEncoder();
  readonly #gone = newAbort();
  /** What comes before the stream is open. */
  #early: LedgerEntry[] | undefined = [];
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #last: number;
  #summary: DrainSummary | undefined;
  #closed: () => void = () => {};

  constructor(clock: Clock, after: number) {
    this.#clock = clock;
    this.#last = after;
  }

  /** `closed` is called once, when the reader has gone or the drain has ended. */
  stream(entries: readonly LedgerEntry[], closed: () => void): ReadableStream<Uint8Array> {
    this.#closed = closed;
    const start = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      this.#controller = controller;
      const early = this.#early ?? [];
      this.#early = undefined;
      // The past in one piece, however long it is.
      const past = entries.map((entry) => this.#text(entry)).join("");
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

  /** Empty where the reader has it already. */
  #text(entry: LedgerEntry): string {
    const report = this.#reports.report(entry);
    this.#summary = summaryWith(this.#summary, entry);
    if (entry.n <= this.#last) return "";
    this.#last = entry.n;
    return `id: ${entry.n}\nevent: ${entry.type}\ndata: ${JSON.stringify(report)}\n\n`;
  }

  #send(text: string): void {
    if (this.#controller === undefined) return;
    this.#controller.enqueue(this.#encoder.encode(text));
    if ((this.#controller.desiredSize ?? 0) <= 0) this.#drop();
  }

  async #beat(): Promise<void> {
    let wasBehind = false;
    while (!this.#gone.signal.aborted) {
      await this.#clock.sleep(HEARTBEAT_MS, this.#gone.signal).catch(() => {}); // It has gone.
      const isBehind = (this.#controller?.desiredSize ?? WAITING_MAX) < WAITING_MAX;
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
