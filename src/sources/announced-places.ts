import type { Announcement, EventReading } from "./announcement.ts";
import { type EventPlace, isOfOthers } from "./settlement.ts";

/** One of several accounts and regions that are drained in. */
export interface NamedPlace extends EventPlace {
  readonly name: string;
}

/** Of so many machines that come back it is known where they are. */
const RETURNING_MAX = 1_000;

/**
 * Where the machines of events are, when a service drains in several accounts and regions: their hooks are answered there.
 */
export class AnnouncedPlaces {
  readonly #places: readonly NamedPlace[];
  readonly #returning = new Map<string, string>();

  constructor(places: readonly NamedPlace[]) {
    this.#places = places;
  }

  /** As `read`. Each lifecycle action says in which place it waits. */
  reading(read: (body: string) => EventReading): (body: string) => EventReading {
    return (body) => {
      const reading = read(body);
      if (reading.reading !== "announced") return reading;
      return { ...reading, announcements: reading.announcements.map((one) => this.#placed(one)) };
    };
  }

  /** In which place a machine is that comes back, as its event has said. */
  of(instanceId: string): string | undefined {
    return this.#returning.get(instanceId);
  }

  #placed(announcement: Announcement): Announcement {
    const { lifecycleAction, instanceId, returns } = announcement;
    const place = this.#placeOf(announcement);
    if (place === undefined) return announcement;
    if (returns) this.#remember(instanceId, place);
    return lifecycleAction === undefined
      ? announcement
      : { ...announcement, lifecycleAction: { ...lifecycleAction, place } };
  }

  /** The account decides, where a place names it: of the program's own places the account is not known. */
  #placeOf(announcement: Announcement): string | undefined {
    const fitting = this.#places.filter((place) => !isOfOthers(announcement, [place]));
    const named = fitting.find(({ accountId }) => accountId !== undefined && accountId === announcement.accountId);
    return (named ?? fitting.find(({ accountId }) => accountId === undefined) ?? fitting[0])?.name;
  }

  #remember(instanceId: string, place: string): void {
    this.#returning.delete(instanceId);
    this.#returning.set(instanceId, place);
    const [oldest] = this.#returning.keys();
    if (this.#returning.size > RETURNING_MAX && oldest !== undefined) this.#returning.delete(oldest);
  }
}
