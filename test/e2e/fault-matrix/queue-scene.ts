import { type AutoScalingClient, DescribeAutoScalingInstancesCommand } from "@aws-sdk/client-auto-scaling";
import { pump } from "../../../src/app/pump.ts";
import { createAutoScalingClient } from "../../../src/aws/event-clients.ts";
import { queueAddress } from "../../../src/aws/queue-address.ts";
import { UnmeteredCaller } from "../../../src/aws/unmetered-caller.ts";
import { newAbort } from "../../../src/drain/abort.ts";
import type { DrainOutcome } from "../../../src/drain/outcome.ts";
import type { Instance } from "../../../src/simulator/world/instance.ts";
import { readEvent } from "../../../src/sources/events/read-event.ts";
import { LifecycleHooks } from "../../../src/sources/lifecycle-hooks.ts";
import type { HookEvent, QueueEvent } from "../../../src/sources/source-events.ts";
import { SqsQueue } from "../../../src/sources/sqs-queue.ts";
import { SimulatedRegion } from "../../support/simulated-region.ts";
import { WireQueue } from "../../support/wire-queue.ts";
import { Breaking } from "./breaking.ts";
import { CALLS, type MatrixCall } from "./calls.ts";
import { QueueBreaking } from "./queue-breaking.ts";
import { type Cell, OPTIONS, REQUEST_TIMEOUT_MS, TIMING } from "./scene.ts";

/** `holding`: every call from the deregistration on. */
export const QUEUE_MOMENTS = ["first", "every", "holding"] as const;
export type QueueCell = Cell<(typeof QUEUE_MOMENTS)[number]>;

/** What the source told, and when. Milliseconds since the epoch. */
type Told = (HookEvent | QueueEvent) & { readonly at: number };

/** What came of it, after the fault had its time. */
export interface QueueResult {
  readonly scene: HookScene;
  readonly told: readonly Told[];
  readonly outcomes: readonly DrainOutcome[];
  readonly struck: number;
  /** As the table puts it: what became of the hook, and of the message. */
  readonly shown: string;
  /** What is wrong with an order to complete the hook or to delete the message that has come in too soon. */
  readonly tooSoon: readonly string[];
  readonly unsettled: readonly unknown[];
  /** Messages that are not deleted. */
  queued(): number;
  /** Lifts the fault, and gives everybody time to end what they are about. */
  recover(): Promise<void>;
  /** Ends everything. */
  stop(): Promise<void>;
}

/** Longer than a hook waits without a heartbeat. */
const DELAY_SECONDS = 130;
/** Longer than a message stays hidden that was given to nobody. */
const HOOK_SECONDS = 100;
const FAULTY_MS = 300_000;
/** A poll that was given up, a visibility that ends, a drain, and a settling. */
const RECOVERY_MS = 600_000;
const STEP_MS = 10_000;

export type HookScene = ReturnType<typeof hookScene>;

/** A node behind an ALB, which Auto Scaling is about to terminate: a hook that nobody answers abandons it. */
export function hookScene() {
  const region = new SimulatedRegion(TIMING);
  region.requestTimeoutMs = REQUEST_TIMEOUT_MS;
  const { world, clock } = region;
  const node = region.node();
  const pool = region.group({ name: "web", nodes: [node], delaySeconds: DELAY_SECONDS });
  const transition = "autoscaling:EC2_INSTANCE_TERMINATING" as const;
  const hook = { name: "drain", transition, heartbeatTimeoutSeconds: HOOK_SECONDS, defaultResult: "ABANDON" } as const;
  const group = world.addAutoScalingGroup({ name: "workers", instanceIds: [node.id], hooks: [hook] });
  world.beginScaleIn(group, node);
  const [action] = group.scaleInOf(node.id)?.activeActions(clock.now()) ?? [];
  if (action === undefined) throw new Error("the hook does not wait");
  let leftAt = Number.POSITIVE_INFINITY;
  world.watch((change) => {
    if (change.type === "target-deregistered") leftAt = clock.now();
  });
  /** What speaks against letting the machine go now, by the simulator's own books. */
  const obstacles = () => {
    world.catchUp();
    if (node.terminatedAt !== undefined) return [];
    const outMs = clock.now() - leftAt;
    return outMs >= DELAY_SECONDS * 1_000 ? [] : [`the node was out of its pool for ${outMs} ms`];
  };
  const hookShown = () => {
    world.catchUp();
    if (clock.now() < action.endsAt) return "waiting";
    return action.result === "CONTINUE" ? "continued" : "timed out";
  };
  return { region, node, pool, action, hook, obstacles, hookShown };
}

/** A client of Auto Scaling that has loaded all that it needs, for which no virtual clock waits. */
export async function autoScalingOf(region: SimulatedRegion): Promise<AutoScalingClient> {
  const client = createAutoScalingClient({ region: region.world.region, ...region.aws() });
  await client.send(new DescribeAutoScalingInstancesCommand({}));
  return client;
}

function messageOf({ region, action, hook }: HookScene, node: Instance): string {
  return JSON.stringify({
    LifecycleHookName: hook.name,
    AccountId: "123456789012",
    RequestId: "63f5b5c2-58b3-0574-b7d5-b3162d0268f0",
    LifecycleTransition: hook.transition,
    AutoScalingGroupName: "workers",
    Service: "AWS Auto Scaling",
    Time: new Date(region.clock.now()).toISOString(),
    EC2InstanceId: node.id,
    LifecycleActionToken: action.token,
  });
}

/** One departure that a message announces, while one call of the source fails in one way. */
export async function runQueueCell({ call, fault, moment }: QueueCell): Promise<QueueResult> {
  const scene = hookScene();
  const { region, node } = scene;
  const { clock } = region;
  const autoScaling = await autoScalingOf(region);
  const wire = new WireQueue(clock);
  const tooSoon: string[] = [];
  wire.carriesOut = (name) => {
    if (name !== "DeleteMessageBatch") return;
    tooSoon.push(...scene.obstacles().map((why) => `deleted: ${why}`));
    if (scene.hookShown() === "waiting") tooSoon.push("deleted: the hook waits");
  };
  region.intercept = ({ action }) => {
    if (action === "CompleteLifecycleAction") tooSoon.push(...scene.obstacles().map((why) => `completed: ${why}`));
    return undefined;
  };
  const { api }: MatrixCall = CALLS[call];
  const breaking = api === "sqs" ? new QueueBreaking(wire, call, fault) : new Breaking(region, call, fault);
  if (moment !== "holding") breaking.begin(moment);
  region.world.watch(({ type }) => {
    if (moment === "holding" && type === "target-deregistered") breaking.begin("every");
  });

  const told: Told[] = [];
  const onEvent = (event: HookEvent | QueueEvent) => void told.push({ ...event, at: clock.now() });
  const caller = new UnmeteredCaller({ clock });
  const [stop, abandon] = [newAbort(), newAbort()];
  const shared = { caller, clock };
  const source = new SqsQueue({
    ...shared,
    address: queueAddress("departures"),
    sqs: wire.client("departures"),
    hooks: new LifecycleHooks({ ...shared, autoScaling, onEvent }),
    read: readEvent,
    foreign: "release",
    maintenanceLeadMs: 3_900_000,
    dryRun: false,
    observers: [onEvent],
    abandon: abandon.signal,
  });
  const message = wire.queue.put(messageOf(scene, node));
  const outcomes: DrainOutcome[] = [];
  const unsettled: unknown[] = [];
  const { drainer } = region.wholeEngine({ ...OPTIONS, QUEUE: "departures" });
  const ended = pump(source, drainer, {
    stop: stop.signal,
    abandon: abandon.signal,
    onSettled: (outcome) => void outcomes.push(outcome),
    onUnsettled: (_, error) => void unsettled.push(error),
  });
  const isSettled = () => wire.queue.size === 0 && source.inFlight === 0 && scene.hookShown() !== "waiting";
  /** As long as it takes to settle everything, and `ms` at most. */
  const advance = async (ms: number) => {
    for (let passed = 0; passed < ms && !isSettled(); passed += STEP_MS) await clock.advance(STEP_MS);
  };
  await advance(FAULTY_MS);
  const shown = () => `${scene.hookShown()}, ${wire.queue.has(message) ? "kept" : "deleted"}`;
  return {
    ...{ scene, told, outcomes, tooSoon, unsettled, shown: shown(), struck: breaking.struck },
    queued: () => wire.queue.size,
    recover: async () => {
      breaking.end();
      await advance(RECOVERY_MS);
    },
    stop: async () => {
      stop.abort();
      abandon.abort();
      await clock.run(ended);
    },
  };
}
