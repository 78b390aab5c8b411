/**
 * How many of the cases that are made up are played. TEST_CASES=all, as `.ci/run` sets it: all of them. Otherwise a part
 * that is always the same, has every kind of them, and takes a quarter of the time at most.
 */
export const ALL_CASES = process.env["TEST_CASES"] === "all";

/**
 * The cases that one of several tests plays of a list that they share: all, or so that each case is played by one of
 * them. `turn`: which test it is of `tests`, from 0.
 */
export function turnOf<Case>(cases: readonly Case[], turn: number, tests: number): readonly Case[] {
  return cases.filter((_, index) => ALL_CASES || index % tests === turn);
}

/** So many of them, of `all`. `part`: one in how many, where it is not four. */
export function countOfCases(all: number, part = 4): number {
  return ALL_CASES ? all : Math.ceil(all / part);
}
