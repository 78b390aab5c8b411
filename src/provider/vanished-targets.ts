import { isIP } from "node:net";
import { idOf, keyOf, type Registration, type Vanished } from "../drain/cloud-provider.ts";
import { lastLiveAt } from "./target-group.ts";

/** Longer than a load balancer of any kind sends traffic to a target that it does not list any more. */
const KEPT_MS = 900_000;

/**
 * The targets that one read of a group has listed and the next one has not. Their load balancers may send them traffic for
 * some time. Only instances: addresses change hands with every pod.
 */
export class VanishedTargets {
  /** By instance id, the registrations by their keys. The instance of which one vanished last is last, here and there. */
  readonly #byId = new Map<string, Map<string, Vanished>>();

  /**
   * `gone`: those that other programs have deregistered, as the read at `readAt` has listed them. `listed`: those that the read
   * at `at` lists.
   */
  learn(
    gone: Iterable<Registration>,
    listed: readonly Registration[],
    { readAt, at }: { readonly readAt: number; readonly at: number },
  ): void {
    if (this.#byId.size > 0)
      for (const registration of listed) this.#byId.get(idOf(registration.target))?.delete(keyOf(registration));
    for (const registration of gone) {
      const id = idOf(registration.target);
      if (isIP(id) !== 0) continue;
      const liveAt = lastLiveAt(registration, readAt);
      const left: Registration = {
        ...registration,
        ...{ state: "draining", detail: "not listed any more", isHealthy: false },
        ...(liveAt !== undefined && { liveAt }),
      };
      const known = this.#byId.get(id) ?? new Map<string, Vanished>();
      moveToEnd(known, keyOf(left), { registration: left, at });
      moveToEnd(this.#byId, id, known);
    }
    this.#forgetBefore(at - KEPT_MS);
  }

  of(id: string): readonly Vanished[] {
    return [...(this.#byId.get(id)?.values() ?? [])];
  }

  /** This runs at each read of a group, so it ends at the first one that is kept. */
  #forgetBefore(time: number): void {
    for (const [id, known] of this.#byId) {
      const last = [...known.values()].at(-1);
      if (last !== undefined && last.at >= time) return;
      this.#byId.delete(id);
    }
  }
}

function moveToEnd<K, V>(map: Map<K, V>, key: K, value: V): void {
  map.delete(key);
  map.set(key, value);
}
