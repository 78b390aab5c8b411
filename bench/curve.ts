import type { CurvePoint } from "./rows.ts";

const SIZE = { width: 720, height: 420 };
const PLOT = { left: 70, right: 560, top: 50, bottom: 350 };
/** Told apart without colours too: each line ends in its name. */
const COLOURS = ["#0b6e4f", "#6b6b6b", "#b5532a"];
const TEXT = 'font-family="sans-serif" font-size="13" fill="#222"';

/** The cost of a node against the number of nodes, both on logarithmic scales, as an SVG picture. */
export function curve(points: readonly CurvePoint[]): string {
  const x = logarithmic(
    points.map(({ nodes }) => nodes),
    PLOT.left,
    PLOT.right,
  );
  const y = logarithmic(
    points.map(({ callsPerNode }) => callsPerNode),
    PLOT.bottom,
    PLOT.top,
  );
  const clients = [...new Set(points.map(({ client }) => client))];
  const lines = clients.map((client, index) => {
    const own = points.filter((point) => point.client === client);
    const colour = COLOURS[index % COLOURS.length] ?? "#222";
    const at = own.map(({ nodes, callsPerNode }) => `${round(x(nodes))},${round(y(callsPerNode))}`);
    const last = own.at(-1);
    const dots = at
      .map((each) => each.split(","))
      .map(([cx, cy]) => `<circle cx="${cx}" cy="${cy}" r="3" fill="${colour}"/>`);
    return [
      `<polyline points="${at.join(" ")}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ...dots,
      last === undefined
        ? ""
        : `<text x="${round(x(last.nodes)) + 10}" y="${round(y(last.callsPerNode)) + 4}" ${TEXT}>${client}, ${last.callsPerNode}</text>`,
    ].join("\n");
  });
  const nodes = [...new Set(points.map((point) => point.nodes))];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE.width} ${SIZE.height}" role="img" aria-label="Calls a node against nodes at once">`,
    `<rect width="${SIZE.width}" height="${SIZE.height}" fill="#fff"/>`,
    `<text x="${PLOT.left}" y="28" ${TEXT} font-weight="bold">ELB calls a node, when so many leave the same 12 pools at once (cold)</text>`,
    ...nodes.map((count) => tick({ x: x(count), text: String(count) })),
    ...decades(points.map(({ callsPerNode }) => callsPerNode)).map((value) => gridLine(y(value), String(value))),
    `<text x="${(PLOT.left + PLOT.right) / 2}" y="${PLOT.bottom + 45}" ${TEXT} text-anchor="middle">nodes</text>`,
    ...lines,
    "</svg>",
    "",
  ].join("\n");
}

function tick({ x, text }: { readonly x: number; readonly text: string }): string {
  return `<text x="${round(x)}" y="${PLOT.bottom + 22}" ${TEXT} text-anchor="middle">${text}</text>`;
}

function gridLine(y: number, text: string): string {
  const at = round(y);
  return [
    `<line x1="${PLOT.left}" x2="${PLOT.right}" y1="${at}" y2="${at}" stroke="#ddd"/>`,
    `<text x="${PLOT.left - 10}" y="${at + 4}" ${TEXT} text-anchor="end">${text}</text>`,
  ].join("\n");
}

/** 1, 2, 5, 10 and so on, as far as the values go. */
function decades(values: readonly number[]): readonly number[] {
  const [min, max] = [Math.min(...values), Math.max(...values)];
  const steps = [0.1, 1, 10, 100, 1_000].flatMap((power) => [1, 2, 5].map((step) => step * power));
  return steps.filter((value) => value >= min && value <= max);
}

function logarithmic(values: readonly number[], from: number, to: number): (value: number) => number {
  const [min, max] = [Math.log(Math.min(...values)), Math.log(Math.max(...values))];
  const span = max - min || 1;
  return (value) => from + ((Math.log(value) - min) / span) * (to - from);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
