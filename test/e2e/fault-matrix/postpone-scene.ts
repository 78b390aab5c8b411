import { pump } from "../../../src/app/pump.ts";
import { queueAddress } from "../../../src/aws/queue-address.ts";
import { UnmeteredCaller } from "../../../src/aws/unmetered-caller.ts";
import { newAbort } from "../../../src/drain/abort.ts";
import { readEvent } from "../../../src/sources/events/read-event.ts";
import { LifecycleHooks } from "../../../src/sources/lifecycle-hooks.ts";
import type { QueueEvent } from "../../../src/sources/source-events.ts";
import { SqsQueue } from "../../../src/sources/sqs-queue.ts";
import { SimulatedRegion } from "../../support/simulated-region.ts";
import { WireQueue } from "../../support/wire-queue.ts";
import { QueueBreaking } from "./queue-breaking.ts";
import { autoScalingOf } from "./queue-scene.ts";
import { type Cell, OPTIONS } from "./scene.ts";

export const POSTPONE_MOMENTS = ["first", "every"] as const;
export type PostponeCell = Cell<(typeof POSTPONE_MOMENTS)[number]>;

/** What came of it. */
export interface PostponeResult {
  /** `waits`: the message is in the queue, and nothing is drained. `drained`: its node was, and it is deleted. */
  readonly shown: string;
  readonly struck: number;
  readonly told: readonly QueueEvent["type"][];
  /** Whether the node was drained in the end, when it was due. */
  readonly isDrainedInTime: boolean;
}

const HOUR_MS = 3_600_000;
/** The message has been received twice by then. */
const FAULTY_MS = 12.5 * HOUR_MS;
const AHEAD_MS = 14 * HOUR_MS;
const LEAD_MS = 3_900_000;

/** A retirement that is hours ahead, while the call that keeps its message in the queue fails in one way. */
export async function runPostponeCell({ call, fault, moment }: PostponeCell): Promise<PostponeResult> {
  const region = new SimulatedRegion();
  const { clock, world } = region;
  const node = region.node();
  const group = region.group({ name: "web", nodes: [node], delaySeconds: 60 });
  const wire = new WireQueue(clock);
  const breaking = new QueueBreaking(wire, call, fault);
  breaking.begin(moment);
  const told: QueueEvent["type"][] = [];
  const [stop, abandon] = [newAbort(), newAbort()];
  const shared = { caller: new UnmeteredCaller({ clock }), clock };
  const source = new SqsQueue({
    ...shared,
    address: queueAddress("departures"),
    sqs: wire.client("departures"),
    hooks: new LifecycleHooks({ ...shared, autoScaling: await autoScalingOf(region), onEvent: () => {} }),
    read: readEvent,
    foreign: "release",
    maintenanceLeadMs: LEAD_MS,
    dryRun: false,
    observers: [({ type }) => void told.push(type as QueueEvent["type"])],
    abandon: abandon.signal,
  });
  wire.queue.put(
    JSON.stringify({
      "detail-type": "AWS Health Event",
      source: "aws.health",
      region: world.region,
      detail: {
        eventTypeCode: "AWS_EC2_INSTANCE_STOP_SCHEDULED",
        startTime: new Date(clock.now() + AHEAD_MS).toUTCString(),
        affectedEntities: [{ entityValue: node.id }],
      },
    }),
  );
  const { drainer } = region.wholeEngine(OPTIONS);
  const signals = { stop: stop.signal, abandon: abandon.signal };
  const ended = pump(source, drainer, { ...signals, onSettled: () => {}, onUnsettled: () => {} });
  const isOut = () => group.listed(clock.now()).every(({ deregisteredAt }) => deregisteredAt !== undefined);
  await clock.advance(FAULTY_MS);
  const shown = `${isOut() ? "drained" : "waits"}, ${wire.queue.size === 0 ? "deleted" : "kept"}`;
  const { struck } = breaking;
  breaking.end();
  await clock.advance(AHEAD_MS - FAULTY_MS - LEAD_MS + HOUR_MS / 2);
  const isDrainedInTime = isOut() && wire.queue.size === 0;
  stop.abort();
  abandon.abort();
  await clock.run(ended);
  return { shown, struck, told, isDrainedInTime };
}
