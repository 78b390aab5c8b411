// npm run bench: every scenario on virtual time, as a table; see docs/performance.md.
import { parseArgs } from "node:util";
import { writeDocument, writeMessages, writePicture } from "./document.ts";
import { type MessagesRow, messagesRow, SIZES } from "./messages/rows.ts";
import { messagesTable } from "./messages/table.ts";
import { quotaRows, quotaTable } from "./quota.ts";
import { curvePoints, type Row, rowsOf } from "./rows.ts";
import { LARGEST, SCENARIOS } from "./scenarios.ts";
import { table } from "./table.ts";
import { tracingRows, tracingTable } from "./tracing.ts";

const HELP = `npm run bench -- [options]

  --only <name>  one scenario; may be given several times: ${SCENARIOS.map(({ name }) => name).join(", ")}
  --json         one object on stdout instead of the table
  --write        all scenarios and the curve, into docs/performance.md and its picture; with --only ${LARGEST}, its table alone
  --quota        what the choice of the next call to AWS costs, against how many wait, instead of the scenarios
  --tracing      what traces cost, instead of the scenarios
  --messages     the service at a queue, in real time, instead of the scenarios; --only then takes ${SIZES.map(({ messages }) => messages).join(", ")}
`;

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
  const progress = (line: string) => void process.stderr.write(`${line}\n`);
  if (given.quota) {
    const rows = await quotaRows();
    process.stdout.write(given.json ? `${JSON.stringify({ quota: rows })}\n` : `${quotaTable(rows)}\n`);
    return 0;
  }
  if (given.tracing) {
    const rows = await tracingRows();
    process.stdout.write(given.json ? `${JSON.stringify({ tracing: rows })}\n` : `${tracingTable(rows)}\n`);
    return 0;
  }
  if (given.messages) {
    await measureMessages(given, progress);
    return 0;
  }
  const rows: Row[] = [];
  for (const scenario of SCENARIOS) {
    if (given.only.length === 0 || given.only.includes(scenario.name)) rows.push(...(await rowsOf(scenario, progress)));
  }
  process.stdout.write(given.json ? `${JSON.stringify({ scenarios: rows })}\n` : `${table(rows)}\n`);
  if (given.write) writeDocument(rows);
  if (given.write && given.only.length === 0) writePicture(await curvePoints(progress));
  return 0;
}

async function measureMessages({ only, json, write }: Arguments, progress: (line: string) => void): Promise<void> {
  const rows: MessagesRow[] = [];
  for (const size of SIZES) {
    if (only.length === 0 || only.includes(String(size.messages))) rows.push(await messagesRow(size, progress));
  }
  process.stdout.write(json ? `${JSON.stringify({ messages: rows })}\n` : `${messagesTable(rows)}\n`);
  if (write) writeMessages(rows);
}

interface Arguments {
  readonly only: readonly string[];
  readonly messages: boolean;
  readonly quota: boolean;
  readonly tracing: boolean;
  readonly json: boolean;
  readonly write: boolean;
  readonly help: boolean;
}

/** A text says what is wrong with the arguments. */
function read(args: readonly string[]): Arguments | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        only: { type: "string", multiple: true, default: [] },
        json: { type: "boolean", default: false },
        write: { type: "boolean", default: false },
        messages: { type: "boolean", default: false },
        quota: { type: "boolean", default: false },
        tracing: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const names = values.messages ? SIZES.map(({ messages }) => String(messages)) : SCENARIOS.map(({ name }) => name);
    const unknown = values.only.find((name) => !names.includes(name));
    if (unknown !== undefined) return `there is no scenario '${unknown}'`;
    if (values.write && values.only.some((name) => name !== LARGEST))
      return `--write needs every scenario, or ${LARGEST} alone: leave --only out`;
    return values;
  } catch (error) {
    return (error as Error).message;
  }
}
