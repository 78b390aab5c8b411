import { anyOf, newAbort, WOKEN } from "../drain/abort.ts";
import type { OutcomeReport, RunningReport } from "../drain/report.ts";
import { Repeats } from "../observe/repeats.ts";
import type { Call } from "./call.ts";
import { RemoteError } from "./failure.ts";
import { recordOf, steps } from "./follow.ts";
import type { LiveLines } from "./live-lines.ts";
import { type Format, isForPrograms } from "./output.ts";
import { PlainLines } from "./plain-lines.ts";
import type { Progress, ShownHold } from "./progress.ts";
import type { Patient } from "./remote-reads.ts";
import { type RemoteDrain, type SentStep, StepProgress } from "./step-progress.ts";
import type { UndoFile } from "./undo-file.ts";

/**
 * After a change, how long until the service is asked for the states of the registrations, and how often without a
 * change.
 */
const ASKED_AFTER_MS = 1_000;
const ASKED_EVERY_MS = 20_000;

interface Following {
  readonly drain: RemoteDrain;
  readonly service: Patient;
  readonly call: Call;
  readonly format: Format;
  /** Whether no other drain writes lines. */
  readonly isAlone: boolean;
  readonly evicts: boolean;
  readonly undoFile: UndoFile | undefined;
}

interface RemoteOutcome {
  readonly outcome: OutcomeReport;
  readonly tookMs: number;
}

/** Shows the steps of a drain of a service until it ends. Throws `RemoteError`. */
export async function followToEnd(following: Following, signal: AbortSignal): Promise<RemoteOutcome> {
  const { drain, service, call, undoFile } = following;
  const { clock } = call.streams;
  const ended = newAbort();
  const progress = new StepProgress(drain);
  const shown = await Shown.open(following);
  const holds = new Holds(following, (report) => shown.observe(progress.standing(report)));
  const asking = holds.run(anyOf(signal, ended.signal));
  const onConnection = (state: { readonly lost: string } | "back") =>
    shown.observe(
      state === "back" ? { ...drain, type: "reconnected" } : { ...drain, type: "disconnected", message: state.lost },
    );
  try {
    let tookMs = 0;
    for await (const step of steps({ service, drainId: drain.drainId, clock, onConnection }, signal)) {
      tookMs = progress.elapsedMs(step);
      shown.at(tookMs);
      for (const one of progress.of(step)) shown.observe(one);
      if (step.type === "deregistered") holds.changed();
      if (step.type === "ended") {
        const outcome = await outcomeOf(step, following, signal);
        await undoFile?.save(drain.drainId, outcome);
        return { outcome, tookMs };
      }
    }
    throw new RemoteError(`the service did not say how the drain ${drain.drainId} ended: check it with 'status'`);
  } finally {
    ended.abort(WOKEN);
    await asking;
    await shown.close();
  }
}

/** The step of a long drain may come without it. */
async function outcomeOf({ outcome }: SentStep, { service, drain }: Following, signal: AbortSignal) {
  const known = outcome ?? (await recordOf({ service, drainId: drain.drainId }, signal)).outcome;
  if (known !== undefined) return known;
  throw new RemoteError(`the service did not say how the drain ${drain.drainId} ended: check it with 'status'`);
}

/** The lines of one drain: live if it is alone on a terminal, otherwise one for each step. */
class Shown {
  readonly #plain: PlainLines | undefined;
  readonly #live: LiveLines | undefined;
  readonly #now: () => number;
  #standing: { readonly holds: readonly ShownHold[]; readonly at: number } | undefined;

  private constructor(call: Call, plain: PlainLines | undefined, live: LiveLines | undefined) {
    this.#plain = plain;
    this.#live = live;
    this.#now = () => call.streams.clock.now();
    plain?.begin(() => this.#stands());
  }

  static async open({ drain, call, format, isAlone, evicts }: Following): Promise<Shown> {
    const { clock, stdout, stderr } = call.streams;
    const output = isForPrograms(format) ? stderr : stdout;
    const which = isAlone ? "" : `${drain.node.id} `;
    output.write(`${which}drain ${drain.drainId} accepted by the service\n`);
    const isLive = stdout.isTTY === true && !isForPrograms(format) && isAlone && !evicts;
    if (isLive) return new Shown(call, undefined, new (await import("./live-lines.ts")).LiveLines(clock, stdout));
    const repeats = new Repeats(() => clock.now());
    return new Shown(call, new PlainLines({ clock, repeats, output, isAlone }), undefined);
  }

  /** How long after the beginning of the drain the next events happened. */
  at(elapsedMs: number): void {
    this.#plain?.at(elapsedMs);
  }

  observe(progress: Progress): void {
    if (progress.type === "standing") this.#standing = { holds: progress.holds, at: this.#now() };
    this.#plain?.observe(progress);
    this.#live?.observe(progress);
  }

  async close(): Promise<void> {
    this.#plain?.close();
    await this.#live?.close();
  }

  #stands() {
    if (this.#standing === undefined) return undefined;
    const { holds, at } = this.#standing;
    const since = this.#now() - at;
    return { registrations: holds.map((hold) => ({ ...hold, heldMs: hold.heldMs + since })) };
  }
}

type OnStanding = (report: RunningReport) => void;

/** Reads the states of the registrations now and then, because steps do not say how long each is held. */
class Holds {
  readonly #following: Following;
  readonly #onStanding: OnStanding;
  #change = newAbort();

  constructor(following: Following, onStanding: OnStanding) {
    this.#following = following;
    this.#onStanding = onStanding;
  }

  changed(): void {
    this.#change.abort(WOKEN);
  }

  /** Runs until `end` aborts. Never rejects. */
  async run(end: AbortSignal): Promise<void> {
    const { clock } = this.#following.call.streams;
    while (!end.aborted) {
      await clock.sleep(ASKED_EVERY_MS, anyOf(end, this.#change.signal)).catch(() => {});
      // Targets that are deregistered together come in several steps.
      await clock.sleep(ASKED_AFTER_MS, end).catch(() => {});
      this.#change = newAbort();
      // It may succeed the next time. The stream shows whether the service can be reached.
      if (!end.aborted) await this.#ask(end).catch(() => {});
    }
  }

  async #ask(end: AbortSignal): Promise<void> {
    const { service, drain, undoFile } = this.#following;
    const { now } = await recordOf({ service, drainId: drain.drainId }, end);
    if (now === undefined || end.aborted) return;
    this.#onStanding(now);
    const { drainId, node } = drain;
    await undoFile?.save(drainId, { status: "running", drainId, node, registrations: now.registrations });
  }
}
