/** The part of `demo --json` that the picture shows. */
export interface DemoReport {
  readonly secondsPerCharacter: number;
  readonly runs: readonly {
    readonly name: string;
    readonly sent: number;
    readonly lost: number;
    readonly disruptionSeconds: number;
    /** A character for each `secondsPerCharacter`: · answered, × lost, D deregistered, T terminated. */
    readonly timeline: string;
  }[];
}

const WIDTH = 760;
const LEFT = 20;
const TOP = 64;
const ROW_HEIGHT = 72;
const CELL = { width: 11, height: 18, step: 13 };
const COLOURS: Readonly<Record<string, string>> = { "·": "#7fb797", "×": "#c0392b", D: "#1f5f99", T: "#222222" };
const TEXT = 'font-family="sans-serif" font-size="13" fill="#222222"';
const LEGEND = [
  ["·", "all requests answered"],
  ["×", "requests lost"],
  ["D", "deregistered"],
  ["T", "terminated"],
] as const;

/** The demo's three runs as an SVG picture: a row of cells in time for each, and its losses in words. */
export function demoPicture({ secondsPerCharacter, runs }: DemoReport): string {
  const height = TOP + runs.length * ROW_HEIGHT + 50;
  const rows = runs.flatMap((run, index) => row(run, TOP + index * ROW_HEIGHT));
  const legend = LEGEND.flatMap(([mark, meaning], index) => {
    const x = LEFT + ([0, 185, 310, 430][index] ?? 0);
    return [cell(mark, x, height - 40), `<text x="${x + 18}" y="${height - 26}" ${TEXT}>${meaning}</text>`];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${label(runs)}">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="${LEFT}" y="28" ${TEXT} font-weight="bold">One of six nodes is removed under traffic, in three ways</text>`,
    `<text x="${LEFT}" y="46" ${TEXT}>Each cell is ${secondsPerCharacter} seconds.</text>`,
    ...rows,
    ...legend,
    "</svg>",
    "",
  ].join("\n");
}

function row({ name, sent, lost, disruptionSeconds, timeline }: DemoReport["runs"][number], top: number) {
  const result = `${lost} of ${sent} requests lost, during ${disruptionSeconds} seconds`;
  return [
    `<text x="${LEFT}" y="${top + 20}" ${TEXT}><tspan font-weight="bold">${name}</tspan>: ${result}</text>`,
    ...[...timeline].map((mark, index) => cell(mark, LEFT + index * CELL.step, top + 28)),
  ];
}

/** Marks stand in the cells too, for readers who do not see colours. */
function cell(mark: string, x: number, y: number): string {
  const { width, height } = CELL;
  const box = `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="${COLOURS[mark] ?? "#999999"}"/>`;
  if (mark === "·") return box;
  const middle = `x="${x + width / 2}" y="${y + 13}" text-anchor="middle"`;
  return `${box}<text ${middle} font-family="sans-serif" font-size="10" fill="#ffffff">${mark}</text>`;
}

function label(runs: DemoReport["runs"]): string {
  return runs.map(({ name, sent, lost }) => `${name}: ${lost} of ${sent} requests lost`).join("; ");
}
