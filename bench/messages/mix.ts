import { nodeId } from "../region.ts";
import { Random } from "../soak/random.ts";
import type { WaitingAction } from "./bodies.ts";
import * as bodies from "./bodies.ts";

/** The mix repeats every so many messages. */
const BLOCK_MESSAGES = 100;
/** How many of a block's nodes leave in which way, each announced by a message of its own. */
const BLOCK_NODES = { spot: 30, scaledIn: 20, retired: 10, shuttingDown: 5, stopping: 5 } as const;
/** Messages of a block that announce what another one announces, or nothing. */
const BLOCK_MORE = {
  shuttingDownToo: 5,
  duplicates: 3,
  rebalance: 10,
  running: 5,
  launches: 3,
  tests: 2,
  malformed: 2,
};
const SEED = 1;

type Departing = keyof typeof BLOCK_NODES;

export interface MixedNode {
  readonly id: string;
  readonly departs: Departing;
  /** Registered with load balancers. Of the others none knows. */
  readonly isRegistered: boolean;
}

export interface Mix {
  readonly nodes: readonly MixedNode[];
  /** How many messages ask for a drain, and how many nobody can understand. All others ask for nothing. */
  readonly asking: number;
  readonly malformed: number;
}

/** Every tenth of the nodes that still run. */
const REGISTERED_EVERY = 10;
const STOPPED: ReadonlySet<Departing> = new Set(["shuttingDown", "stopping"]);

/** What so many messages are about. Throws where they are no whole number of blocks. */
export function mixOf(messages: number): Mix {
  const blocks = messages / BLOCK_MESSAGES;
  if (!Number.isSafeInteger(blocks) || blocks < 1) throw new RangeError(`${messages} messages are no whole hundreds`);
  const departing = Object.entries(BLOCK_NODES).flatMap(([departs, count]) =>
    Array.from({ length: count }, () => departs as Departing),
  );
  const nodes = Array.from({ length: blocks * departing.length }, (_, index): MixedNode => {
    const place = index % departing.length;
    const departs = departing[place] ?? "spot";
    return { id: nodeId(index), departs, isRegistered: !STOPPED.has(departs) && place % REGISTERED_EVERY === 0 };
  });
  const more = BLOCK_MORE.shuttingDownToo + BLOCK_MORE.duplicates;
  return { nodes, asking: nodes.length + blocks * more, malformed: blocks * BLOCK_MORE.malformed };
}

/** The messages themselves, in an order that is the same in every run; what belongs together is near. */
export function messagesOf({ nodes }: Mix, waiting: readonly WaitingAction[], now: number): readonly string[] {
  const actions = new Map(waiting.map((action) => [action.instanceId, action]));
  const random = new Random(SEED);
  const size = Object.values(BLOCK_NODES).reduce((sum, count) => sum + count, 0);
  const messages: string[] = [];
  for (let first = 0; first < nodes.length; first += size) {
    const own = nodes.slice(first, first + size);
    const block = [...own.map((node) => announcing(node, actions, now)), ...moreOf(own, now)];
    messages.push(...shuffled(block, random));
  }
  return messages;
}

function announcing({ id, departs }: MixedNode, actions: ReadonlyMap<string, WaitingAction>, now: number): string {
  switch (departs) {
    case "spot":
      return bodies.spotInterruption(id, now);
    case "scaledIn": {
      const action = actions.get(id);
      if (action === undefined) throw new Error(`no lifecycle action waits for ${id}`);
      return bodies.lifecycleAction("terminate", action, now);
    }
    case "retired":
      return bodies.retirement(id, now);
    case "shuttingDown":
      return bodies.stateChange(id, "shutting-down", now);
    case "stopping":
      return bodies.stateChange(id, "stopping", now);
    default:
      return departs satisfies never;
  }
}

function moreOf(nodes: readonly MixedNode[], now: number): readonly string[] {
  const spot = nodes.filter(({ departs }) => departs === "spot").map(({ id }) => id);
  const of = (count: number, body: (id: string, index: number) => string) => spot.slice(0, count).map(body);
  return [
    ...of(BLOCK_MORE.shuttingDownToo, (id) => bodies.stateChange(id, "shutting-down", now)),
    ...of(BLOCK_MORE.duplicates, (id) => bodies.spotInterruption(id, now)),
    ...of(BLOCK_MORE.rebalance, (id) => bodies.rebalance(id, now)),
    ...of(BLOCK_MORE.running, (id) => bodies.stateChange(id, "running", now)),
    ...of(BLOCK_MORE.launches, (instanceId) =>
      bodies.lifecycleAction("launch", { instanceId, group: "asg-0", hook: "launch", token: "0".repeat(36) }, now),
    ),
    ...of(BLOCK_MORE.tests, () => bodies.testNotification(now)),
    ...of(BLOCK_MORE.malformed, (id, index) => (index % 2 === 0 ? "departs soon" : bodies.withoutInstance(id, now))),
  ];
}

function shuffled(messages: readonly string[], random: Random): readonly string[] {
  return messages
    .map((message) => ({ message, place: random.next() }))
    .sort((a, b) => a.place - b.place)
    .map(({ message }) => message);
}

/** The mix in words. */
export function mixText(): string {
  const { spot, scaledIn, retired, shuttingDown, stopping } = BLOCK_NODES;
  const { shuttingDownToo, duplicates, rebalance, running, launches, tests, malformed } = BLOCK_MORE;
  const more = shuttingDownToo + shuttingDown + stopping;
  return [
    `| of ${BLOCK_MESSAGES} | message | what it comes to |`,
    "|--:|---|---|",
    `| ${spot} | spot interruption warning | a drain with a deadline |`,
    `| ${scaledIn} | Auto Scaling's terminate action, through EventBridge | a drain, and CONTINUE for the hook |`,
    `| ${retired} | AWS Health: retirement in half an hour | a drain |`,
    `| ${more} | EC2 state change: ${shuttingDown} shutting-down and ${stopping} stopping of nodes of their own, ${shuttingDownToo} of spot nodes | a drain, or one more request for the spot node's |`,
    `| ${duplicates} | a spot warning a second time | one more request for the node's drain |`,
    `| ${rebalance} | rebalance recommendation for a spot node | nothing |`,
    `| ${running + launches + tests} | state change to running (${running}), launch action (${launches}), test notification (${tests}) | nothing |`,
    `| ${malformed} | no JSON, or a warning that names no instance | left in the queue |`,
  ].join("\n");
}
