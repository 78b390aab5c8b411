// npm run bench:peers: nodes drained by the built service and by lifecycle-manager at the same time, in real time; see
// docs/performance.md.
import { parseArgs } from "node:util";
import { missingOf } from "../../test/conformance/support/kubernetes-programs.ts";
import { writeBeside } from "../document.ts";
import { compare, NEEDED } from "./comparison.ts";
import { missedGoals } from "./goals.ts";
import { KINDS, type Kind } from "./region.ts";
import { besideTable } from "./table.ts";

const HELP = `npm run bench:peers -- [options]

Needs the programs that test/conformance/kubernetes/install builds, in the folder that CONFORMANCE_KUBERNETES names. Takes
about six minutes. Ends with 1 if a goal is missed.

  --only <kind>  one kind of load balancer; may be given several times: ${KINDS.join(", ")}
  --json         one object on stdout instead of the table
  --write        the table into docs/performance.md
`;

process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", multiple: true, default: [] },
      json: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const unknown = values.only.find((kind) => !KINDS.some((known) => known === kind));
  const missing = missingOf(NEEDED);
  const problem =
    unknown !== undefined
      ? `there is no kind '${unknown}'`
      : values.write && values.only.length > 0
        ? "--write needs every kind: leave --only out"
        : missing;
  if (values.help || problem !== undefined) {
    process.stderr.write(values.help ? HELP : `${problem}\n\n${HELP}`);
    return values.help ? 0 : 2;
  }
  const kinds = KINDS.filter((kind) => values.only.length === 0 || values.only.includes(kind));
  return measure(kinds, values);
}

async function measure(kinds: readonly Kind[], { json, write }: { readonly json: boolean; readonly write: boolean }) {
  const ends: (() => void | Promise<void>)[] = [];
  try {
    const rows = await compare(kinds, (end) => void ends.push(end));
    process.stdout.write(json ? `${JSON.stringify({ node: process.version, rows })}\n` : `${besideTable(rows)}\n`);
    if (write) writeBeside(rows);
    const missed = missedGoals(rows);
    for (const goal of missed) process.stderr.write(`${goal}\n`);
    return missed.length > 0 ? 1 : 0;
  } finally {
    for (const end of ends.reverse()) await end();
  }
}
