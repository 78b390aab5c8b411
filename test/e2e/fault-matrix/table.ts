import type { CallName } from "./calls.ts";
import { EXPECTED } from "./expected.ts";
import { FAULTS, type FaultName } from "./faults.ts";
import { type Cell, MOMENTS } from "./scene.ts";

/** A cell, and what the table says of it. */
export interface ExpectedCell extends Cell {
  /** `drained`, `failed access-denied`; `-` where such a call is never made. */
  readonly expected: string;
}

/** Every cell of the table. Throws where it is not one. */
export function readTable(): readonly ExpectedCell[] {
  return Object.entries(EXPECTED).flatMap(([call, rows]) => {
    const [head, ...lines] = rows.trim().split("\n");
    if (head?.trim().split(/ {2,}/).join() !== MOMENTS.join()) throw new Error(`${call}: its columns are '${head}'`);
    return lines.flatMap((line) => {
      const [fault = "", ...cells] = line.trim().split(/ {2,}/);
      if (!isFault(fault) || cells.length !== MOMENTS.length) throw new Error(`${call}: no row of three: '${line}'`);
      return cells.map((expected, column) => {
        return { call: call as CallName, fault, moment: MOMENTS[column] ?? "every", expected };
      });
    });
  });
}

function isFault(name: string): name is FaultName {
  return (FAULTS as readonly string[]).includes(name);
}
