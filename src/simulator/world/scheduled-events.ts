import type { Clock } from "../clock.ts";
import type { Timing } from "../timing.ts";
import type { Announcement, ScheduledEvent, ScheduledEventCode } from "./announcement.ts";
import type { Instance } from "./instance.ts";

const WINDOW_MS = 2 * 3_600_000;

export interface ScheduleInput {
  readonly code: ScheduledEventCode;
  readonly instances: readonly Instance[];
  /** Milliseconds from the announcement until AWS acts, at the very beginning of the window that it announces. */
  readonly startsInMs: number;
  /** How long the window is, in milliseconds. Default: two hours. */
  readonly windowMs?: number;
  /** When it is announced, in milliseconds since the epoch. Default: now. */
  readonly at?: number;
}

interface Surroundings {
  readonly clock: Clock;
  readonly timing: Timing;
  at(moment: number, happen: (at: number) => void): void;
  announce(announcement: Announcement): void;
  catchUp(): void;
  newHexDigits(): string;
  stopInstance(instance: Instance, at: number): void;
  rebootInstance(instance: Instance, at: number): void;
}

/**
 * The events that AWS has scheduled for instances.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instances-status-check_sched.html
 */
export class ScheduledEvents {
  readonly #world: Surroundings;
  readonly #events = new Map<string, ScheduledEvent>();

  constructor(world: Surroundings) {
    this.#world = world;
  }

  /** The pending events of an instance, in the order in which they were announced. */
  of(instanceId: string): readonly ScheduledEvent[] {
    return [...this.#events.values()].filter(({ instances }) => instances.some(({ id }) => id === instanceId));
  }

  /** Announces the event, and acts at its time unless it is cancelled before. */
  schedule({
    code,
    instances,
    startsInMs,
    windowMs = WINDOW_MS,
    at: announcedAt = this.#world.clock.now(),
  }: ScheduleInput): ScheduledEvent {
    const notBefore = announcedAt + startsInMs;
    const id = `instance-event-0${this.#world.newHexDigits()}`;
    const event = { id, code, instances, announcedAt, notBefore, notAfter: notBefore + windowMs };
    this.#events.set(id, event);
    this.#world.announce({ type: "scheduled-change", event, status: "upcoming", at: announcedAt });
    this.#world.at(notBefore, (at) => this.#act(event, at));
    this.#world.catchUp();
    return event;
  }

  /** AWS cancels the event, and does not act. */
  cancel(event: ScheduledEvent): void {
    if (this.#events.delete(event.id)) this.#close(event, this.#world.clock.now());
  }

  #act(event: ScheduledEvent, at: number): void {
    if (!this.#events.delete(event.id)) return;
    for (const instance of event.instances) this.#actOn(instance, event.code, at);
    this.#close(event, at);
  }

  #actOn(instance: Instance, code: ScheduledEventCode, at: number): void {
    const isReboot = code === "instance-reboot" || code === "system-reboot";
    if (isReboot) this.#world.rebootInstance(instance, at);
    else this.#world.stopInstance(instance, at);
  }

  #close(event: ScheduledEvent, at: number): void {
    this.#world.announce({ type: "scheduled-change", event, status: "closed", at });
  }
}
