import type { TargetDescription, TargetGroup } from "../world/target-group.ts";

/** Counted from the list of a group's targets, however often the targets were read since. */
const LIFETIME_MS = 5 * 60 * 1_000;

interface CachedTarget {
  readonly id: string;
  readonly port: number;
  /** Undefined: it has to be read before it is used. */
  state: string | undefined;
}

/**
 * The targets that aws-load-balancer-controller remembers. A target that it has once seen healthy is not read again
 * during the lifetime of the list, so that a deregistration by another caller stays hidden.
 * https://github.com/kubernetes-sigs/aws-load-balancer-controller/blob/main/pkg/targetgroupbinding/targets_manager.go
 */
export class TargetCache {
  readonly #lists = new Map<TargetGroup, { readonly listedAt: number; targets: readonly CachedTarget[] }>();

  /** The targets of a group. During the lifetime of the list, only the targets that were not healthy are read again. */
  list(group: TargetGroup, now: number): readonly CachedTarget[] {
    const known = this.#lists.get(group);
    const isAlive = known !== undefined && now < known.listedAt + LIFETIME_MS;
    const targets = isAlive ? known.targets.flatMap((target) => refreshed(target, group, now)) : listed(group, now);
    this.#lists.set(group, { listedAt: isAlive ? known.listedAt : now, targets });
    return targets;
  }

  /** Called for targets that were registered or deregistered. Their state is read the next time. */
  changed(group: TargetGroup, descriptions: readonly TargetDescription[]): void {
    const known = this.#lists.get(group);
    if (known === undefined) return;
    const changed = descriptions.map(({ id, port = group.port }) => ({ id, port, state: undefined }));
    const isChanged = (target: CachedTarget) =>
      changed.some(({ id, port }) => id === target.id && port === target.port);
    known.targets = [...known.targets.filter((target) => !isChanged(target)), ...changed];
  }

  /** For a new process, which remembers no target. */
  clear(): void {
    this.#lists.clear();
  }
}

function listed(group: TargetGroup, now: number): readonly CachedTarget[] {
  return group.listed(now).map((target) => ({
    id: target.id,
    port: target.port,
    state: group.apiHealth(target, now).state,
  }));
}

/** Empty if the target has left the group. */
function refreshed(target: CachedTarget, group: TargetGroup, now: number): readonly CachedTarget[] {
  if (target.state === "healthy") return [target];
  const found = group.named(target, now);
  return found === undefined ? [] : [{ ...target, state: group.apiHealth(found, now).state }];
}
