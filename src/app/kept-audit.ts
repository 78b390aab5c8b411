import type { DoctorReport } from "../doctor/report.ts";
import { whenAborted } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";

/** Callers within this time get the same report. */
const KEPT_MS = 60_000;

export interface KeptAuditOptions {
  readonly clock: Clock;
  readonly examine: (signal: AbortSignal) => Promise<DoctorReport>;
  /** Aborts a running audit. */
  readonly end: AbortSignal;
}

/** Runs one audit at a time, for all callers that ask for it meanwhile, because an audit reads everything. */
export class KeptAudit {
  readonly #options: KeptAuditOptions;
  #kept: { readonly report: DoctorReport; readonly at: number } | undefined;
  #running: Promise<DoctorReport> | undefined;

  constructor(options: KeptAuditOptions) {
    this.#options = options;
  }

  /** A caller that leaves stops nothing for the others. Throws `DrainError`, or the reason of `signal`. */
  async read(signal: AbortSignal): Promise<DoctorReport> {
    const { clock } = this.#options;
    if (this.#kept !== undefined && clock.now() - this.#kept.at < KEPT_MS) return this.#kept.report;
    this.#running ??= this.#examine();
    return Promise.race([this.#running, whenAborted(signal)]);
  }

  async #examine(): Promise<DoctorReport> {
    const { clock, examine, end } = this.#options;
    try {
      const report = await examine(end);
      this.#kept = { report, at: clock.now() };
      return report;
    } finally {
      this.#running = undefined;
    }
  }
}
