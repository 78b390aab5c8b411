import type { ApiAnswer } from "../../src/simulator/api/answer.ts";
import type { Scene } from "../client.ts";
import {
  deregisterInstances,
  deregisterTargets,
  describeTargetHealth,
  elements,
  listClassics,
  type Query,
} from "../query.ts";
import { call } from "./caller.ts";

const POLL_MS = 5_000;
const GONE = "not currently registered";

/** Where a node is registered. */
export interface Found {
  readonly groups: readonly string[];
  readonly classics: readonly string[];
}

/** Every page of a listing. */
export async function pagesOf(first: Query, scene: Scene): Promise<readonly ApiAnswer[]> {
  const pages: ApiAnswer[] = [];
  let marker = "";
  do {
    const params = marker === "" ? first.params : { ...first.params, Marker: marker };
    const page = await call({ ...first, params }, "find", scene);
    pages.push(page);
    [marker = ""] = elements(page, "NextMarker");
  } while (marker !== "");
  return pages;
}

export function classicPages(scene: Scene): Promise<readonly ApiAnswer[]> {
  return pagesOf(listClassics(""), scene);
}

/** Those groups that list the node, asked one after the other. */
export async function groupsWith(id: string, groups: readonly string[], scene: Scene): Promise<readonly string[]> {
  const found: string[] = [];
  for (const group of groups) {
    const listed = elements(await call(describeTargetHealth(group), "find", scene), "Id");
    if (listed.includes(id)) found.push(group);
  }
  return found;
}

/** One call a registration, one after the other; then every pool is asked every five seconds until it has let go. */
export async function leave(id: string, { groups, classics }: Found, scene: Scene): Promise<void> {
  for (const group of groups) await call(deregisterTargets(group, [id]), "deregister", scene);
  for (const classic of classics) await call(deregisterInstances(classic, [id]), "deregister", scene);
  let waiting: readonly { readonly query: Query; readonly isGone: (answer: ApiAnswer) => boolean }[] = [
    ...groups.map((group) => ({
      query: describeTargetHealth(group),
      isGone: (answer: ApiAnswer) => !elements(answer, "Id").includes(id),
    })),
    ...classics.map((classic) => ({
      query: instanceHealth(classic, id),
      isGone: (answer: ApiAnswer) => answer.body.includes(GONE),
    })),
  ];
  while (waiting.length > 0) {
    await scene.clock.sleep(POLL_MS, scene.signal);
    const rest: (typeof waiting)[number][] = [];
    for (const pool of waiting) if (!pool.isGone(await call(pool.query, "poll", scene))) rest.push(pool);
    waiting = rest;
  }
}

function instanceHealth(classic: string, id: string): Query {
  return {
    api: "classic",
    action: "DescribeInstanceHealth",
    params: { LoadBalancerName: classic, "Instances.member.1.InstanceId": id },
  };
}

/** Whether a classic load balancer's own word is that the node is registered. */
export async function isInClassic(classic: string, id: string, scene: Scene): Promise<boolean> {
  return !(await call(instanceHealth(classic, id), "find", scene)).body.includes(GONE);
}
