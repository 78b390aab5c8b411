import { setMaxListeners } from "node:events";
import type { Random } from "../random.ts";
import type { Announcement } from "../world/announcement.ts";
import { domainOf } from "../world/arn.ts";
import { catchUpOnTime, type World } from "../world/world.ts";
import { eventBridgeBodies } from "./event-bridge.ts";
import { hookNotification, testNotification } from "./hook-notification.ts";

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html */
const ATTEMPTS_MAX = 185;
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 600_000;

/** Rejects with `Undeliverable` if another attempt is useless. */
export type Send = (body: string, signal: AbortSignal) => Promise<void>;

type EventKind = Announcement["type"];

/** A destination of events, and their form. */
export interface Destination {
  readonly send: Send;
  /** Events of EventBridge, or notifications that Auto Scaling itself sends for its hooks. Default: eventbridge. */
  readonly from?: "eventbridge" | "auto-scaling";
  /** The topic that forwards the messages. Absent: none. */
  readonly topic?: string;
  /** The kinds that an EventBridge rule selects. Absent: all kinds. */
  readonly kinds?: readonly EventKind[];
  /** Milliseconds from the event until it is sent. Default: 0. */
  readonly lagMs?: number;
  /** Every nth message is sent twice, because delivery is at least once. Absent: none is. */
  readonly duplicateEvery?: number;
}

export interface DeliveryOptions {
  /** Called the first time that a message can't be sent and will be retried. */
  readonly onDelayed?: (error: Error) => void;
  /** Called for each message that is given up, as EventBridge would put it into a dead-letter queue. */
  readonly onGivenUp: (error: Error) => void;
}

/** Delivers the events that AWS would announce about a world, each at its time, until it is closed. */
export class EventDelivery {
  readonly #world: World;
  readonly #destinations: readonly Destination[];
  readonly #options: DeliveryOptions;
  readonly #closed = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  readonly #sent = new Map<Destination, number>();

  constructor(world: World, destinations: readonly Destination[], options: DeliveryOptions) {
    this.#world = world;
    this.#destinations = destinations;
    this.#options = options;
    // Every message that waits has a listener on this signal.
    setMaxListeners(0, this.#closed.signal);
    catchUpOnTime(world, this.#closed.signal);
    world.watch((change) => {
      if (change.type === "announced" && !this.#closed.signal.aborted) this.#announce(change.announcement);
    });
    this.#announceHooks();
  }

  /** Resolves when everything that was announced so far has been sent, or given up. */
  async delivered(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  /** Sends nothing more. Resolves when no request is in progress. */
  close(): Promise<void> {
    this.#closed.abort();
    return this.delivered();
  }

  #announce(announcement: Announcement): void {
    for (const destination of this.#destinations) {
      const { from = "eventbridge", kinds } = destination;
      if (from === "eventbridge") {
        if (kinds?.includes(announcement.type) === false) continue;
        for (const body of eventBridgeBodies(announcement, this.#world)) this.#post(body, destination);
      } else if (announcement.type === "lifecycle-action") {
        this.#post(hookNotification(announcement, this.#world), destination);
      }
    }
  }

  /** Auto Scaling sends a test message as soon as a hook names a queue. */
  #announceHooks(): void {
    const { clock, autoScalingGroups } = this.#world;
    for (const destination of this.#destinations.filter(({ from }) => from === "auto-scaling")) {
      for (const group of autoScalingGroups.values()) {
        for (const _ of group.hooks) this.#post(testNotification(group, this.#world, clock.now()), destination);
      }
    }
  }

  #post(body: string, destination: Destination): void {
    const { topic, duplicateEvery } = destination;
    const { region, clock, random } = this.#world;
    const message = topic === undefined ? body : snsEnvelope(body, { arn: topic, region, random }, clock.now());
    const number = (this.#sent.get(destination) ?? 0) + 1;
    this.#sent.set(destination, number);
    const copies = duplicateEvery !== undefined && number % duplicateEvery === 0 ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) this.#track(this.#deliver(message, destination));
  }

  #track(delivery: Promise<void>): void {
    this.#underWay.add(delivery);
    void delivery.finally(() => this.#underWay.delete(delivery));
  }

  /** Never rejects. */
  async #deliver(message: string, { send, lagMs = 0 }: Destination): Promise<void> {
    const { signal } = this.#closed;
    try {
      if (lagMs > 0) await this.#world.clock.sleep(lagMs, signal);
      await this.#sendRepeatedly(() => send(message, signal));
    } catch (error) {
      if (!signal.aborted) this.#options.onGivenUp(error as Error);
    }
  }

  async #sendRepeatedly(send: () => Promise<void>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await send();
      } catch (error) {
        if (this.#closed.signal.aborted || error instanceof Undeliverable || attempt === ATTEMPTS_MAX) throw error;
        if (attempt === 1) this.#options.onDelayed?.(error as Error);
        await this.#world.clock.sleep(Math.min(RETRY_FIRST_MS * 2 ** (attempt - 1), RETRY_MAX_MS), this.#closed.signal);
      }
    }
  }
}

/** A message that its queue will never accept: the queue does not exist, or the sender may not send to it. */
export class Undeliverable extends Error {
  constructor(message: string, options: ErrorOptions) {
    super(message, options);
    this.name = "Undeliverable";
  }
}

interface Topic {
  readonly random: Random;
  readonly arn: string;
  readonly region: string;
}

/**
 * A message as a topic sends it to a queue, without raw message delivery. Only SNS could sign it.
 * https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
 */
function snsEnvelope(message: string, { arn, region, random }: Topic, at: number): string {
  const host = `https://sns.${region}.${domainOf(region)}`;
  return JSON.stringify({
    Type: "Notification",
    MessageId: random.uuid("event"),
    TopicArn: arn,
    Message: message,
    Timestamp: new Date(at).toISOString(),
    SignatureVersion: "1",
    Signature: Buffer.from("not signed: simulated").toString("base64"),
    SigningCertURL: `${host}/SimpleNotificationService-00000000000000000000000000000000.pem`,
    UnsubscribeURL: `${host}/?Action=Unsubscribe&SubscriptionArn=${arn}:${random.uuid("event")}`,
  });
}
