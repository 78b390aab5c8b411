import { styleText } from "node:util";
import { type Environment, type Output, widthOf } from "./call.ts";

/** The meaning of a text, for its colour. */
type Tone = "good" | "bad" | "note" | "title";

/** The layout of texts for people. */
export interface Look {
  /** The width of the terminal in characters. Infinite for a file or a pipe. */
  readonly width: number;
  /** Whether all columns are shown, whatever the length of the lines. */
  readonly isWide: boolean;
  readonly paint: (tone: Tone, text: string) => string;
}

export const PLAIN_LOOK: Look = { width: Number.POSITIVE_INFINITY, isWide: false, paint: (_, text) => text };

const STYLES = { good: "green", bad: "red", note: "yellow", title: "bold" } as const;

/** According to the output: with colour on a terminal, unless NO_COLOR is set (https://no-color.org). */
export function lookOf(output: Output, environment: Environment, isWide = false): Look {
  const width = isWide ? undefined : widthOf(output);
  return {
    width: width ?? Number.POSITIVE_INFINITY,
    isWide,
    // Checked here, because Node.js would check its own environment and streams.
    paint: hasColour(output, environment)
      ? (tone, text) => styleText(STYLES[tone], text, { validateStream: false })
      : PLAIN_LOOK.paint,
  };
}

function hasColour({ isTTY }: Output, { NO_COLOR: none = "", TERM: terminal }: Environment): boolean {
  return isTTY === true && none === "" && terminal !== "dumb";
}
