/** A word with more typing mistakes counts as another word. */
const MISTAKES_MAX = 3;
/** A shorter text is the beginning of too many words. */
const BEGINNING_MIN = 3;

/**
 * The word of `words` that was probably meant: the only one that begins with `given`, or else the nearest one if at
 * most a third of its letters differ. Undefined if no word is near enough.
 */
export function nearest(given: string, words: readonly string[]): string | undefined {
  const begun = words.filter((word) => given.length >= BEGINNING_MIN && word.startsWith(given));
  if (begun.length === 1) return begun[0];
  const [first] = words
    .map((word) => ({ word, mistakes: mistakesBetween(given.toLowerCase(), word.toLowerCase()) }))
    .filter(({ word, mistakes }) => mistakes <= Math.min(MISTAKES_MAX, word.length / 3))
    .sort((one, other) => one.mistakes - other.mistakes);
  return first?.word;
}

/** How many letters must be added, removed or replaced. Infinity if the lengths alone differ too much. */
function mistakesBetween(one: string, other: string): number {
  if (Math.abs(one.length - other.length) > MISTAKES_MAX) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...one].entries()) {
    const next = [index + 1];
    for (let at = 0; at < other.length; at++) {
      const replaced = (row[at] ?? 0) + (other[at] === letter ? 0 : 1);
      next.push(Math.min(replaced, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
