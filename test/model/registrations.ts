import type { Registration, RegistrationState } from "../../src/drain/cloud-provider.ts";
import type { WorldTarget } from "./world.ts";

/** On whose behalf each was found: an address may have changed hands since. */
const NODES = new WeakMap<Registration, string>();

export function registrationOf(
  { pool, name }: WorldTarget,
  node: string,
  { state, isHealthy }: { readonly state: RegistrationState; readonly isHealthy: boolean },
): Registration {
  const { id, kind } = pool;
  const used = kind === "unattached" ? {} : { loadBalancer: `${id}-lb` };
  const registration = { pool: { kind, id, name: id, ...used }, target: name, state, detail: state, isHealthy };
  NODES.set(registration, node);
  return registration;
}

export function nodeOf(registration: Registration): string {
  const node = NODES.get(registration);
  if (node === undefined) throw new Error(`${registration.target} was never found`);
  return node;
}
