import { printable } from "../drain/errors.ts";
import type { UndoneNode } from "../drain/undo.ts";
import { ageText } from "./cells.ts";
import type { Look } from "./look.ts";
import { table } from "./table.ts";

/** A drain of a service, or one that is recorded on this machine. */
export interface ListedDrain {
  readonly drainId: string;
  readonly node: UndoneNode;
  readonly status: "running" | "ended" | "recorded";
  readonly startedAt?: string;
  readonly endedAt?: string;
  readonly reasons?: readonly string[];
  /** How it has ended. */
  readonly outcome?: string;
  readonly undo?: "running" | "ended";
  /** When it was last recorded. */
  readonly recordedAt?: string;
}

interface ListOptions {
  readonly look: Look;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Without it, the rows continue an earlier text. */
  readonly hasHeader?: boolean;
  /** Whether columns are aligned with those of other texts. */
  readonly isAligned?: boolean;
}

const REASON_CHARACTERS_MAX = 200;

/** A row for each drain. */
export function drainsText(
  drains: readonly ListedDrain[],
  { look, now, hasHeader = true, isAligned = false }: ListOptions,
): string {
  if (drains.length === 0) return "No drains found.";
  const { isWide, width, paint } = look;
  const titles = ["DRAIN", "NODE", "STATUS", "AGE", "TOOK", ...(isWide ? ["NAME", "CLUSTER"] : []), "REASON"];
  const rows = drains.map((drain) => {
    const { node, startedAt, endedAt, recordedAt, reasons = [] } = drain;
    const since = startedAt ?? recordedAt;
    return [
      drain.drainId,
      node.id,
      stateText(drain, look).padEnd(isAligned ? STATUS_CHARACTERS : 0),
      (since === undefined ? "" : ageText(now - Date.parse(since))).padEnd(isAligned ? AGE_CHARACTERS : 0),
      (startedAt === undefined || endedAt === undefined
        ? ""
        : ageText(Date.parse(endedAt) - Date.parse(startedAt))
      ).padEnd(isAligned ? AGE_CHARACTERS : 0),
      ...(isWide ? [node.name, node.cluster ?? ""] : []),
      printable(reasons.join("; "), REASON_CHARACTERS_MAX),
    ];
  });
  const header = titles.map((title) => paint("title", title));
  const lines = table({ header, rows, width, naming: 1 });
  return (hasHeader ? lines : lines.slice(1)).join("\n");
}

const STATUS_CHARACTERS = 19;
const AGE_CHARACTERS = 5;

/** `running`, `drained`, `failed`, `drained, undone` */
function stateText({ status, outcome, undo }: ListedDrain, { paint }: Look): string {
  const state = outcome ?? status;
  const undone = undo === undefined ? "" : undo === "running" ? ", undoing" : ", undone";
  const tone = GOOD.has(state) ? "good" : state === "running" || state === "recorded" ? "note" : "bad";
  return `${undone === "" ? paint(tone, state) : state}${undone}`;
}

const GOOD: ReadonlySet<string> = new Set(["drained", "nothing-registered", "instance-gone"]);
