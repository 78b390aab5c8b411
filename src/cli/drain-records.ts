import { writeProblem } from "../config/files.ts";
import type { Clock } from "../drain/clock.ts";
import { printable } from "../drain/errors.ts";
import type { DrainEvent } from "../drain/events.ts";
import { OUTCOMES, type RunningDrain } from "../drain/outcome.ts";
import { nodeReport, type OutcomeReport, runningReport } from "../drain/report.ts";
import { ReportFiles } from "../ledger/report-files.ts";
import type { Environment } from "./call.ts";
import type { UndoFile } from "./undo-file.ts";

/**
 * The folder of recorded drains: https://specifications.freedesktop.org/basedir-spec/latest/. Undefined: there is no
 * home directory.
 */
export function recordsFolder({ XDG_STATE_HOME: state, HOME: home }: Environment): string | undefined {
  // A relative path must be ignored.
  if (state?.startsWith("/")) return `${state}/hasta-la-vista/drains`;
  return home?.startsWith("/") ? `${home}/.local/state/hasta-la-vista/drains` : undefined;
}

type EventOfDrain = Extract<DrainEvent, { readonly node: object; readonly drainId: string }>;

/** After these events there is more to undo than before. */
const CHANGES: ReadonlySet<DrainEvent["type"]> = new Set([
  "deregistered",
  "failed",
  "excluded",
  "evicting",
] satisfies DrainEvent["type"][]);

interface RecordingOptions {
  readonly clock: Clock;
  readonly environment: Environment;
  /** Gets the same reports. Absent: `--undo-file` is not given. */
  readonly undoFile: UndoFile | undefined;
  /** Called once with the problem if drains can't be recorded. */
  readonly onTrouble: (problem: string) => void;
}

/** Records what the drains of this process do, while they do it. `uncordon` and `cancel` of the node undo it. */
export class DrainRecords {
  readonly #options: RecordingOptions;
  readonly #files: ReportFiles | undefined;
  readonly #changed = new Map<string, EventOfDrain["node"]>();
  readonly #recorded = new Set<string>();
  #writing: Promise<void> | undefined;
  #running: (drainId: string) => RunningDrain | undefined = () => undefined;
  #isTold = false;

  constructor(options: RecordingOptions) {
    const folder = recordsFolder(options.environment);
    this.#options = options;
    this.#files = folder === undefined ? undefined : new ReportFiles(folder);
  }

  /** `running`: the state of a running drain. Called before the first event. */
  begin(running: (drainId: string) => RunningDrain | undefined): void {
    this.#running = running;
    const removed = this.#files?.removeOld(this.#options.clock.now());
    // A later start removes them.
    removed?.catch(() => {});
  }

  readonly observe = (event: DrainEvent): void => {
    if (!CHANGES.has(event.type)) return;
    const { drainId, node } = event as EventOfDrain;
    this.#changed.set(drainId, node);
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  };

  /** Called when drains have ended. Never rejects. After that it is known whether they are recorded. */
  async end(outcomes: readonly OutcomeReport[]): Promise<void> {
    await this.#writing;
    for (const outcome of outcomes) {
      if (!("drainId" in outcome) || outcome.drainId === undefined || outcome.node === undefined) continue;
      if (OUTCOMES[outcome.status].mayTakeOut) await this.#save(outcome.node.id, outcome.drainId, outcome);
    }
  }

  isRecorded(drainId: string | undefined): boolean {
    return drainId !== undefined && this.#recorded.has(drainId);
  }

  async #writeAll(): Promise<void> {
    for (let next = this.#changed.entries().next(); !next.done; next = this.#changed.entries().next()) {
      const [drainId, node] = next.value;
      this.#changed.delete(drainId);
      const running = this.#running(drainId);
      if (running === undefined) continue;
      const { registrations } = runningReport(running);
      await this.#save(node.id, drainId, { status: "running", drainId, node: nodeReport(node), registrations });
    }
  }

  async #save(node: string, drainId: string, report: object): Promise<void> {
    const { undoFile } = this.#options;
    await undoFile?.save(drainId, report);
    try {
      await this.#files?.save(node, drainId, `${JSON.stringify(report)}\n`);
      if (this.#files !== undefined) this.#recorded.add(drainId);
    } catch (error) {
      this.#recorded.delete(drainId);
      if (this.#isTold) return;
      this.#isTold = true;
      const problem = writeProblem(error as NodeJS.ErrnoException);
      this.#options.onTrouble(
        `the drain can't be recorded in ${printable(this.#files?.folder ?? "", 200)}: ${problem}`,
      );
    }
  }
}
