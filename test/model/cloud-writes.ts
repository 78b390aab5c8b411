import type { CallFor, Pool, Registration } from "../../src/drain/cloud-provider.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { Change } from "./call-log.ts";
import type { ModelCloudOptions } from "./model-cloud.ts";
import { nodeOf } from "./registrations.ts";
import type { WorldPool, WorldTarget } from "./world.ts";

type Take = (max: number) => readonly Registration[];

/** What one process changes in the world. */
export class CloudWrites {
  readonly #options: ModelCloudOptions;

  constructor(options: ModelCloudOptions) {
    this.#options = options;
  }

  async deregister({ id }: Pool, take: Take, by: CallFor): Promise<void> {
    const { world, told, faults, clock, wire, calls } = this.#options;
    const pool = world.poolOf(id);
    await wire.permit(by.signal);
    const changes = this.#made("deregister", pool, take);
    if (changes.length === 0) return;
    const ignored = faults.isIgnored(pool, clock.now());
    const refused = changes.filter(({ target }) => this.#isRefused(target)).map(({ target }) => target);
    const at = await wire.send({ method: "deregister", pool, by }, (now) => {
      const meant = changes.filter(({ target }) => !ignored && !refused.includes(target));
      for (const change of meant) calls.deregistered(change, now);
      for (const { target, drain } of meant) world.deregister(target, now, drain);
      return now;
    });
    for (const { target } of changes) told.accepted(target, { at, answeredAt: clock.now() });
    if (refused.length > 0) by.refuses?.(refused.map(({ name }) => name));
  }

  async register({ id }: Pool, take: Take, by: CallFor): Promise<void> {
    const { world, faults, clock, wire } = this.#options;
    const pool = world.poolOf(id);
    await wire.permit(by.signal);
    const targets = this.#made("register", pool, take).map(({ target }) => target);
    if (targets.length === 0) return;
    const ignored = faults.isIgnored(pool, clock.now());
    const refused = await wire.send({ method: "register", pool, by }, (now) => {
      if (pool.vanishedAt !== undefined) throw new DrainError("not-registered", `${id} has vanished`);
      const isRefused = (target: WorldTarget) => this.#isRefused(target) || isLeavingAlb(target, now);
      if (!ignored) for (const target of targets) if (!isRefused(target)) world.registerAgain(target, now);
      return targets.filter(isRefused);
    });
    for (const { name } of refused)
      by.refuses?.([name], new DrainError("not-registered", `${name} is refused, or drains`));
  }

  #isRefused(target: WorldTarget): boolean {
    const { world, faults, clock } = this.#options;
    return faults.isRefused(world.ownerOf(target, clock.now()), clock.now());
  }

  #made(method: "deregister" | "register", pool: WorldPool, take: Take): readonly Change[] {
    const { spec, drains, clock, calls, life } = this.#options;
    const changes = take(spec.targetsPerCallMax).map((registration): Change => {
      const target = pool.targets.get(registration.target) as WorldTarget;
      const node = nodeOf(registration);
      const drain = drains.runningOf(node);
      return { target, node, drain: drain?.id, isFirst: drain?.asked.has(target) === false };
    });
    if (changes.length > 0) calls.changes({ method, pool, changes, at: clock.now(), life });
    return changes;
  }
}

/** While it drains an ALB does not take an address again. */
function isLeavingAlb({ pool, stretches }: WorldTarget, now: number): boolean {
  const to = stretches.at(-1)?.to;
  return pool.kind === "alb" && pool.byAddress && to !== undefined && now < to + pool.delayMs;
}
