import type { Client, Scene } from "../client.ts";
import { elements, type Query } from "../query.ts";
import { CLUSTER_TAG } from "../region.ts";
import { call, report } from "./caller.ts";
import { classicPages, groupsWith, leave, pagesOf } from "./steps.ts";

const TAGGED_PER_CALL_MAX = 20;

/**
 * As the service of 2020 went about it, each request on its own: the load balancers, their tags, the default actions
 * of each one's listeners, the health of each of their groups; then one call a registration, and a poll every five
 * seconds. Its faults are mended where it would not have come to an end: it reads every page, asks for 20 tags at a
 * time, and has no timeout.
 */
export class Original implements Client {
  readonly #scene: Scene;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  async drain(nodes: readonly string[]): Promise<void> {
    await Promise.all(nodes.map((id) => report(id, this.#scene, () => this.#drainOne(id))));
  }

  async #drainOne(id: string): Promise<void> {
    const scene = this.#scene;
    const list = { api: "elbv2", action: "DescribeLoadBalancers", params: {} } as const;
    const all = (await pagesOf(list, scene)).flatMap((page) => elements(page, "LoadBalancerArn"));
    const groups = new Set<string>();
    for (const LoadBalancerArn of await this.#tagged("elbv2", "ResourceArns", "ResourceArn", all)) {
      const listeners = { api: "elbv2", action: "DescribeListeners", params: { LoadBalancerArn } } as const;
      for (const group of elements(await call(listeners, "find", scene), "TargetGroupArn")) groups.add(group);
    }
    const pages = await classicPages(scene);
    // Each load balancer's own part of the page begins with its name.
    const listing = pages.flatMap(({ body }) => body.split("<LoadBalancerName>").slice(1));
    const withNode = listing.filter((part) => part.includes(`<InstanceId>${id}</InstanceId>`));
    const nameOf = (part: string) => part.slice(0, part.indexOf("<"));
    const tagged = await this.#tagged("classic", "LoadBalancerNames", "LoadBalancerName", listing.map(nameOf));
    const classics = withNode.map(nameOf).filter((name) => tagged.includes(name));
    await leave(id, { groups: await groupsWith(id, [...groups], scene), classics }, scene);
  }

  /** Those of `ids` that carry the cluster's tag. Every one of the answer's descriptions begins with its id. */
  async #tagged(
    api: Query["api"],
    parameter: string,
    element: string,
    ids: readonly string[],
  ): Promise<readonly string[]> {
    const tagged: string[] = [];
    for (let from = 0; from < ids.length; from += TAGGED_PER_CALL_MAX) {
      const batch = ids.slice(from, from + TAGGED_PER_CALL_MAX);
      const params = Object.fromEntries(batch.map((id, index) => [`${parameter}.member.${index + 1}`, id]));
      const { body } = await call({ api, action: "DescribeTags", params }, "find", this.#scene);
      const parts = body.split(`<${element}>`).slice(1);
      for (const part of parts) if (part.includes(CLUSTER_TAG)) tagged.push(part.slice(0, part.indexOf("<")));
    }
    return tagged;
  }
}
