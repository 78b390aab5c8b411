import { newAbort, WOKEN } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import type { Repeats } from "../observe/repeats.ts";
import { elapsedText, eventText } from "./event-text.ts";
import type { Progress } from "./progress.ts";
import { type Running, WaitingLines } from "./waiting-lines.ts";

export interface PlainOutput {
  readonly clock: Clock;
  readonly repeats: Repeats;
  readonly output: { write(text: string): unknown };
  /** Absent: each line names the instance. */
  readonly isAlone: boolean;
}

/**
 * A line for each step, a line now and then if there is no step, and a line once in a while for a failure that is
 * retried.
 */
export class PlainLines {
  readonly #options: PlainOutput;
  #startedAt: number;
  readonly #ended = newAbort();
  #waiting: WaitingLines | undefined;

  constructor(options: PlainOutput) {
    this.#options = options;
    this.#startedAt = options.clock.now();
  }

  /** `running`: the state of a running drain. Called before the first event. */
  begin(running: Running): void {
    const { clock } = this.#options;
    const print = (nodeId: string, text: string) => this.#print(nodeId, `${elapsedText(this.#elapsedMs)}${text}`);
    this.#waiting = new WaitingLines({ clock, running, print });
    void this.#waiting.run(this.#ended.signal);
  }

  /** How long the drain has run, by the clock of the service that runs it. */
  at(elapsedMs: number): void {
    this.#startedAt = this.#options.clock.now() - elapsedMs;
  }

  close(): void {
    this.#ended.abort(WOKEN);
  }

  readonly observe = (event: Progress): void => {
    const { repeats } = this.#options;
    this.#waiting?.observe(event);
    const line = eventText(event, this.#elapsedMs);
    const isRetried =
      event.type === "poll-failed" || event.type === "deregister-failed" || event.type === "read-failed";
    const leftOut = isRetried ? repeats.leftOutBefore(`${event.type} ${event.error.code}`, event.node.id) : 0;
    if (line === undefined || leftOut === undefined) return;
    this.#print(event.node.id, leftOut === 0 ? line : `${line}  (${leftOut} more since the last such line)`);
  };

  get #elapsedMs(): number {
    return this.#options.clock.now() - this.#startedAt;
  }

  #print(nodeId: string, lines: string): void {
    const { isAlone, output } = this.#options;
    output.write(`${isAlone ? lines : lines.replace(/^/gm, `${nodeId} `)}\n`);
  }
}
