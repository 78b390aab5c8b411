/** Why a text is not JSON, with the place: `line 1, column 5: unexpected 'x'`. The engine's messages name no place for most. */
export function jsonProblem(text: string): string {
  // What is a beginning of JSON is one at every length up to the first wrong character.
  let [right, wrong] = [0, text.length + 1];
  while (wrong - right > 1) {
    const middle = Math.floor((right + wrong) / 2);
    if (isBeginning(text.slice(0, middle))) right = middle;
    else wrong = middle;
  }
  const place = placeAfter(text.slice(0, right));
  const [unexpected] = text.slice(right);
  return unexpected === undefined
    ? `${place}: it ends too early, a quote or a closing bracket is missing`
    : `${place}: unexpected '${unexpected}'`;
}

/** Whether a text is JSON but for its end. */
function isBeginning(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    const { message } = error as Error;
    const [, position] = /at position (\d+)/.exec(message) ?? [];
    return message.startsWith("Unexpected end") || (position !== undefined && Number(position) >= text.length);
  }
}

/** Of the character that follows a text. */
function placeAfter(text: string): string {
  const lines = text.split("\n");
  return `line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}`;
}
