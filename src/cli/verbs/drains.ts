import type { Command } from "commander";
import { oneOf } from "../../config/values.ts";
import { printable } from "../../drain/errors.ts";
import { DRAIN_STATES } from "../../drain/ledger.ts";
import { UsageError } from "../failure.ts";
import { checkNode } from "../node-argument.ts";
import { addOptions, addServerOption, kindOf, numberOf } from "../options.ts";
import { addOutputOptions } from "../output.ts";

const LISTED_MAX = 1_000;

export function declareDrains(program: Command): Command {
  const command = program
    .command("drains")
    .summary("list running and past drains; changes nothing")
    .description(
      "Lists drains, the newest first. With --server: those of the service, and with --watch each change too. Without: those that this user has run on this machine and that can be undone.",
    )
    .argument("[node]", "only drains of this node: instance id, or node name", checkNode)
    .option(
      "--status <status>",
      "only drains that are running, that have ended, or that have ended with this outcome",
      kindOf("--status", oneOf(DRAIN_STATES)),
    )
    .option("--since <time>", "only drains that began within this time, such as 90s, 15m, 2h or 7d", readSince)
    .option(
      "--limit <number>",
      "maximum number of drains (default: 100)",
      numberOf(
        "--limit",
        (value) => Number.isInteger(value) && value >= 1 && value <= LISTED_MAX,
        `a whole number from 1 to ${LISTED_MAX}`,
      ),
    )
    .option("-w, --watch", "with --server: go on, and print each drain that begins or changes; Ctrl-C ends it");
  return addOptions(addOutputOptions(addServerOption(command)), "drains");
}

const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;
const SINCE_DAYS_MAX = 366;

/** In seconds. */
function readSince(text: string): number {
  const [, digits = "", unit = ""] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const seconds = Number(digits) * SECONDS[(unit || "s") as keyof typeof SECONDS];
  if (unit !== "" && seconds >= 1 && seconds <= SINCE_DAYS_MAX * SECONDS.d) return seconds;
  throw new UsageError(
    `--since is '${printable(text)}': give a time from 1s to ${SINCE_DAYS_MAX}d, such as 90s, 15m, 2h or 7d`,
  );
}
