import { newAbort } from "./abort.ts";
import type { Clock } from "./clock.ts";
import type { CloudProvider, Node } from "./cloud-provider.ts";

/** One call asks about all nodes that are held. EC2 refills 20 such calls a second. */
const WATCH_INTERVAL_MS = 15_000;

const WHEN_THERE_IS_ROOM = () => ({ purpose: "look", deadline: Number.POSITIVE_INFINITY }) as const;

/** Notices that a machine is already terminated, so that no drain waits for traffic that can't reach it. */
export class NodeWatch {
  readonly #cloud: CloudProvider;
  readonly #clock: Clock;
  readonly #watched = new Map<Node, () => void>();
  #watching: AbortController | undefined;

  constructor(cloud: CloudProvider, clock: Clock) {
    this.#cloud = cloud;
    this.#clock = clock;
  }

  /** Resolves when the cloud says that the machine is terminated. Rejects when `signal` aborts. */
  untilTerminated(node: Node, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      // Two drains never share a node, but they may share an equal object.
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
      this.#watched.set(watched, () => {
        leave();
        resolve();
      });
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
        const terminated = await this.#cloud.findTerminated([...this.#watched.keys()], {
          urgency: WHEN_THERE_IS_ROOM,
          signal,
        });
        for (const [node, resolve] of [...this.#watched]) if (terminated.has(node.id)) resolve();
      } catch {
        // Not knowing costs nothing but time: the holds end by themselves.
      }
    }
  }
}
