import { CALLS, type CallName } from "./calls.ts";
import { FAULTS, type FaultName, isPossible } from "./faults.ts";
import type { Cell } from "./scene.ts";

/** How things end when one call fails in one way at one time, as text: a row a fault, a column a moment. */
export type Expected = Readonly<Partial<Record<CallName, string>>>;

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
 * A part of a table's cells in which each call still meets each fault, each call each moment, and each fault each moment:
 * of the moments at which a call meets a fault, the one that follows the one of the fault before, and
 * what is still missing then. `all`: every cell, and so it
 * is of a table with fewer calls than moments.
 */
export function chosenCells<C extends Cell<string>>(cells: readonly C[], all: boolean): readonly C[] {
  const placeOf = (names: readonly string[]) => new Map([...new Set(names)].map((name, place) => [name, place]));
  const calls = placeOf(cells.map(({ call }) => call));
  const faults = placeOf(cells.map(({ fault }) => fault));
  const moments = placeOf(cells.map(({ moment }) => moment));
  if (all || calls.size < moments.size) return cells;
  const isOnDiagonal = ({ call, fault, moment }: C) =>
    moments.get(moment) === ((calls.get(call) ?? 0) + (faults.get(fault) ?? 0)) % moments.size;
  const met = new Set(cells.filter(isOnDiagonal).flatMap(pairsOf));
  return cells.filter((cell) => {
    const isNew = pairsOf(cell).some((pair) => !met.has(pair));
    for (const pair of isNew ? pairsOf(cell) : []) met.add(pair);
    return isNew || isOnDiagonal(cell);
  });
}

function pairsOf({ call, fault, moment }: Cell<string>): readonly string[] {
  return [`${call}, ${fault}`, `${call}, ${moment}`, `${fault}, ${moment}`];
}

function isCall(name: string): name is CallName {
  return Object.hasOwn(CALLS, name);
}
