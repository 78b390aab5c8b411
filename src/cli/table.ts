import stringWidth from "string-width";
import wrapAnsi from "wrap-ansi";

/** The spaces between two columns. */
const GAP = 2;

interface TableOptions {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** The width of the terminal. Infinite: a file or a pipe. */
  readonly width: number;
  /** The column that names a row, if the cells of a row are written below each other. */
  readonly naming: number;
}

/**
 * Columns as wide as their cells, if they fit into `width`. Otherwise cells are broken at their spaces. If that is not
 * enough, each row is a paragraph: its name, and the other cells below it, each with its title. No word is broken.
 */
export function table({ header, rows, width, naming }: TableOptions): readonly string[] {
  const lines = [header, ...rows];
  const widths = fittingWidths(lines, width);
  if (widths === undefined) return rows.flatMap((row) => paragraph(header, row, naming));
  return inColumns(lines, widths);
}

/** The cells of each row in one line, aligned by column. */
export function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  return inColumns(rows, naturalWidths(rows));
}

/** Breaks a line at spaces, with the next lines indented. A word that is longer than `width` is not broken. */
export function wrapped(line: string, width: number): string {
  if (width === Number.POSITIVE_INFINITY || stringWidth(line) <= width) return line;
  const indent = /^ */.exec(line)?.[0] ?? "";
  const [first = "", ...others] = wrapAnsi(line.trimStart(), Math.max(1, width - indent.length - GAP)).split("\n");
  return [`${indent}${first}`, ...others.map((other) => `${indent}  ${other}`)].join("\n");
}

function inColumns(rows: readonly (readonly string[])[], widths: readonly number[]): readonly string[] {
  return rows.flatMap((row) => {
    const cells = row.map((cell, column) => wrapAnsi(cell, Math.max(1, widths[column] ?? 0)).split("\n"));
    const height = Math.max(...cells.map((lines) => lines.length));
    return Array.from({ length: height }, (_, line) =>
      cells
        .map((lines, column) => padded(lines[line] ?? "", widths[column] ?? 0))
        .join(" ".repeat(GAP))
        .trimEnd(),
    );
  });
}

function padded(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - stringWidth(text)));
}

function naturalWidths(rows: readonly (readonly string[])[]): readonly number[] {
  return widthsBy(rows, (cell) => stringWidth(cell));
}

function widthsBy(rows: readonly (readonly string[])[], widthOf: (cell: string) => number): readonly number[] {
  return (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => widthOf(row[column] ?? ""))));
}

/** Undefined: not even the longest words of the columns fit. The widest column is shortened first. */
function fittingWidths(rows: readonly (readonly string[])[], width: number): readonly number[] | undefined {
  const widths = [...naturalWidths(rows)];
  const least = widthsBy(rows, (cell) => Math.max(...cell.split(" ").map((word) => stringWidth(word))));
  const total = () => widths.reduce((sum, each) => sum + each, 0) + GAP * (widths.length - 1);
  while (total() > width) {
    const spare = widths.map((each, column) => (each > (least[column] ?? 0) ? each : -1));
    const widest = spare.indexOf(Math.max(...spare));
    if (spare[widest] === -1) return undefined;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

function paragraph(header: readonly string[], row: readonly string[], naming: number): readonly string[] {
  const name = row.slice(0, naming + 1).join("  ");
  const others = row.slice(naming + 1).map((cell, index) => [header[naming + 1 + index] ?? "", cell] as const);
  return [
    name,
    ...others.filter(([, cell]) => cell !== "").map(([title, cell]) => `    ${title.toLowerCase()}: ${cell}`),
  ];
}
