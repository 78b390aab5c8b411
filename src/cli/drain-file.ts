import * as z from "zod";
import { ConfigError } from "../config/config.ts";
import type { Registration } from "../drain/cloud-provider.ts";
import { LOAD_BALANCER_KINDS } from "../drain/load-balancer-kinds.ts";
import type { OutcomeReport } from "../drain/report.ts";
import type { UndoneNode } from "../drain/undo.ts";
import type { Undoable } from "../drain/undoable.ts";
import { shapeAdvice } from "../simulator/scenario/shape-advice.ts";

/** The output of `drain --json` for a node in hundreds of pools is far smaller. */
export const DRAIN_BYTES_MAX = 16 * 2 ** 20;
const PROBLEMS_MAX = 5;
/** More than a cluster has nodes. */
const DRAINS_MAX = 10_000;

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
  kind: z.enum(LOAD_BALANCER_KINDS),
  loadBalancer: text(256).optional(),
  pool: text(256),
  place: text(64).optional(),
  poolId: text(2_048),
  target: text(512),
  listed: LISTED.optional(),
  alsoListed: z.array(LISTED).max(100).optional(),
  state: z.enum(["released", "holding", "registered", "failed", "kept"]),
  deregistered: z.boolean(),
});

const DRAIN = z.object({
  drainId: text(64),
  node: z.object({
    id: z.string().regex(/^i-(?:[0-9a-f]{8}|[0-9a-f]{17})$/, "give an instance id"),
    name: text(256),
    network: text(64),
    cluster: text(256).optional(),
    place: text(64).optional(),
  }),
  registrations: z.array(REGISTRATION).max(100_000),
});

/** A drain that is known from its report only. */
export interface ReportedDrain {
  readonly drainId: string;
  readonly node: UndoneNode;
  readonly undoables: readonly Undoable[];
}

/**
 * The drains in the output of `drain --json`: one, or those of several nodes in `drains`. The problem of a service
 * contains the outcome. A drain that deregistered nothing and has no id is skipped: the node was not found, or the
 * drain was refused. `name`: the source of the text, for messages. Throws `ConfigError`.
 */
export function readDrainReports(name: string, given: string): readonly ReportedDrain[] {
  const refused = (problem: string) =>
    new ConfigError([`${name} can't be used: it is not the output of 'drain --json': ${problem}`]);
  let value: unknown;
  try {
    value = JSON.parse(given);
  } catch {
    throw refused("it is not JSON");
  }
  if (!isObject(value)) throw refused("it is not an object");
  const { drains } = value;
  if (drains === undefined) return [reportedDrain(value, "", refused)];
  if (!Array.isArray(drains) || drains.length > DRAINS_MAX)
    throw refused(`drains: give a list of at most ${DRAINS_MAX} drains`);
  return drains.flatMap((drain: unknown, index) => {
    const place = `drains[${index}]`;
    if (!isObject(drain)) throw refused(`${place}: it is not an object`);
    return hasDrained(drain) ? [reportedDrain(drain, place, refused)] : [];
  });
}

function hasDrained(given: Readonly<Record<string, unknown>>): boolean {
  const { drainId, status } = outcomeIn(given);
  return drainId !== undefined && !WITHOUT_CHANGES.has(status);
}

const WITHOUT_CHANGES: ReadonlySet<unknown> = new Set<OutcomeReport["status"]>(["refused", "planned", "instance-gone"]);

function outcomeIn(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { outcome } = value;
  return isObject(outcome) ? outcome : value;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function reportedDrain(
  value: Readonly<Record<string, unknown>>,
  place: string,
  refused: (problem: string) => ConfigError,
): ReportedDrain {
  const read = DRAIN.safeParse(outcomeIn(value), { error: shapeAdvice });
  if (!read.success) {
    const problems = read.error.issues.map(({ path, message }) => `${placeOf([place, ...path]) || "it"}: ${message}`);
    const hidden = problems.length - PROBLEMS_MAX;
    const shown = problems.slice(0, PROBLEMS_MAX).join("; ");
    throw refused(hidden > 0 ? `${shown}; and ${hidden} more` : shown);
  }
  const { drainId, node, registrations } = read.data;
  const { cluster, place: there, ...machine } = node;
  return {
    drainId,
    node: {
      ...machine,
      ...(cluster === undefined ? {} : { cluster }),
      ...(there === undefined ? {} : { place: there }),
    },
    undoables: registrations.map(undoableOf),
  };
}

function undoableOf(result: z.infer<typeof REGISTRATION>): Undoable {
  const { kind, loadBalancer, pool, place, poolId, target, listed, alsoListed, state, deregistered } = result;
  const registration: Registration = {
    pool: {
      kind,
      id: poolId,
      name: pool,
      ...(loadBalancer === undefined ? {} : { loadBalancer }),
      ...(place === undefined ? {} : { place }),
    },
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
