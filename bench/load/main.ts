// npm run load: the built service under requests of clients without the secret, and under many drains, in real time.
import { parseArgs } from "node:util";
import { LOADS, type LoadRow, loadRow } from "./rows.ts";

const HELP = `npm run load -- [options]

  --only <name>  one load; may be given several times: ${LOADS.map(({ name }) => `"${name}"`).join(", ")}
  --json         one object on stdout instead of the table
`;

const COLUMNS: readonly (readonly [heading: string, cell: (row: LoadRow) => string])[] = [
  ["load", (row) => row.name],
  ["s", (row) => row.seconds.toFixed(1)],
  ["/health p50 ms", (row) => row.healthP50Ms.toFixed(1)],
  ["p99 ms", (row) => row.healthP99Ms.toFixed(0)],
  ["longest ms", (row) => row.healthMaxMs.toFixed(0)],
  ["unanswered", (row) => String(row.unanswered)],
  ["stall p99 ms", (row) => row.stallP99Ms.toFixed(0)],
  ["longest stall ms", (row) => row.stallMaxMs.toFixed(0)],
  ["CPU s", (row) => row.cpuSeconds.toFixed(1)],
  ["MiB before", (row) => row.beforeMiB.toFixed(0)],
  ["MiB peak", (row) => row.peakMiB.toFixed(0)],
];

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", multiple: true, default: [] },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const unknown = values.only.find((name) => !LOADS.some((load) => load.name === name));
  if (values.help || unknown !== undefined) {
    process.stderr.write(unknown === undefined ? HELP : `there is no load '${unknown}'\n\n${HELP}`);
    return values.help ? 0 : 2;
  }
  const rows: LoadRow[] = [];
  for (const load of LOADS.filter(({ name }) => values.only.length === 0 || values.only.includes(name))) {
    process.stderr.write(`${load.name}\n`);
    rows.push(await loadRow(load));
  }
  process.stdout.write(values.json ? `${JSON.stringify({ node: process.version, loads: rows })}\n` : tableOf(rows));
  for (const { name, faults } of rows) for (const fault of faults) process.stderr.write(`${name}: ${fault}\n`);
  return rows.some(({ faults }) => faults.length > 0) ? 1 : 0;
}

function tableOf(rows: readonly LoadRow[]): string {
  const lines = [COLUMNS.map(([heading]) => heading), ...rows.map((row) => COLUMNS.map(([, cell]) => cell(row)))];
  const [head = [], ...body] = lines;
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |\n`;
  return [
    line(head),
    `|${head.map((_, column) => (column === 0 ? "---|" : "--:|")).join("")}\n`,
    ...body.map(line),
  ].join("");
}
