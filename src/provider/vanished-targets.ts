import { isIP } from "node:net";
import { idOf, keyOf, type Registration, type Vanished } from "../drain/cloud-provider.ts";

/** Longer than a load balancer of any kind sends traffic to a target that it does not list any more. */
const KEPT_MS = 900_000;

/**
 * The targets that one read of a group has listed and the next one has not. Their load balancers may send them traffic for
 * some time. Only instances: addresses change hands with every pod.
 */
export class VanishedTargets {
  /** By instance id, the registrations by their keys. The longest known are first. */
  readonly #byId = new Map<string, Map<string, Vanished>>();

  /** `gone`: those that other programs have deregistered since the read before. `listed`: those that are listed. */
  learn(gone: Iterable<Registration>, listed: readonly Registration[], at: number): void {
    if (this.#byId.size > 0)
      for (const registration of listed) this.#byId.get(idOf(registration.target))?.delete(keyOf(registration));
    for (const registration of gone) {
      const id = idOf(registration.target);
      if (isIP(id) !== 0) continue;
      const left = { ...registration, state: "draining", detail: "not listed any more", isHealthy: false } as const;
      const known = this.#byId.get(id) ?? new Map<string, Vanished>();
      this.#byId.set(id, known.set(keyOf(left), { registration: left, at }));
    }
    this.#forgetBefore(at - KEPT_MS);
  }

  of(id: string): readonly Vanished[] {
    return [...(this.#byId.get(id)?.values() ?? [])];
  }

  #forgetBefore(time: number): void {
    for (const [id, known] of this.#byId) {
      for (const [key, { at }] of known) if (at < time) known.delete(key);
      if (known.size === 0) this.#byId.delete(id);
    }
  }
}
