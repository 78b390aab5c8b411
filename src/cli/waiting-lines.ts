import type { Clock } from "../drain/clock.ts";
import { seconds, times } from "./cells.ts";
import { podsText } from "./event-text.ts";
import type { Progress, ShownHold } from "./progress.ts";

/** A hold takes minutes. Without a line for this long, a drain looks as if it hung. */
const SILENCE_MS = 30_000;

/** The current state of a drain. */
interface Standing {
  /** Empty during the search. */
  readonly registrations: readonly Omit<ShownHold, "registration">[];
}

/** Undefined: the drain does not run, or this is not known. */
export type Running = (drainId: string) => Standing | undefined;

interface WaitingOptions {
  readonly clock: Clock;
  readonly running: Running;
  readonly print: (nodeId: string, text: string) => void;
}

interface Waiting {
  readonly nodeId: string;
  /** In milliseconds since the epoch. */
  toldAt: number;
  readonly pods: Set<string>;
}

/** Says for each drain what it waits for, when nothing was written for a while. */
export class WaitingLines {
  readonly #options: WaitingOptions;
  readonly #drains = new Map<string, Waiting>();

  constructor(options: WaitingOptions) {
    this.#options = options;
  }

  readonly observe = (event: Progress): void => {
    const { drainId, node } = event;
    if (event.type === "standing") return;
    const now = this.#options.clock.now();
    const drain = this.#drains.get(drainId) ?? { nodeId: node.id, toldAt: now, pods: new Set() };
    this.#drains.set(drainId, drain);
    drain.toldAt = now;
    if (event.type === "evicting") for (const pod of event.pods) drain.pods.add(pod);
    if (event.type === "evicted") for (const pod of event.pods) drain.pods.delete(pod);
    if (event.type === "ended") this.#drains.delete(drainId);
  };

  /** Runs until `end` aborts. Never rejects. */
  async run(end: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    try {
      for (;;) {
        await clock.sleep(SILENCE_MS / 2, end);
        for (const [drainId, drain] of this.#drains)
          if (clock.now() - drain.toldAt >= SILENCE_MS) this.#tell(drainId, drain);
      }
    } catch (error) {
      if (!end.aborted) throw error;
    }
  }

  #tell(drainId: string, drain: Waiting): void {
    const { clock, running, print } = this.#options;
    const text = waitingText(running(drainId), drain.pods);
    if (text === undefined) return;
    drain.toldAt = clock.now();
    print(drain.nodeId, text);
  }
}

/** Undefined: nothing is known about it. */
function waitingText(drain: Standing | undefined, pods: ReadonlySet<string>): string | undefined {
  if (pods.size > 0) return `waiting for ${podsText([...pods])}`;
  if (drain === undefined) return undefined;
  const held = drain.registrations.filter(({ state }) => state === "holding");
  if (held.length === 0) return drain.registrations.length === 0 ? "still searching the load balancers" : undefined;
  const leftMs = Math.max(...held.map(({ heldMs, holdMs = 0 }) => holdMs - heldMs));
  return `holding ${times(held.length)}, ${leftMs > 0 ? `${seconds(leftMs / 1_000)} left` : "until AWS confirms the end"}`;
}
