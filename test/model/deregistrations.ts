import assert from "node:assert/strict";
import type { Watcher } from "./model-case.ts";

/**
 * Whose an address is may have been asked so long before a deregistration. Nobody can ask and deregister in one call,
 * and the permit for the second one may be long in coming.
 */
const OWNER_KNOWN_FOR_MS = 60_000;

/** Only what is the node's, and only where the discovery allows it, is deregistered. */
export const DEREGISTRATIONS: Watcher = {
  onDeregister({ world, events }, { target }, at) {
    const { pool, name } = target;
    assert(!pool.isElsewhere, `${name} of ${pool.id} is deregistered, which the discovery leaves alone`);
    // Whoever is asked for at that moment, or was until a call that is on its way was made.
    const meant = new Set(events.filter(({ event }) => event.type === "accepted").map(({ event }) => event.node.id));
    const owners = [at, at - OWNER_KNOWN_FOR_MS].map((moment) => world.ownerOf(target, moment));
    const isMeant = owners.some((owner) => owner !== undefined && meant.has(owner.id));
    assert(isMeant, `${name} of ${pool.id} is deregistered, and nobody has asked for ${owners[0]?.id} to go`);
  },
};
