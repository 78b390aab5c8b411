import { newAbort } from "./abort.ts";
import type { Clock } from "./clock.ts";
import type { CloudProvider, Node } from "./cloud-provider.ts";

/** One call reads all held nodes. EC2 refills 20 such calls a second. */
const WATCH_INTERVAL_MS = 15_000;

const WHEN_THERE_IS_ROOM = () => ({ purpose: "poll", deadline: Number.POSITIVE_INFINITY }) as const;

/**
 * - `terminated`: nothing can send it traffic any more.
 * - `runs`: although it was said to stop.
 */
export type WatchEnd = "terminated" | "runs";

interface Watched {
  readonly drainId: string;
  readonly holdsWhileStopped: () => boolean;
  readonly resolve: (end: WatchEnd) => void;
}

/** A drain, by its id. */
interface WatchedDrain {
  readonly id: string;
  readonly node: Node;
}

/**
 * Notices that a machine is already terminated, so that no caller waits for traffic that can't reach it. Also notices
 * that a machine runs again that is drained only because it had stopped.
 */
export class NodeWatch {
  readonly #cloud: CloudProvider;
  readonly #clock: Clock;
  readonly #watched = new Map<Node, Watched>();
  #watching: AbortController | undefined;

  constructor(cloud: CloudProvider, clock: Clock) {
    this.#cloud = cloud;
    this.#clock = clock;
  }

  /**
   * Resolves when the cloud reports that the machine is terminated, or that it runs if that matters at the time
   * (`holdsWhileStopped`, read again each time because other requests may join). Rejects when `signal` aborts.
   */
  untilDecided(
    { id: drainId, node }: WatchedDrain,
    holdsWhileStopped: () => boolean,
    signal: AbortSignal,
  ): Promise<WatchEnd> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      // Two drains never share a node, but they may have equal objects.
      const watched = { ...node };
      const leave = () => {
        signal.removeEventListener("abort", abandon);
        this.#watched.delete(watched);
        if (this.#watched.size === 0) this.#watching?.abort();
      };
      const abandon = () => {
        leave();
        reject(signal.reason);
      };
      signal.addEventListener("abort", abandon, { once: true });
      const decided = (end: WatchEnd) => {
        leave();
        resolve(end);
      };
      this.#watched.set(watched, { drainId, holdsWhileStopped, resolve: decided });
      if (this.#watching === undefined || this.#watching.signal.aborted) {
        this.#watching = newAbort();
        void this.#watch(this.#watching.signal);
      }
    });
  }

  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#clock.sleep(WATCH_INTERVAL_MS, signal);
        await this.#look("terminated", () => true, signal);
        await this.#look("runs", ({ holdsWhileStopped }) => holdsWhileStopped(), signal);
      } catch {
        // A failed read only costs time, because the holds end by themselves.
      }
    }
  }

  async #look(end: WatchEnd, matters: (watched: Watched) => boolean, signal: AbortSignal): Promise<void> {
    const asked = [...this.#watched].filter(([, watched]) => matters(watched));
    const nodes = asked.map(([node]) => node);
    if (nodes.length === 0) return;
    const by = { urgency: WHEN_THERE_IS_ROOM, signal, drains: () => asked.map(([, { drainId }]) => drainId) };
    const ids = await (end === "runs" ? this.#cloud.findRunning(nodes, by) : this.#cloud.findTerminated(nodes, by));
    for (const [node, watched] of [...this.#watched]) {
      if (nodes.includes(node) && ids.has(node.id) && matters(watched)) watched.resolve(end);
    }
  }
}
