import type { Clock } from "./clock.ts";
import { type CloudProvider, keyOf, type Node, type Pool } from "./cloud-provider.ts";
import { asDrainError, DrainError } from "./errors.ts";
import { repeatWhilePassing } from "./limit.ts";
import { inOrder } from "./load-balancer-kinds.ts";
import type { UndoneNode, UndoneResult, UndoOutcome } from "./outcome.ts";
import { PoolUndo } from "./pool-undo.ts";
import type { Undoable } from "./undoable.ts";

export type { UndoneNode, UndoOutcome } from "./outcome.ts";

/** Temporary failures are retried for this long. */
export const UNDONE_WITHIN_MS = 600_000;

export interface UndoOptions {
  readonly cloud: CloudProvider;
  readonly clock: Clock;
  readonly drainId: string;
  readonly node: UndoneNode;
  readonly undoables: readonly Undoable[];
  /** From when on the drain deregisters nothing more, in milliseconds since the epoch. */
  readonly stoppedAt: number;
  /** Called for each registration when it is registered again, or when it is known that it can't be. */
  readonly onEnded?: (result: UndoneResult) => void;
}

/**
 * Registers again what a drain has deregistered, with exactly the same settings. Resolves when each target was seen in
 * its pool, or when it is known that it can't be registered. Such a failure is the result of that registration, not an
 * exception. If `signal` aborts with a `DrainError`, that is the result of all that are open. With any other reason it
 * rejects.
 */
export async function undo(options: UndoOptions, signal: AbortSignal): Promise<UndoOutcome> {
  const { drainId, node, undoables, onEnded = () => {} } = options;
  const results = new Map<string, UndoneResult>();
  const end = (result: UndoneResult) => {
    results.set(keyOf(result.registration), result);
    onEnded(result);
  };
  const toDo: Undoable[] = [];
  for (const undoable of undoables) {
    const { registration, deregisteredBy, isDone } = undoable;
    if (isDone) results.set(keyOf(registration), { registration, state: "registered" });
    else if (deregisteredBy === "none") results.set(keyOf(registration), { registration, state: "untouched" });
    else if (deregisteredBy === "others") results.set(keyOf(registration), { registration, state: "left" });
    else toDo.push(undoable);
  }
  try {
    if (toDo.length > 0) await registerAgain({ ...options, undoables: toDo, onEnded: end }, signal);
  } catch (error) {
    if (error !== signal.reason || !isEndOfUndo(error)) throw error;
    for (const { registration } of toDo)
      if (!results.has(keyOf(registration))) end({ registration, state: "failed", error });
  }
  return { drainId, node, registrations: inOrder([...results.values()]) };
}

/** Whether an undo that aborts for this reason has ended. In a term that is over it has not: the next leader does what remains. */
export function isEndOfUndo(reason: unknown): reason is DrainError {
  return reason instanceof DrainError && reason.code !== "not-leader";
}

/** Why not everything is registered again. Undefined: everything is. */
export function undoFailure({ registrations, stillExcluded }: UndoOutcome): DrainError | undefined {
  return registrations.find(({ state }) => state === "failed")?.error ?? stillExcluded;
}

async function registerAgain(options: UndoOptions & Required<Pick<UndoOptions, "onEnded">>, signal: AbortSignal) {
  const { cloud, clock, drainId, undoables, stoppedAt, onEnded } = options;
  const until = clock.now() + UNDONE_WITHIN_MS;
  const urgency = () => ({ purpose: "find", deadline: Number.POSITIVE_INFINITY }) as const;
  let node: Node;
  try {
    const repeat = { clock, until: () => until, signal };
    const reference = { by: "id", value: options.node.id } as const;
    node = await repeatWhilePassing(repeat, () =>
      cloud.resolve(reference, { urgency, signal, drains: () => [drainId] }),
    );
  } catch (thrown) {
    signal.throwIfAborted();
    // The machine is terminated, or belongs to another cluster than the configured one.
    const error = asDrainError(thrown);
    for (const { registration } of undoables) onEnded({ registration, state: "failed", error });
    return;
  }
  const pools = new Map<string, { readonly pool: Pool; readonly undoables: Undoable[] }>();
  for (const undoable of undoables) {
    const { pool } = undoable.registration;
    const known = pools.get(pool.id) ?? { pool, undoables: [] };
    known.undoables.push(undoable);
    pools.set(pool.id, known);
  }
  const each = [...pools.values()].map((one) =>
    new PoolUndo(one.pool, { drainId, cloud, clock, node, stoppedAt, onEnded }).run(one.undoables, signal),
  );
  await Promise.all(each);
}
