import type { Announcement, EventReading } from "./announcement.ts";
import { type EventPlace, isOfOthers } from "./settlement.ts";

/** One of several accounts and regions in which nodes are drained. */
export interface NamedPlace extends EventPlace {
  readonly name: string;
}

/** The number of returning machines whose place is remembered. */
const RETURNING_MAX = 1_000;

/**
 * The places of the machines of events, if a service drains in several accounts and regions: their hooks are completed
 * there.
 */
export class AnnouncedPlaces {
  readonly #places: readonly NamedPlace[];
  readonly #returning = new Map<string, string>();

  constructor(places: readonly NamedPlace[]) {
    this.#places = places;
  }

  /** As `read`. Each lifecycle action gets the place in which it waits. */
  reading(read: (body: string) => EventReading): (body: string) => EventReading {
    return (body) => {
      const reading = read(body);
      if (reading.reading !== "announced") return reading;
      return { ...reading, announcements: reading.announcements.map((one) => this.#placed(one)) };
    };
  }

  /** The place of a returning machine, according to its event. */
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

  /** The account decides if a place names it. The account of the program's own places is not known. */
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
