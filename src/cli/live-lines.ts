import {
  type DefaultRenderer,
  Listr,
  ListrLogger,
  type ListrTaskWrapper,
  ProcessOutput,
  type SimpleRenderer,
} from "listr2";
import type { Clock } from "../drain/clock.ts";
import { keyOf } from "../drain/cloud-provider.ts";
import type { DrainEvent } from "../drain/events.ts";
import type { DrainPlan } from "../drain/plan.ts";
import { registrationReport } from "../drain/report.ts";
import type { Output } from "./call.ts";
import { guardText, planSummary, readFailedText } from "./event-text.ts";
import { aligned, placeCells, seconds } from "./text.ts";

type Line = ListrTaskWrapper<unknown, typeof DefaultRenderer, typeof SimpleRenderer>;

interface Shown {
  readonly text: string;
  readonly holdMs: number;
  line?: Line;
  state: string;
  /** Milliseconds since the epoch; while it is held. */
  holdUntil?: number;
  end: () => void;
  fail: (error: Error) => void;
  readonly over: Promise<void>;
}

const TICK_MS = 1_000;

/** On a terminal: one line for each registration, with its state and the time left. */
export class LiveLines {
  readonly #clock: Clock;
  readonly #stdout: Output;
  readonly #stop = new AbortController();
  readonly #shown = new Map<string, Shown>();
  /** What happened before all lines were known, and when, in milliseconds since the epoch. */
  readonly #before: { readonly event: DrainEvent; readonly at: number }[] = [];
  #done: Promise<unknown> = Promise.resolve();

  constructor(clock: Clock, stdout: Output) {
    this.#clock = clock;
    this.#stdout = stdout;
  }

  readonly observe = (event: DrainEvent): void => {
    const at = this.#clock.now();
    if (event.type === "planned") this.#start(event.plan);
    else if (event.type === "read-failed") this.#stdout.write(`${readFailedText(event)}\n`);
    else if (this.#shown.size === 0) this.#before.push({ event, at });
    else this.#show(event, at);
  };

  #show(event: DrainEvent, at: number): void {
    switch (event.type) {
      case "deregistered":
        this.#update(
          keyOf(event.registration),
          event.foundDraining ? "already draining" : "deregistered",
          event.holdUntil ?? at + (this.#shown.get(keyOf(event.registration))?.holdMs ?? 0),
        );
        break;
      case "deregistering-again":
        this.#update(
          keyOf(event.registration),
          `${event.because === "back" ? "registered again by another program" : "still registered"}: deregistering again`,
        );
        break;
      case "guarded":
        this.#update(keyOf(event.registration), guardText(event));
        if (event.verdict === "kept") this.#shown.get(keyOf(event.registration))?.end();
        break;
      case "poll-failed":
        this.#update(keyOf(event.registration), `health read failed, will retry: ${event.error.message}`);
        break;
      case "released":
        this.#update(keyOf(event.registration), `released after ${seconds(event.heldMs / 1_000)}`);
        this.#shown.get(keyOf(event.registration))?.end();
        break;
      case "failed":
        this.#shown.get(keyOf(event.registration))?.fail(event.error);
        break;
      case "deregister-failed":
        this.#update(keyOf(event.registration), `deregistration failed, will retry: ${event.error.message}`);
        break;
      case "started":
      case "resumed":
      case "planned":
      case "joined":
      case "ended":
      case "cancelled":
      case "registered":
      case "register-failed":
      case "undone":
      case "awaiting-earlier-try":
      case "read-failed":
      case "excluded":
      case "included":
      case "exclude-failed":
      case "include-failed":
      case "tainted":
      case "taint-failed":
      case "untainted":
      case "untaint-failed":
      case "evicting":
      case "evicted":
      case "eviction-refused":
      case "evict-failed":
        break;
      default:
        event satisfies never;
    }
  }

  /** Leaves the last state of every line on the screen. */
  async close(): Promise<void> {
    for (const { fail } of this.#shown.values()) fail(new Error("not released"));
    this.#stop.abort();
    await this.#done;
  }

  #start(plan: DrainPlan): void {
    this.#stdout.write(`${planSummary(plan)}\n`);
    const texts = aligned(plan.registrations.map(({ registration }) => placeCells(registrationReport(registration))));
    for (const [index, { registration, holdMs }] of plan.registrations.entries()) {
      let end = () => {};
      let fail: Shown["fail"] = () => {};
      const over = new Promise<void>((resolve, reject) => {
        end = resolve;
        fail = reject;
      });
      over.catch(() => {}); // Shown by its line.
      this.#shown.set(keyOf(registration), {
        text: texts[index] ?? "",
        holdMs,
        state: "deregistering",
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
      // Ctrl-C is the drain's to answer: listr2 would end the program.
      registerSignalListeners: false,
      rendererOptions: { showErrorMessage: false, logger: terminalLogger(this.#stdout) },
    }).run();
    void this.#tick();
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
    if (shown.line !== undefined) shown.line.title = titleOf(shown, this.#clock.now());
  }

  async #tick(): Promise<void> {
    try {
      for (;;) {
        await this.#clock.sleep(TICK_MS, this.#stop.signal);
        for (const shown of this.#shown.values()) this.#draw(shown);
      }
    } catch {
      // Closed.
    }
  }
}

/** As listr2 makes its own, on the run's output. It moves the cursor by that, so it is a terminal in earnest. */
function terminalLogger(stdout: Output): ListrLogger {
  const output = new ProcessOutput(stdout as NodeJS.WriteStream);
  return new ListrLogger({ useIcons: true, toStderr: [], processOutput: output });
}

function titleOf({ text, state, holdUntil }: Shown, now: number): string {
  return holdUntil === undefined
    ? `${text}  ${state}`
    : `${text}  ${state}, ${seconds((holdUntil - now) / 1_000)} left`;
}
