// npm run soak: the engine through days of virtual time, and the built service under load; see docs/reliability.md.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { hasFailed, jsonOf, type Part, textOf } from "./report.ts";
import type { Sample } from "./sample.ts";
import { serviceUnderLoad } from "./service-under-load.ts";
import { virtualDays } from "./virtual-days.ts";

const PARTS = ["memory", "file", "service"] as const;
const HELP = `npm run soak -- [options]

  --only <part>    memory, file (virtual days with that ledger) or service (real minutes); may be given several times
  --hours <n>      virtual hours, two at a time; at least 6 (48)
  --minutes <n>    real minutes of load on the service; at least 1 (10)
  --seed <n>       of everything that happens by chance (1)
  --json           one object on stdout instead of the table
`;
const ROUND_HOURS = 2;

// The SDK's advice about its later releases is not for readers of tables.
process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const given = read(args);
  if (typeof given === "string") {
    process.stderr.write(`${given}\n\n${HELP}`);
    return 2;
  }
  if (given.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const parts: Part[] = [];
  for (const name of PARTS.filter((part) => given.only.length === 0 || given.only.includes(part))) {
    parts.push(await inFolder((folder) => run(name, given, folder)));
    if (!given.json) process.stdout.write(`${textOf(parts.at(-1) as Part)}\n\n`);
  }
  if (given.json) process.stdout.write(`${JSON.stringify({ seed: given.seed, parts: parts.map(jsonOf) })}\n`);
  return parts.some(hasFailed) ? 1 : 0;
}

function run(name: (typeof PARTS)[number], { hours, minutes, seed }: Arguments, folder: string): Promise<Part> {
  if (name === "service") return serviceUnderLoad({ seconds: minutes * 60, seed, folder });
  const rounds = Math.ceil(hours / ROUND_HOURS);
  const ledger = name === "file" ? { folder } : {};
  const onSample = (sample: Sample) => void process.stderr.write(`${JSON.stringify(sample)}\n`);
  return virtualDays({ clock: new VirtualClock(), rounds, seed, onSample, ...ledger });
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "soak-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Arguments {
  readonly only: readonly string[];
  readonly hours: number;
  readonly minutes: number;
  readonly seed: number;
  readonly json: boolean;
  readonly help: boolean;
}

/** A text says what is wrong with the arguments. */
function read(args: readonly string[]): Arguments | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        only: { type: "string", multiple: true, default: [] },
        hours: { type: "string", default: "48" },
        minutes: { type: "string", default: "10" },
        seed: { type: "string", default: "1" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const unknown = values.only.find((name) => !PARTS.includes(name as (typeof PARTS)[number]));
    if (unknown !== undefined) return `there is no part '${unknown}'`;
    const numbers = { hours: Number(values.hours), minutes: Number(values.minutes), seed: Number(values.seed) };
    if (!(numbers.hours >= 3 * ROUND_HOURS)) return `--hours is '${values.hours}': give 6 or more`;
    if (!(numbers.minutes >= 1)) return `--minutes is '${values.minutes}': give 1 or more`;
    if (!Number.isSafeInteger(numbers.seed)) return `--seed is '${values.seed}': give a whole number`;
    return { ...values, ...numbers };
  } catch (error) {
    return (error as Error).message;
  }
}
