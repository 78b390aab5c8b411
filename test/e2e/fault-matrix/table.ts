import { CALLS, type CallName } from "./calls.ts";
import { FAULTS, type FaultName, isPossible } from "./faults.ts";
import type { Cell } from "./scene.ts";

/** How things end when one call fails in one way at one time, as text: a row a fault, a column a moment. */
export type Expected = Readonly<Partial<Record<CallName, string>>>;

const SLOW: ReadonlySet<FaultName> = new Set(["hang", "slow", "stale", "access denied", "not found"]);

/** A cell, and what the table says of it. */
export interface ExpectedCell<M> extends Cell<M> {
  /** `drained`, `failed access-denied`; `-` where such a call is never made. */
  readonly expected: string;
}

/** Every cell of a table. Throws where it is not one, and where it has not each fault once that its call can have. */
export function readTable<M extends string>(
  expected: Expected,
  moments: readonly [M, ...M[]],
): readonly ExpectedCell<M>[] {
  return Object.entries(expected).flatMap(([call, rows]) => {
    const [head, ...lines] = rows.trim().split("\n");
    if (!isCall(call)) throw new Error(`no call is '${call}'`);
    if (head?.trim().split(/ {2,}/).join() !== moments.join()) throw new Error(`${call}: its columns are '${head}'`);
    const found = lines.map((line) => line.trim().split(/ {2,}/));
    const faults = FAULTS.filter((fault) => isPossible(fault, call));
    if (found.map(([fault]) => fault).join() !== faults.join())
      throw new Error(`${call}: its rows are to be ${faults.join(", ")}`);
    return found.flatMap(([fault, ...cells]) => {
      if (cells.length !== moments.length) throw new Error(`${call}, ${fault}: not one cell for each of ${moments}`);
      return cells.map((cell, column) => {
        return { call, fault: fault as FaultName, moment: moments[column] ?? moments[0], expected: cell };
      });
    });
  });
}

/**
 * A part of a table's cells in which each call still meets each moment and comes to each of its endings, each fault meets
 * each moment (of a table with several calls), and no cell is without one of these. It takes the cells that add most first,
 * and of these the ones with few calls. `all`: every cell.
 */
export function chosenCells<M extends string>(
  cells: readonly ExpectedCell<M>[],
  all: boolean,
): readonly ExpectedCell<M>[] {
  if (all) return cells;
  const met = new Set<string>();
  const isOneCall = new Set(cells.map(({ call }) => call)).size === 1;
  const chosen = new Set<ExpectedCell<M>>();
  const quickFirst = cells.toSorted((a, b) => repeatsOf(a) - repeatsOf(b));
  for (let adding = 3; adding > 0; adding--) {
    for (const cell of quickFirst) {
      const missing = pairsOf(cell, isOneCall).filter((pair) => !met.has(pair));
      if (missing.length < adding) continue;
      chosen.add(cell);
      for (const pair of missing) met.add(pair);
    }
  }
  return cells.filter((cell) => chosen.has(cell));
}

/** How often a call that fails so is repeated: 0 for little. What takes seconds to fail, or to answer, can't be repeated often. */
function repeatsOf({ fault, moment }: ExpectedCell<string>): number {
  if (moment === "first" || SLOW.has(fault)) return 0;
  return fault === "throttled" || fault === "expired token" ? 2 : 1;
}

/** What a part of a table may not lose. A call that has a table for itself need not meet each fault: others' calls do. */
function pairsOf({ call, fault, moment, expected }: ExpectedCell<string>, isOneCall: boolean): readonly string[] {
  const ofCall = [`${call} ${moment}`, `${call} ends as ${expected}`];
  return isOneCall ? ofCall : [...ofCall, `${fault} ${moment}`];
}

function isCall(name: string): name is CallName {
  return Object.hasOwn(CALLS, name);
}
