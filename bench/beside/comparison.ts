import { ScaledClock } from "../../src/simulator/clock.ts";
import { KubernetesCluster } from "../../test/conformance/support/kubernetes-cluster.ts";
import { addNodeOf } from "../../test/conformance/support/kubernetes-nodes.ts";
import { CONTROL_PLANE } from "../../test/conformance/support/kubernetes-programs.ts";
import { lostByTheProduct } from "../../test/support/loss-causes.ts";
import type { AtEnd } from "../../test/support/real-queue.ts";
import {
  OUR_HOOK,
  type Started,
  type StartInput,
  startLifecycleManager,
  startProduct,
  THEIR_HOOK,
  THEIR_QUEUE,
} from "./programs.ts";
import type { Kind } from "./region.ts";
import { Side } from "./side.ts";

/** The programs that are not ours. */
export const NEEDED = [...CONTROL_PLANE, "lifecycle-manager", "kubectl"] as const;
const PROGRAMS = ["hasta-la-vista", "lifecycle-manager"] as const;
export type ProgramName = (typeof PROGRAMS)[number];

/** What one program has made of one node's departure. Seconds count from when Auto Scaling begins it. */
export interface BesideRow {
  readonly kind: Kind;
  readonly program: ProgramName;
  readonly firstDeregisterSeconds: number;
  readonly lastDeregisterSeconds: number;
  /** Until its hook has ended, and how. */
  readonly hookSeconds: number;
  readonly hookResult: string;
  /** Calls on behalf of the drain, by API and action, without those to SQS. */
  readonly drainCalls: Readonly<Record<string, number>>;
  /** The same by what they were for, where the program says that. */
  readonly drainCallsByPurpose: Readonly<Record<string, number>>;
  /** Calls in the background until the hook has ended, for whichever node may leave next. */
  readonly indexCalls: number;
  /** Of both, those that AWS has answered with an error. */
  readonly refusedCalls: number;
  readonly requestsSent: number;
  /** Without what broke only because it took a busy machine longer than a hold has to spare. */
  readonly requestsLost: number;
}

const CHECK_EVERY_MS = 250;
const NEVER = new AbortController().signal;
/** Clients go on for so long after the last load balancer has let go of both nodes. */
const AFTERWARDS_MS = 5_000;

interface Contestant {
  readonly kind: Kind;
  readonly program: ProgramName;
  readonly side: Side;
  readonly started: Started;
}

/**
 * For each kind a node leaves each program at the same moment, in a region of its own, in real time: what
 * lifecycle-manager waits for is real time, too. Each program has an API server of its own.
 */
export async function compare(kinds: readonly Kind[], atEnd: AtEnd): Promise<readonly BesideRow[]> {
  const clock = new ScaledClock(1);
  const clusters = await Promise.all(PROGRAMS.map(() => startCluster(atEnd)));
  const contestants = await Promise.all(
    kinds.flatMap((kind, kindNumber) =>
      PROGRAMS.map(async (program, programNumber): Promise<Contestant> => {
        const number = kindNumber * PROGRAMS.length + programNumber;
        const cluster = clusters[programNumber] as KubernetesCluster;
        const side = await Side.open({ kind, clock, number, atEnd, ...NAMES[program] });
        for (const node of side.region.nodes) await addNodeOf(cluster.api, node);
        return { kind, program, side, started: await START[program]({ side, cluster, atEnd }) };
      }),
    ),
  );
  for (const { side } of contestants) side.scaleIn();
  const sides = contestants.map(({ side }) => side);
  await until(() => sides.every(({ ended }) => ended !== undefined), clock);
  const quietAt = Math.max(...sides.map((side) => side.quietAt), clock.now()) + AFTERWARDS_MS;
  await clock.sleep(quietAt - clock.now(), NEVER);
  return Promise.all(contestants.map(rowOf));
}

const NAMES = {
  "hasta-la-vista": { hookName: OUR_HOOK, queueName: "departures" },
  "lifecycle-manager": { hookName: THEIR_HOOK, queueName: THEIR_QUEUE },
};
const START: Readonly<Record<ProgramName, (input: StartInput) => Promise<Started>>> = {
  "hasta-la-vista": startProduct,
  "lifecycle-manager": startLifecycleManager,
};

async function startCluster(atEnd: AtEnd): Promise<KubernetesCluster> {
  const cluster = await KubernetesCluster.start();
  atEnd(() => cluster.stop());
  return cluster;
}

async function rowOf({ kind, program, side, started }: Contestant): Promise<BesideRow> {
  const purposes = await started.stop();
  const { sent, losses } = await side.endTraffic();
  const { ended } = side;
  if (ended === undefined) throw new Error(`the node of ${program} has not left`);
  const seconds = (at: number) => (at - ended.startedAt) / 1_000;
  const calls = side.simulator.recorded.filter(({ at }) => at >= ended.startedAt && at <= ended.endedAt);
  // All that lifecycle-manager asks AWS is for a drain. What a span of ours tells of is, too, and what is no read of a pool.
  const isIndexed = ({ requestId, action }: (typeof calls)[number]) =>
    program === "hasta-la-vista" && !purposes.has(requestId) && READS.test(action);
  const ofDrain = calls.filter((call) => !isIndexed(call));
  return {
    ...{ kind, program },
    firstDeregisterSeconds: seconds(Math.min(...side.deregisteredAt)),
    lastDeregisterSeconds: seconds(Math.max(...side.deregisteredAt)),
    hookSeconds: seconds(ended.endedAt),
    hookResult: ended.result,
    drainCalls: countBy(ofDrain, ({ action }) => action),
    drainCallsByPurpose: countBy(ofDrain, ({ requestId }) => purposes.get(requestId) ?? "unknown"),
    indexCalls: calls.length - ofDrain.length,
    refusedCalls: calls.filter(({ status }) => status >= 400).length,
    requestsSent: sent,
    requestsLost: lostByTheProduct(losses, side.spares).length,
  };
}

const READS = /^(classic|elasticloadbalancing|ec2):Describe/;

function countBy<T>(of: readonly T[], key: (one: T) => string): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const one of of) counts[key(one)] = (counts[key(one)] ?? 0) + 1;
  return counts;
}

async function until(isTime: () => boolean, clock: ScaledClock): Promise<void> {
  while (!isTime()) await clock.sleep(CHECK_EVERY_MS, NEVER);
}
