import {
  type DefaultRenderer,
  Listr,
  ListrLogger,
  type ListrTaskWrapper,
  ProcessOutput,
  type SimpleRenderer,
} from "listr2";
import type { Clock } from "../drain/clock.ts";
import type { Output } from "./call.ts";
import { placeCells, seconds } from "./cells.ts";
import { guardText, planSummary, readFailedText } from "./event-text.ts";
import type { Progress, ShownHold } from "./progress.ts";
import { aligned } from "./table.ts";

type Line = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof SimpleRenderer>;

interface Shown {
  readonly text: string;
  /** Absent: not known yet. */
  readonly holdMs: number | undefined;
  line?: Line;
  state: string;
  /** In milliseconds since the epoch. Present while the registration is held. */
  holdUntil?: number;
  isOver: boolean;
  end: () => void;
  fail: (error: Error) => void;
  readonly over: Promise<void>;
}

const TICK_MS = 1_000;
/** Events about the whole drain. */
const NOTICES: ReadonlySet<Progress["type"]> = new Set(["interrupted", "resumed", "disconnected", "reconnected"]);

/** On a terminal: one line for each registration, with its state and the remaining time. */
export class LiveLines {
  readonly #clock: Clock;
  readonly #stdout: Output;
  readonly #stop = new AbortController();
  readonly #shown = new Map<string, Shown>();
  /** Events before all lines were known, each with its time in milliseconds since the epoch. */
  readonly #before: { readonly event: Progress; readonly at: number }[] = [];
  #told = "";
  #done: Promise<unknown> = Promise.resolve();

  constructor(clock: Clock, stdout: Output) {
    this.#clock = clock;
    this.#stdout = stdout;
  }

  readonly observe = (event: Progress): void => {
    const at = this.#clock.now();
    if (event.type === "planned") this.#start(event);
    else if (NOTICES.has(event.type)) this.#notice(event);
    else if (event.type === "read-failed") this.#stdout.write(`${readFailedText(event)}\n`);
    else if (this.#shown.size === 0) this.#before.push({ event, at });
    else this.#show(event, at);
  };

  #show(event: Progress, at: number): void {
    switch (event.type) {
      case "deregistered":
        this.#update(
          event.registration.key,
          event.foundDraining ? "already draining" : "deregistered",
          event.holdUntil ?? this.#holdUntil(event.registration.key, at),
        );
        break;
      case "deregistering-again":
        this.#update(
          event.registration.key,
          `${event.because === "back" ? "registered again by another program" : "still registered"}: deregistering again`,
        );
        break;
      case "guarded":
        this.#update(event.registration.key, guardText(event));
        if (event.verdict === "kept") this.#end(event.registration.key);
        break;
      case "poll-failed":
        this.#update(event.registration.key, `health read failed, will retry: ${event.error.message}`);
        break;
      case "released":
        this.#update(event.registration.key, `released after ${seconds(event.heldMs / 1_000)}`);
        this.#end(event.registration.key);
        break;
      case "failed":
        this.#shown.get(event.registration.key)?.fail(new Error(event.error.message));
        break;
      case "deregister-failed":
        this.#update(event.registration.key, `deregistration failed, will retry: ${event.error.message}`);
        break;
      case "standing":
        for (const hold of event.holds) this.#stand(hold, at);
        break;
      default:
        // The event is not about a line.
        break;
    }
  }

  /** Leaves the last state of every line on the screen. */
  async close(): Promise<void> {
    for (const { fail } of this.#shown.values()) fail(new Error("not released"));
    this.#stop.abort();
    await this.#done;
  }

  /** Called once: a drain that was resumed is planned again. */
  #start(planned: Extract<Progress, { readonly type: "planned" }>): void {
    if (this.#shown.size > 0) return;
    const { plan } = planned;
    this.#stdout.write(`${planSummary(planned)}\n`);
    const texts = aligned(plan.registrations.map(({ registration }) => placeCells(registration)));
    for (const [index, { registration, holdMs }] of plan.registrations.entries()) {
      let end = () => {};
      let fail: Shown["fail"] = () => {};
      const over = new Promise<void>((resolve, reject) => {
        end = resolve;
        fail = reject;
      });
      over.catch(() => {}); // Shown by its line.
      this.#shown.set(registration.key, {
        text: texts[index] ?? "",
        holdMs,
        state: "deregistering",
        isOver: false,
        end,
        fail,
        over,
      });
    }
    for (const { event, at } of this.#before) this.#show(event, at);
    const tasks = [...this.#shown.values()].map((shown) => ({
      title: titleOf(shown, this.#clock.now()),
      task: (_: unknown, line: Line) => {
        shown.line = line;
        return shown.over;
      },
    }));
    this.#done = new Listr(tasks, {
      concurrent: true,
      exitOnError: false,
      // The drain handles Ctrl-C. listr2 would end the program.
      registerSignalListeners: false,
      rendererOptions: { showErrorMessage: false, logger: terminalLogger(this.#stdout) },
    }).run();
    void this.#tick();
  }

  /**
   * A notice about the whole drain comes after each line that has not ended, because other output would break the
   * lines.
   */
  #notice(event: Progress): void {
    const isOver = event.type === "resumed" || event.type === "reconnected";
    this.#told = isOver ? "" : "  (reconnecting to the service)";
    for (const shown of this.#shown.values()) this.#draw(shown);
  }

  #holdUntil(key: string, at: number): number | undefined {
    const holdMs = this.#shown.get(key)?.holdMs;
    return holdMs === undefined ? undefined : at + holdMs;
  }

  #stand({ registration: { key }, state, heldMs, holdMs }: ShownHold, at: number): void {
    const shown = this.#shown.get(key);
    if (shown === undefined || state !== "holding" || holdMs === undefined) return;
    shown.holdUntil = at + holdMs - heldMs;
    this.#draw(shown);
  }

  #end(key: string): void {
    const shown = this.#shown.get(key);
    if (shown === undefined) return;
    shown.isOver = true;
    this.#draw(shown);
    shown.end();
  }

  #update(key: string, state: string, holdUntil?: number): void {
    const shown = this.#shown.get(key);
    if (shown === undefined) return;
    shown.state = state;
    if (holdUntil === undefined) delete shown.holdUntil;
    else shown.holdUntil = holdUntil;
    this.#draw(shown);
  }

  #draw(shown: Shown): void {
    const told = shown.isOver ? "" : this.#told;
    if (shown.line !== undefined) shown.line.title = `${titleOf(shown, this.#clock.now())}${told}`;
  }

  async #tick(): Promise<void> {
    try {
      for (;;) {
        await this.#clock.sleep(TICK_MS, this.#stop.signal);
        for (const shown of this.#shown.values()) this.#draw(shown);
      }
    } catch {
      // The display is closed.
    }
  }
}

/** As listr2's own, on the output of the run. It moves the cursor, so the output must be a terminal. */
function terminalLogger(stdout: Output): ListrLogger {
  const output = new ProcessOutput(stdout as NodeJS.WriteStream);
  return new ListrLogger({ useIcons: true, toStderr: [], processOutput: output });
}

function titleOf({ text, state, holdUntil }: Shown, now: number): string {
  return holdUntil === undefined
    ? `${text}  ${state}`
    : `${text}  ${state}, ${seconds((holdUntil - now) / 1_000)} left`;
}
