import type { Client, Scene } from "../client.ts";
import { elements } from "../query.ts";
import { report } from "./caller.ts";
import { classicPages, groupsWith, isInClassic, leave, pagesOf } from "./steps.ts";

/** A loop in a shell: one node to its end, then the next; within a node one call after the other. */
export class OneAtATime implements Client {
  readonly #scene: Scene;
  #last: Promise<void> = Promise.resolve();

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  drain(nodes: readonly string[]): Promise<void> {
    this.#last = this.#last.then(async () => {
      for (const id of nodes) await report(id, this.#scene, () => this.#drainOne(id));
    });
    return this.#last;
  }

  async #drainOne(id: string): Promise<void> {
    const list = { api: "elbv2", action: "DescribeTargetGroups", params: {} } as const;
    const all = (await pagesOf(list, this.#scene)).flatMap((page) => elements(page, "TargetGroupArn"));
    const groups = await groupsWith(id, all, this.#scene);
    const classics: string[] = [];
    for (const page of await classicPages(this.#scene)) {
      for (const classic of elements(page, "LoadBalancerName")) {
        if (await isInClassic(classic, id, this.#scene)) classics.push(classic);
      }
    }
    await leave(id, { groups, classics }, this.#scene);
  }
}
