import type { LedgerEntry } from "../drain/ledger.ts";

/** What every line of ours begins with, so that a drain's lines are found without reading the others. */
export function lineStart(drain: string): string {
  return `{"drain":${JSON.stringify(drain)},`;
}

/** Whose line it is, without reading all of it. */
export function drainOf(bytes: Buffer): string | undefined {
  const start = bytes.toString("utf8", 0, START_BYTES_MAX);
  return OURS.exec(start)?.[1] ?? entryOf(bytes.toString("utf8"))?.drain;
}

const START_BYTES_MAX = 64;
const OURS = /^\{"drain":"([\w-]+)",/;

/** One entry as a line of JSON, with its end. */
export function lineOf({ drain, n, at, type, ...more }: LedgerEntry): string {
  return `${JSON.stringify({ drain, n, at, type, ...more })}\n`;
}

/** Undefined: it is no entry. */
export function entryOf(line: string): LedgerEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isRecord(value) || typeof value["drain"] !== "string" || !isCount(value["n"]) || value["n"] < 1)
    return undefined;
  const { type } = value;
  const isWhole = typeof type === "string" && Object.hasOwn(WHOLE, type) && WHOLE[type as LedgerEntry["type"]](value);
  return isWhole && isMoment(value["at"]) ? (value as unknown as LedgerEntry) : undefined;
}

type Fields = Readonly<Record<string, unknown>>;
type Check = (fields: Fields) => boolean;

const numbered: Check = ({ of }) => Array.isArray(of) && of.every(isCount);
const troubled: Check = (fields) => numbered(fields) && isError(fields["error"]);
const always: Check = () => true;
const STATUSES = [
  "drained",
  "nothing-registered",
  "possibly-registered",
  "deadline-passed",
  "instance-gone",
  "abandoned",
  "failed",
  "refused",
  "cancelled",
  "superseded",
];

/** For each kind of entry, whether it has all that a drain is taken up by. */
const WHOLE: Readonly<Record<LedgerEntry["type"], Check>> = {
  accepted: ({ node, startedAt, request }) => isNode(node) && isMoment(startedAt) && isRequest(request),
  joined: ({ request }) => isRequest(request),
  found: ({ first, registrations, elsewhere }) => isCount(first) && areListed(registrations) && areListed(elsewhere),
  planned: ({ limit, longestHoldMs, warnings }) =>
    isRecord(limit) && isMoment(limit["at"]) && isMoment(longestHoldMs) && Array.isArray(warnings),
  deregistered: (fields) => numbered(fields) && isMomentIfGiven(fields["since"]),
  "deregistering-again": numbered,
  "deregister-failed": troubled,
  "look-failed": troubled,
  failed: troubled,
  released: numbered,
  guarded: numbered,
  excluded: always,
  included: always,
  "exclude-failed": ({ error }) => isError(error),
  "include-failed": ({ error }) => isError(error),
  evicting: ({ pods }) => areTexts(pods),
  evicted: ({ pods }) => areTexts(pods),
  "eviction-refused": ({ pod, error }) => typeof pod === "string" && isError(error),
  "evict-failed": ({ error }) => isError(error),
  cancelled: always,
  registered: numbered,
  "register-failed": troubled,
  undone: ({ fates }) => Array.isArray(fates) && fates.every((fate) => isRecord(fate) && isCount(fate["of"])),
  interrupted: always,
  resumed: always,
  ended: ({ outcome }) =>
    isRecord(outcome) &&
    STATUSES.includes(String(outcome["status"])) &&
    Array.isArray(outcome["fates"]) &&
    outcome["fates"].every((fate) => isRecord(fate) && isCount(fate["of"])),
};

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Or a length of time: in milliseconds. */
function isMoment(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value);
}

function isMomentIfGiven(value: unknown): boolean {
  return value === undefined || isMoment(value);
}

function isError(value: unknown): boolean {
  return isRecord(value) && typeof value["code"] === "string" && typeof value["message"] === "string";
}

function isNode(value: unknown): boolean {
  return isRecord(value) && typeof value["id"] === "string" && Array.isArray(value["addresses"]);
}

function isRequest(value: unknown): boolean {
  // Files of before say nothing of earlier tries.
  if (!isRecord(value)) return false;
  const { evict } = value;
  return (
    isMoment(value["askedAt"]) && isMomentIfGiven(value["firstTriedAt"]) && (evict === undefined || isRecord(evict))
  );
}

function areTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function areListed(value: unknown): boolean {
  const isListed = (one: unknown) => isRecord(one) && isRecord(one["pool"]) && typeof one["target"] === "string";
  return Array.isArray(value) && value.every(isListed);
}
