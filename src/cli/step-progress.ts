import type { DrainError } from "../drain/errors.ts";
import type { LedgerEntry, LedgerStep } from "../drain/ledger.ts";
import type { FoundReport, OutcomeReport, ResultReport, RunningReport } from "../drain/report.ts";
import type { UndoneNode } from "../drain/undo.ts";
import type { Progress, ShownHold, ShownRegistration } from "./progress.ts";

/** One step of a drain as a service sends it. Its fields depend on its type, and on the service's version. */
export interface SentStep {
  readonly id: number;
  readonly at: string;
  readonly type: LedgerEntry["type"];
  readonly registrations?: readonly FoundReport[];
  readonly longestHoldSeconds?: number;
  readonly warnings?: readonly string[];
  readonly foundDraining?: boolean;
  readonly heldSince?: string;
  readonly because?: StepOf<"deregistering-again">["because"];
  readonly verdict?: StepOf<"guarded">["verdict"];
  readonly standing?: NonNullable<StepOf<"guarded">["standing"]>;
  readonly error?: Pick<DrainError, "code" | "message">;
  readonly name?: string;
  readonly pods?: readonly string[];
  readonly pod?: string;
  readonly willRetry?: boolean;
  readonly outcome?: OutcomeReport;
}

type StepOf<T extends LedgerStep["type"]> = Extract<LedgerStep, { readonly type: T }>;

/** A drain that a service has accepted. */
export interface RemoteDrain {
  readonly drainId: string;
  readonly node: UndoneNode;
}

/** What people read about a drain of a service, from the steps that the service reports. */
export class StepProgress {
  readonly #drain: RemoteDrain;
  readonly #found = new Map<string, ShownRegistration>();
  /** When each hold began, in milliseconds by the service's clock. */
  readonly #heldSince = new Map<string, number>();
  #startedAt: number | undefined;

  constructor(drain: RemoteDrain) {
    this.#drain = drain;
  }

  /**
   * How long the drain had run at that moment, in milliseconds, by the clock of the service, which may differ from this
   * machine's.
   */
  elapsedMs({ at }: Pick<SentStep, "at">): number {
    this.#startedAt ??= Date.parse(at);
    return Date.parse(at) - this.#startedAt;
  }

  /** Empty for a step that people do not read. */
  of(step: SentStep): readonly Progress[] {
    const drain = this.#drain;
    switch (step.type) {
      case "found":
        for (const one of step.registrations ?? []) this.#found.set(keyIn(one), shown(one));
        return [];
      case "planned":
        return [this.#planned(step)];
      case "deregistered": {
        const { type, foundDraining = false, heldSince = step.at } = step;
        return meant(step).map((registration) => {
          this.#heldSince.set(registration.key, Date.parse(heldSince));
          return { ...drain, type, registration, foundDraining };
        });
      }
      case "deregistering-again": {
        const { type, because = "ignored" } = step;
        return meant(step).map((registration) => ({ ...drain, type, registration, because }));
      }
      case "deregister-failed":
      case "poll-failed":
      case "failed":
      case "register-failed": {
        const { type, error = UNKNOWN } = step;
        return meant(step).map((registration) => ({ ...drain, type, registration, error }));
      }
      case "guarded": {
        const { type, verdict = "waiting", standing } = step;
        return meant(step).map((registration) => ({
          ...drain,
          type,
          registration,
          verdict,
          ...(standing && { standing }),
        }));
      }
      case "released":
        return meant(step).map((registration) => this.#released(step, registration));
      case "registered":
        return meant(step).map((registration) => ({ ...drain, type: "registered", registration }));
      default:
        return this.#ofDrain(step);
    }
  }

  /** The states of the registrations. */
  standing({ registrations }: Pick<RunningReport, "registrations">): Progress {
    return { ...this.#drain, type: "standing", holds: registrations.map(holdOf) };
  }

  #ofDrain(step: SentStep): readonly Progress[] {
    const drain = this.#drain;
    const { error = UNKNOWN, pods = [] } = step;
    switch (step.type) {
      case "excluded":
      case "included":
      case "tainted":
      case "untainted":
        return [{ ...drain, type: step.type, ...(step.name !== undefined && { name: step.name }) }];
      case "exclude-failed":
      case "include-failed":
      case "taint-failed":
      case "untaint-failed":
      case "evict-failed":
        return [{ ...drain, type: step.type, error }];
      case "evicting":
      case "evicted":
        return [{ ...drain, type: step.type, pods }];
      case "eviction-refused":
        return [{ ...drain, type: step.type, pod: step.pod ?? "", willRetry: step.willRetry ?? false, error }];
      case "interrupted":
      case "resumed":
      case "cancelled":
      case "ended":
      case "undone":
        return [{ ...drain, type: step.type }];
      default:
        // A request that has joined says nothing new, and a later version of the service may have other steps.
        return [];
    }
  }

  #planned({ longestHoldSeconds = 0, warnings = [] }: SentStep): Progress {
    const registrations = [...this.#found.values()].map((registration) => ({ registration }));
    const plan = { registrations, longestHoldMs: longestHoldSeconds * 1_000, warnings };
    return { ...this.#drain, type: "planned", plan };
  }

  #released({ at }: SentStep, registration: ShownRegistration): Progress {
    const now = Date.parse(at);
    const heldMs = now - (this.#heldSince.get(registration.key) ?? now);
    return { ...this.#drain, type: "released", registration, heldMs };
  }
}

const UNKNOWN = { code: "internal", message: "the service does not say why" } as const;

function meant({ registrations = [] }: SentStep): readonly ShownRegistration[] {
  return registrations.map(shown);
}

/** Steps do not contain ids of pools. Names are unique within an account and region. */
function keyIn({
  kind,
  loadBalancer = "",
  pool,
  target,
}: Pick<FoundReport, "kind" | "loadBalancer" | "pool" | "target">) {
  return [kind, loadBalancer, pool, target].join("|");
}

function shown({ kind, loadBalancer, pool, target }: Pick<FoundReport, "kind" | "loadBalancer" | "pool" | "target">) {
  return { kind, loadBalancer, pool, target, key: keyIn({ kind, loadBalancer, pool, target }) };
}

function holdOf(result: ResultReport): ShownHold {
  const { state, heldSeconds, holdSeconds } = result;
  const holdMs = holdSeconds === undefined ? {} : { holdMs: holdSeconds * 1_000 };
  return { registration: shown(result), state, heldMs: heldSeconds * 1_000, ...holdMs };
}
