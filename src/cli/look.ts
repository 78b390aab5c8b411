import { styleText } from "node:util";
import { type Environment, type Output, widthOf } from "./call.ts";

/** What a text says, where colour helps to see it. */
type Tone = "good" | "bad" | "note" | "title";

/** How texts for people are laid out. */
export interface Look {
  /** Columns of the terminal. Infinite of a file or a pipe, where a line is as long as it needs. */
  readonly width: number;
  /** Whether all columns are shown, however long the lines become. */
  readonly isWide: boolean;
  readonly paint: (tone: Tone, text: string) => string;
}

export const PLAIN_LOOK: Look = { width: Number.POSITIVE_INFINITY, isWide: false, paint: (_, text) => text };

const STYLES = { good: "green", bad: "red", note: "yellow", title: "bold" } as const;

/** As the output allows: colour on a terminal, unless NO_COLOR is set (https://no-color.org). */
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
