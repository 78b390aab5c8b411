import { AWS_QUOTAS } from "../src/simulator/quotas/quotas.ts";
import { type Client, QUOTA_SHARE, type Scene } from "./client.ts";
import { Pacer, shareOf } from "./pacer.ts";
import type { Purpose } from "./purpose.ts";
import {
  deregisterInstances,
  deregisterTargets,
  describeTargetHealth,
  listClassics,
  type Query,
  queryBody,
} from "./query.ts";
import { type BenchRegion, nodeId, TARGETS_PER_CALL_MAX } from "./region.ts";
import { LEFT_BY_RIVAL } from "./rival.ts";

const CLASSICS_PER_PAGE = 400;

/**
 * Knows everything, and sends only the calls that nobody can avoid: cold, one read of each group and of each page of
 * classic load balancers, in AWS's order; then one deregister call for each pool and hundred nodes, as soon as the
 * pool's read is back. No call is ever refused, for it keeps to its share; it knows which node AWS refuses, and when a
 * hold is over.
 */
export class Ideal implements Client {
  readonly #scene: Scene;
  readonly #region: BenchRegion;
  readonly #pacer: Pacer;

  constructor(scene: Scene, region: BenchRegion) {
    this.#scene = scene;
    this.#region = region;
    const left = scene.scenario.hasRival ? LEFT_BY_RIVAL : {};
    this.#pacer = new Pacer(scene.clock, shareOf(AWS_QUOTAS, QUOTA_SHARE, left), scene.signal);
  }

  async drain(nodes: readonly string[]): Promise<void> {
    const { scenario, departures } = this.#scene;
    const { refusedNode } = scenario.region;
    const refused = refusedNode === undefined ? undefined : nodeId(refusedNode);
    const leaving = nodes.filter((id) => id !== refused);
    await Promise.all([this.#leaveGroups(leaving), this.#leaveClassics(leaving)]);
    for (const id of nodes) if (id === refused) departures.failed("refused");
    await Promise.all(leaving.map((id) => this.#hold(id)));
  }

  async #leaveGroups(nodes: readonly string[]): Promise<void> {
    const members = new Set(this.#region.memberGroups);
    await Promise.all(
      this.#region.groupArns.map(async (group) => {
        if (!this.#scene.isWarm) await this.#send(describeTargetHealth(group), "find");
        if (!members.has(group)) return;
        const batches = inBatches(nodes).map((ids) => this.#send(deregisterTargets(group, ids), "deregister"));
        await Promise.all(batches);
      }),
    );
  }

  async #leaveClassics(nodes: readonly string[]): Promise<void> {
    if (!this.#scene.isWarm) {
      const pages = Math.ceil(this.#scene.scenario.region.classics / CLASSICS_PER_PAGE);
      for (let page = 0; page < pages; page++) await this.#send(listClassics(""), "find");
    }
    const calls = this.#region.memberClassics.flatMap((classic) =>
      inBatches(nodes).map((ids) => this.#send(deregisterInstances(classic, ids), "deregister")),
    );
    await Promise.all(calls);
  }

  async #hold(id: string): Promise<void> {
    const { clock, departures, signal } = this.#scene;
    await clock.sleep(departures.holdEndsAt(id) - clock.now(), signal);
    departures.drained(id, clock.now());
  }

  async #send(query: Query, purpose: Purpose): Promise<void> {
    await this.#pacer.take(query.api, query.action, purpose === "deregister" ? "urgent" : "other");
    await this.#scene.wire.call(queryBody(query), this.#scene.signal, purpose);
  }
}

function inBatches(ids: readonly string[]): readonly (readonly string[])[] {
  const batches: string[][] = [];
  for (let from = 0; from < ids.length; from += TARGETS_PER_CALL_MAX) {
    batches.push(ids.slice(from, from + TARGETS_PER_CALL_MAX));
  }
  return batches;
}
