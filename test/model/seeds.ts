import { ALL_CASES } from "../support/cases.ts";

/** A run of the model: how many cases, and from which seed they are made. */
export interface Run {
  readonly numRuns: number;
  readonly seed: number;
  /** Where in the shrinking of a failed case to begin, as a failure prints it. */
  readonly path?: string;
}

/**
 * The cases of one test: always the same ones, unless the environment says otherwise. MODEL_CASES: how many of each
 * test's own share, in percent; by itself a seventh, and all of them with TEST_CASES=all. MODEL_SEED and MODEL_PATH: as a failure has printed them.
 */
export function runOf({ numRuns, seed }: Run): Run {
  const { MODEL_CASES = ALL_CASES ? "100" : "15", MODEL_SEED = String(seed), MODEL_PATH } = process.env;
  return {
    numRuns: Math.ceil((numRuns * Number(MODEL_CASES)) / 100),
    seed: Number(MODEL_SEED),
    ...(MODEL_PATH === undefined ? {} : { path: MODEL_PATH }),
  };
}
