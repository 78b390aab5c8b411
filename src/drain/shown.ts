/** Input as it may stand in messages and logs: without control characters, and at most `max` characters of it. */
export function shown(input: string, max = 80): string {
  const printable = input.replace(/[^\x20-\x7e]/g, "?");
  return printable.length > max ? `${printable.slice(0, max)}…` : printable;
}
