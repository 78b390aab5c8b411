import { randomUUID } from "node:crypto";
import type { Clock } from "../drain/clock.ts";
import { type DrainError, type DrainErrorCode, printable } from "../drain/errors.ts";
import type { DrainEvent } from "../drain/events.ts";
import type { DrainOutcome, RunningDrain } from "../drain/outcome.ts";
import { type NodeReference, REASON_CHARACTERS_MAX } from "../drain/request.ts";
import {
  type Level,
  type Notification,
  type NotificationEvent,
  notifiedTargets,
  type Resolved,
} from "./notification.ts";
import { outcomeText } from "./outcome-text.ts";

/** How often drains are checked, in milliseconds. */
const LOOK_EVERY_MS = 10_000;
/** A drain that stays stuck is reported again at this interval, in milliseconds. */
const STUCK_AGAIN_MS = 3_600_000;
/**
 * The same end for the same node is reported once in this time, in milliseconds, because a caller may ask again every
 * few seconds.
 */
const SAME_END_MS = 600_000;
/** Further nodes are not remembered: their troubles are reported, but not that they are over. */
const NODES_MAX = 10_000;

export interface DrainNoticesOptions {
  readonly clock: Clock;
  /** A drain is stuck when it has made no progress for this long, in milliseconds. */
  readonly stuckAfterMs: number;
  readonly notify: (notification: Notification) => void;
}

type RunningDrains = (drainId: string) => Pick<RunningDrain, "registrations"> | undefined;

/** A drain that runs. Times are milliseconds since the epoch. */
interface Running {
  readonly about: Pick<Notification, "drain" | "node" | "cluster" | "reason">;
  readonly startedAt: number;
  /** When the last step was made, or is expected. A hold that lasts is not a standstill. */
  movesAt: number;
  /** Absent: it has not been stuck since. */
  toldAt?: number;
  /** The last failure that is being retried. */
  trouble?: DrainError;
}

interface Told {
  readonly text: string;
  readonly level: Level;
  /** In milliseconds since the epoch. */
  readonly at: number;
}

/** Answers to a caller that asked for something that does not exist. They need no operator. */
const CALLERS_MISTAKES: ReadonlySet<DrainErrorCode> = new Set(["node-not-found", "ambiguous-node", "other-cluster"]);

/** Makes notifications from the events of drains. */
export class DrainNotices {
  readonly #options: DrainNoticesOptions;
  readonly #running = new Map<string, Running>();
  /** What was reported for each node since its last good end, and when. */
  readonly #troubles = new Map<string, Map<NotificationEvent, Told>>();

  constructor(options: DrainNoticesOptions) {
    this.#options = options;
  }

  readonly observe = (event: DrainEvent): void => {
    const now = this.#options.clock.now();
    if (event.type === "accepted" || event.type === "resumed") this.#begin(event, now);
    else if (event.type === "ended") this.#end(event, now);
    else if (event.type === "undone") this.#undone(event, now);
    else this.#step(event, now);
  };

  /** The end of a request whose node was not found. */
  withoutDrain(outcome: DrainOutcome, asked: NodeReference): void {
    if ("drainId" in outcome && outcome.drainId !== undefined) return;
    // The caller asked for something that does not exist, and gets that answer.
    if (outcome.status === "failed" && CALLERS_MISTAKES.has(outcome.error.code)) return;
    const said = outcomeText(outcome);
    if (said === undefined || said.event === "done") return;
    const node = { id: printable(asked.value, 255) };
    const { event, level, title, text } = said;
    this.#tell(
      { event, level, node, result: outcome.status, title: titleOf(node, title), text, ...NO_TARGETS },
      this.#options.clock.now(),
    );
  }

  /** Looks for drains that are stuck, until `signal` aborts. `running`: the state of a running drain. */
  async run(running: RunningDrains, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#options.clock.sleep(LOOK_EVERY_MS, signal).catch(() => {}); // Stopped.
      if (!signal.aborted) this.#look(running, this.#options.clock.now());
    }
  }

  #begin(event: Extract<DrainEvent, { type: "accepted" | "resumed" }>, now: number): void {
    const { drainId: drain, node } = event;
    const given = event.type === "accepted" ? event.request.reason : undefined;
    const reason = given === undefined ? "" : printable(given, REASON_CHARACTERS_MAX);
    const about = {
      drain,
      node: { id: node.id, name: node.name },
      ...(node.cluster === undefined ? {} : { cluster: node.cluster }),
      ...(reason === "" ? {} : { reason }),
    };
    this.#running.set(drain, { about, startedAt: now, movesAt: now });
    // The process that began a resumed drain has reported it.
    if (event.type === "resumed") return;
    const why = reason === "" ? "" : `Reason: ${reason}.`;
    const title = titleOf(about.node, "is being drained");
    this.#tell({ ...about, event: "started", level: "info", title, text: why, ...NO_TARGETS }, now);
  }

  #step(event: DrainEvent, now: number): void {
    const running = this.#running.get(event.drainId);
    if (running === undefined) return;
    if ("error" in event) running.trouble = event.error;
    if ("error" in event && event.type !== "failed") return;
    delete running.toldAt;
    if (event.type !== "failed") delete running.trouble;
    const until = "holdUntil" in event ? event.holdUntil : "until" in event ? event.until : undefined;
    running.movesAt = Math.max(running.movesAt, now, until ?? 0);
  }

  #look(reports: RunningDrains, now: number): void {
    const { stuckAfterMs } = this.#options;
    for (const [drain, running] of this.#running) {
      const { toldAt, movesAt, about, trouble, startedAt } = running;
      const isDue = toldAt === undefined ? now >= movesAt + stuckAfterMs : now >= toldAt + STUCK_AGAIN_MS;
      if (!isDue) continue;
      running.toldAt = now;
      const results = reports(drain)?.registrations ?? [];
      const waiting = results.filter(({ state }) => state === "registered" || state === "holding").length;
      const open = waiting === 1 ? "1 target has" : `${waiting} targets have`;
      const what = waiting > 0 ? `${open} not been released.` : "What the drain waits for is not known.";
      const why = trouble === undefined ? "" : ` The last failure: ${trouble.message}.`;
      this.#tell(
        {
          ...about,
          event: "stuck",
          level: "warning",
          title: titleOf(about.node, `has been draining for ${duration(now - startedAt)} without progress`),
          text: `${what}${why} See its steps with \`hasta-la-vista drains ${drain}\`.`,
          ...notifiedTargets(results),
        },
        now,
      );
    }
  }

  #end({ drainId, outcome, tookMs }: Extract<DrainEvent, { type: "ended" }>, now: number): void {
    const running = this.#running.get(drainId);
    this.#running.delete(drainId);
    const said = outcomeText(outcome);
    if (running === undefined || said === undefined) return;
    const { event, level, title, text } = said;
    const results = "registrations" in outcome ? outcome.registrations : [];
    const took = { result: outcome.status, tookMs: Math.round(tookMs), ...notifiedTargets(results) };
    const { about } = running;
    this.#tell(
      { ...about, event, level, title: `${titleOf(about.node, title)} (${duration(tookMs)})`, text, ...took },
      now,
    );
  }

  #undone({ drainId: drain, node, outcome }: Extract<DrainEvent, { type: "undone" }>, now: number): void {
    const failed = outcome.registrations.filter(({ state }) => state === "failed");
    if (failed.length === 0) return;
    const [first] = failed;
    const count = failed.length === 1 ? "1 target was" : `${failed.length} targets were`;
    const title = titleOf(node, "was not registered again everywhere");
    const why = first?.error === undefined ? "" : `: ${first.error.message}`;
    const text = `The drain was cancelled, and ${count} not registered again${why}. Register them yourself.`;
    const about = { drain, node: { id: node.id, name: node.name } };
    this.#tell({ ...about, event: "failed", level: "error", result: "cancelled", title, text, ...NO_TARGETS }, now);
  }

  #tell(notification: Omit<Notification, "id" | "at" | "resolves">, at: number): void {
    const { event, level, node, text } = notification;
    const known = this.#troubles.get(node.id);
    const same = known?.get(event);
    const isEnd = event === "failed" || event === "refused";
    if (isEnd && same?.text === text && at - same.at < SAME_END_MS) return;
    const all = [...(known ?? [])].map(([resolved, told]) => ({ event: resolved, level: told.level }));
    // A drain that has ended is not stuck any more, whatever its result was.
    const resolves = event === "done" ? all : isEnd ? all.filter((one) => one.event === "stuck") : [];
    if (event === "done") this.#troubles.delete(node.id);
    else if (event !== "started") this.#remember(node.id, event, { text, level, at }, resolves);
    this.#options.notify({ id: randomUUID(), ...notification, at, resolves });
  }

  #remember(id: string, event: NotificationEvent, told: Told, resolved: readonly Resolved[]): void {
    const known = this.#troubles.get(id) ?? new Map<NotificationEvent, Told>();
    for (const { event: one } of resolved) known.delete(one);
    known.set(event, told);
    // It is moved to the end, so that the one that was reported longest ago is forgotten first.
    this.#troubles.delete(id);
    this.#troubles.set(id, known);
    const [oldest] = this.#troubles.keys();
    if (this.#troubles.size > NODES_MAX && oldest !== undefined) this.#troubles.delete(oldest);
  }
}

const NO_TARGETS = { targets: [], targetsLeftOut: 0 } as const;

function titleOf({ id, name }: Notification["node"], what: string): string {
  return name === undefined || name === "" || name === id ? `Node ${id} ${what}` : `Node ${name} (${id}) ${what}`;
}

/** `3 m 31 s` */
function duration(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  const [hours, minutes] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}
