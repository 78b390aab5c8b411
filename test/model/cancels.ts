import type { UndoOutcome } from "../../src/drain/undo.ts";

/** Somebody who has cancelled a drain, and what was answered. Moments are milliseconds since the epoch. */
export interface Cancel {
  readonly drain: string;
  readonly askedAt: number;
  /** Which process was asked. */
  readonly life: number;
  /** The process has died before it answered. */
  isLost: boolean;
  readonly answers: ({ readonly at: number } & ({ readonly outcome: UndoOutcome } | { readonly error: unknown }))[];
}

/** Every cancel of a case. */
export class Cancels {
  readonly all: Cancel[] = [];

  add(drain: string, about: Pick<Cancel, "askedAt" | "life">): Cancel {
    const cancel: Cancel = { drain, ...about, isLost: false, answers: [] };
    this.all.push(cancel);
    return cancel;
  }

  died(life: number): void {
    for (const cancel of this.all) if (cancel.life === life && cancel.answers.length === 0) cancel.isLost = true;
  }
}
