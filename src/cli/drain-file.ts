import * as z from "zod";
import { ConfigError } from "../config/config.ts";
import type { Registration } from "../drain/cloud-provider.ts";
import type { UndoneNode } from "../drain/undo.ts";
import type { Undoable } from "../drain/undoable.ts";
import { shapeAdvice } from "../simulator/scenario/shape-advice.ts";

/** What `drain --json` prints for a node in hundreds of pools is far smaller. */
export const DRAIN_BYTES_MAX = 16 * 2 ** 20;
const PROBLEMS_MAX = 5;

const text = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^\P{C}*$/u, "give no control characters");

const LISTED = z.strictObject({
  Id: text(256),
  Port: z.int().min(1).max(65_535).optional(),
  AvailabilityZone: text(64).optional(),
  QuicServerId: text(64).optional(),
});

const REGISTRATION = z.object({
  kind: z.enum(["alb", "nlb", "gwlb", "classic", "unknown", "unattached"]),
  loadBalancer: text(256).optional(),
  pool: text(256),
  poolId: text(2_048),
  target: text(512),
  listed: LISTED.optional(),
  alsoListed: z.array(LISTED).max(100).optional(),
  state: z.enum(["released", "holding", "registered", "failed"]),
  deregistered: z.boolean(),
});

const DRAIN = z.object({
  drainId: text(64),
  node: z.object({
    id: z.string().regex(/^i-(?:[0-9a-f]{8}|[0-9a-f]{17})$/, "give an instance id"),
    name: text(256),
    network: text(64),
    cluster: text(256).optional(),
  }),
  registrations: z.array(REGISTRATION).max(100_000),
});

/** A drain that is known only from its own report. */
export interface ReportedDrain {
  readonly drainId: string;
  readonly node: UndoneNode;
  readonly undoables: readonly Undoable[];
}

/** Reads what `drain --json` has printed. `name` says in messages where it came from. Throws `ConfigError`. */
export function readDrainReport(name: string, given: string): ReportedDrain {
  const refused = (problem: string) =>
    new ConfigError([`${name} can't be used: it is not the output of 'drain --json': ${problem}`]);
  let value: unknown;
  try {
    value = JSON.parse(given);
  } catch {
    throw refused("it is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw refused("it is not an object");
  // A problem of the service has the outcome inside.
  const outcome = "outcome" in value ? value.outcome : value;
  const read = DRAIN.safeParse(outcome, { error: shapeAdvice });
  if (!read.success) {
    const problems = read.error.issues.map(({ path, message }) => `${placeOf(path) || "it"}: ${message}`);
    const hidden = problems.length - PROBLEMS_MAX;
    const shown = problems.slice(0, PROBLEMS_MAX).join("; ");
    throw refused(hidden > 0 ? `${shown}; and ${hidden} more` : shown);
  }
  const { drainId, node, registrations } = read.data;
  const { cluster, ...machine } = node;
  return {
    drainId,
    node: { ...machine, ...(cluster === undefined ? {} : { cluster }) },
    undoables: registrations.map(undoableOf),
  };
}

function undoableOf(fate: z.infer<typeof REGISTRATION>): Undoable {
  const { kind, loadBalancer, pool, poolId, target, listed, alsoListed, state, deregistered } = fate;
  const registration: Registration = {
    pool: { kind, id: poolId, name: pool, ...(loadBalancer === undefined ? {} : { loadBalancer }) },
    target,
    state: deregistered ? "live" : "draining",
    detail: "",
    isHealthy: false,
    ...(listed === undefined ? {} : { listed }),
    ...(alsoListed === undefined ? {} : { alsoListed }),
  };
  const isOthers = !deregistered && (state === "released" || state === "holding");
  return { registration, deregisteredBy: deregistered ? "drain" : isOthers ? "others" : "perhaps" };
}

function placeOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>((place, key) => {
    if (typeof key === "number") return `${place}[${key}]`;
    return place === "" ? String(key) : `${place}.${String(key)}`;
  }, "");
}
