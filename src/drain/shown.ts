/** What a terminal or a log would act on instead of showing it: control and format characters, breaks of lines. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** Input as it may stand in messages and logs: without control characters, and at most `max` characters of it. */
export function shown(input: string, max = 80): string {
  // A character is one unit or two: what is cut off here is not even looked at.
  const characters = [...input.slice(0, 2 * max + 1)];
  const text = characters.slice(0, max).join("").replace(UNPRINTABLE, "?");
  return characters.length > max ? `${text}…` : text;
}
