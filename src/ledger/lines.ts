import { GRACE_SECONDS_MAX } from "../drain/eviction.ts";
import type { LedgerEntry } from "../drain/ledger.ts";
import { LOAD_BALANCER_KINDS } from "../drain/load-balancer-kinds.ts";
import { isOutcomeStatus } from "../drain/outcome.ts";

/** The beginning of every line, so that a drain's lines are found without reading the others. */
export function lineStart(drain: string): string {
  return `{"drain":${JSON.stringify(drain)},`;
}

/** The drain of a line, without parsing all of it. */
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

/** Undefined: it is not an entry, or has a value that this program can't have written. */
export function entryOf(line: string): LedgerEntry | undefined {
  const value = named(recordOf(line));
  if (value === undefined || !isDrainId(value["drain"]) || !isNumber(value["n"]) || value["n"] < 1) return undefined;
  const { type } = value;
  const isWhole = typeof type === "string" && Object.hasOwn(WHOLE, type) && WHOLE[type as LedgerEntry["type"]](value);
  return isWhole && isMoment(value["at"]) ? (value as unknown as LedgerEntry) : undefined;
}

/** What remains of a line that is not an entry: its drain, its number, and the node that it names. */
export interface Remains {
  readonly drain?: string;
  readonly n?: number;
  readonly node?: string;
}

/** `bytes`: the line, or its beginning. */
export function remainsOf(bytes: Buffer): Remains {
  const text = bytes.toString("utf8", 0, REMAINS_BYTES_MAX);
  const drain = OURS.exec(text)?.[1];
  const n = Number(/^\{"drain":"[\w-]+","n":(\d{1,9}),/.exec(text)?.[1]);
  const node = /"node":\{"id":"([\w.:/-]{1,100})"/.exec(text)?.[1];
  return {
    ...(drain === undefined ? {} : { drain }),
    ...(n >= 1 && n <= ENTRIES_MAX ? { n } : {}),
    ...(node === undefined ? {} : { node }),
  };
}

const REMAINS_BYTES_MAX = 4_096;
/** Of one drain. Each bound below is far beyond what a drain can reach. This program does not write larger values. */
const ENTRIES_MAX = 100_000_000;
const REGISTRATIONS_MAX = 200_000;
/** The latest time that a `Date` can have, in milliseconds since the epoch. */
const MOMENT_MAX = 8.64e15;
const DAY_MS = 86_400_000;

type Fields = Readonly<Record<string, unknown>>;
type Check = (fields: Fields) => boolean;

const numbered: Check = ({ of }) => Array.isArray(of) && of.every(isRegistrationNumber);
const troubled: Check = (fields) => numbered(fields) && isError(fields["error"]);
const always: Check = () => true;
const KINDS: readonly string[] = LOAD_BALANCER_KINDS;
const STATES = ["live", "initial", "draining", "absent", "unlisted"];

/** For each kind of entry: whether it has everything that a drain is resumed by. */
const WHOLE: Readonly<Record<LedgerEntry["type"], Check>> = {
  accepted: ({ at, node, startedAt, request }) => isNode(node) && isMoment(startedAt) && isRequest(request, at),
  joined: ({ at, request }) => isRequest(request, at),
  found: ({ first, registrations, elsewhere }) =>
    isRegistrationNumber(first) && areListed(registrations) && areListed(elsewhere),
  planned: ({ limit, longestHoldMs, warnings }) =>
    isRecord(limit) && isMoment(limit["at"]) && isLength(longestHoldMs) && Array.isArray(warnings),
  deregistered: (fields) => numbered(fields) && isGiven(fields["since"], isMoment),
  "deregistering-again": numbered,
  "deregister-failed": troubled,
  "poll-failed": troubled,
  failed: troubled,
  released: numbered,
  guarded: ({ standing, ...fields }) => numbered(fields) && isGiven(standing, isRecord),
  excluded: always,
  included: always,
  "exclude-failed": ({ error }) => isError(error),
  "include-failed": ({ error }) => isError(error),
  tainted: always,
  untainted: always,
  "taint-failed": ({ error }) => isError(error),
  "untaint-failed": ({ error }) => isError(error),
  evicting: ({ pods }) => areTexts(pods),
  evicted: ({ pods }) => areTexts(pods),
  "eviction-refused": ({ pod, error }) => typeof pod === "string" && isError(error),
  "evict-failed": ({ error }) => isError(error),
  cancelled: always,
  registered: numbered,
  "register-failed": troubled,
  undone: ({ registrations }) => Array.isArray(registrations) && registrations.every(isEnded),
  interrupted: always,
  resumed: always,
  gap: ({ node }) => isGiven(node, isText),
  ended: ({ outcome }) =>
    isRecord(outcome) &&
    isOutcomeStatus(outcome["status"]) &&
    outcome["status"] !== "planned" &&
    isGiven(outcome["limit"], (limit) => isRecord(limit) && isMoment(limit["at"])) &&
    isGiven(outcome["error"], isError) &&
    isGiven(outcome["refusal"], (refusal) => isRecord(refusal) && Array.isArray(refusal["pools"])) &&
    Array.isArray(outcome["registrations"]) &&
    outcome["registrations"].every((one) => isEnded(one) && isHeld(one)),
};

function recordOf(line: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** With the current names. Files of 2.0.0-alpha.1 have `look-failed`, and `fates` instead of `registrations`. */
function named(entry: Fields | undefined): Fields | undefined {
  const { type, outcome } = entry ?? {};
  if (type === "look-failed") return { ...entry, type: "poll-failed" };
  if (type === "undone") return withRegistrations(entry);
  if (type === "ended" && isRecord(outcome)) return { ...entry, outcome: withRegistrations(outcome) };
  return entry;
}

function withRegistrations({ fates: registrations, ...more }: Fields = {}): Fields {
  return registrations === undefined ? more : { ...more, registrations };
}

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isDrainId(value: unknown): value is string {
  return typeof value === "string" && /^[\w-]{1,100}$/.test(value);
}

/** A number of an entry. */
function isNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= ENTRIES_MAX;
}

function isRegistrationNumber(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= REGISTRATIONS_MAX;
}

/** In milliseconds since the epoch. */
function isMoment(value: unknown): value is number {
  return typeof value === "number" && Math.abs(value) <= MOMENT_MAX;
}

/** In milliseconds. */
function isLength(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= MOMENT_MAX;
}

/** Absent is valid too. */
function isGiven(value: unknown, check: (value: unknown) => boolean): boolean {
  return value === undefined || check(value);
}

function isError(value: unknown): boolean {
  return isRecord(value) && typeof value["code"] === "string" && typeof value["message"] === "string";
}

function isNode(value: unknown): boolean {
  if (!isRecord(value) || !isText(value["id"])) return false;
  const areTexts = (list: unknown) => Array.isArray(list) && list.every((one) => typeof one === "string");
  return areTexts(value["addresses"]) && isGiven(value["addressPrefixes"], areTexts) && isGiven(value["place"], isText);
}

/** `at`: when it was written down. Older files say nothing about earlier tries. */
function isRequest(value: unknown, at: unknown): boolean {
  if (!isRecord(value)) return false;
  const { askedAt, deadline, timeoutMs, firstTriedAt, evict } = value;
  return (
    isMoment(askedAt) &&
    Math.abs(askedAt - Number(at)) <= DAY_MS &&
    isGiven(deadline, isMoment) &&
    isGiven(firstTriedAt, isMoment) &&
    isGiven(evict, isEviction) &&
    isGiven(timeoutMs, (ms) => isLength(ms) && ms <= DAY_MS)
  );
}

/** A drain waits for pods as long as their grace period. */
function isEviction(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { gracePeriodSeconds, podSelector } = value;
  const isGrace = (grace: unknown) => typeof grace === "number" && grace >= 0 && grace <= GRACE_SECONDS_MAX;
  return isGiven(gracePeriodSeconds, isGrace) && isGiven(podSelector, isText);
}

function areTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === "string");
}

function areListed(value: unknown): boolean {
  const isListed = (one: unknown) =>
    isRecord(one) && isPool(one["pool"]) && isText(one["target"]) && STATES.includes(String(one["state"]));
  return Array.isArray(value) && value.length <= REGISTRATIONS_MAX && value.every(isListed);
}

function isPool(value: unknown): boolean {
  if (!isRecord(value) || !KINDS.includes(String(value["kind"])) || !isGiven(value["place"], isText)) return false;
  return isText(value["id"]) && isText(value["name"]);
}

function isEnded(value: unknown): value is Fields {
  return isRecord(value) && isRegistrationNumber(value["of"]) && isText(value["state"]);
}

/** No hold is that long. */
function isHeld({ heldMs, holdMs }: Fields): boolean {
  return isLength(heldMs) && isGiven(holdMs, (ms) => isLength(ms) && ms <= DAY_MS);
}
