import type { FoundRegistrations, Pool, Registration } from "../drain/cloud-provider.ts";
import { DrainError } from "../drain/errors.ts";

/** What a pool is assigned to its place by. */
export interface PlaceIdentity {
  readonly name: string;
  readonly region: string;
  /** Absent: that of the program's own credentials. */
  readonly accountId?: string | undefined;
}

/** To which place a pool belongs, also one that a ledger has from before there were places. */
export class PlacesOfPools<P extends PlaceIdentity> {
  readonly #places: readonly P[];
  readonly #ownRegion: string | undefined;

  /** `ownRegion`: where everything was that has no place. */
  constructor(places: readonly P[], ownRegion: string | undefined) {
    this.#places = places;
    this.#ownRegion = ownRegion;
  }

  /** Whether drains reach what was in this place when it was written down. Undefined: before there were places. */
  covers(name: string | undefined): boolean {
    return name === undefined
      ? this.#places.some((place) => this.#isOwn(place))
      : this.#places.some((place) => place.name === name);
  }

  /** Throws `DrainError` where no configured place has this name. */
  named(name: string): P {
    const found = this.#places.find((place) => place.name === name);
    if (found === undefined) throw new DrainError("cloud-error", unconfigured(name));
    return found;
  }

  find({ place: name, id }: Pool): P | undefined {
    if (name !== undefined) return this.#places.find((place) => place.name === name);
    const [, , , region, accountId] = id.split(":");
    if (accountId === undefined) return this.#places.find((place) => this.#isOwn(place));
    const there = this.#places.filter((place) => place.region === region);
    return there.find((place) => place.accountId === accountId) ?? there.find((place) => place.accountId === undefined);
  }

  /** Throws `DrainError` where it belongs to none. */
  of(pool: Pool): P {
    const found = this.find(pool);
    if (found !== undefined) return found;
    throw new DrainError("cloud-error", unconfigured(pool.place ?? "another account or region", pool.name));
  }

  /** Each place with those of `list` that belong to it, in their order. What belongs to none is left out. */
  groups<T>(list: readonly T[], poolOf: (one: T) => Pool): ReadonlyMap<P, readonly T[]> {
    const groups = new Map<P, T[]>();
    for (const one of list) {
      const place = this.find(poolOf(one));
      if (place !== undefined) groups.set(place, [...(groups.get(place) ?? []), one]);
    }
    return groups;
  }

  #isOwn({ region, accountId }: P): boolean {
    return accountId === undefined && (this.#ownRegion ?? region) === region;
  }
}

function unconfigured(place: string, what = "it"): string {
  return `${what} is in ${place}, which AWS_PLACES does not name: add it, and request the drain again`;
}

/** The pool as its place's provider knows it. Where it has a name and no ARN, that is unique within a place alone. */
export function asWithin(pool: Pool, { name: place }: PlaceIdentity): Pool {
  return hasArn(pool) ? { ...pool, place } : { ...pool, id: pool.name, place };
}

/** The other way round: with ids that are unique over all places. */
export function asOfPlace<F extends FoundRegistrations>(found: F): F {
  const { registrations, elsewhere } = found;
  return { ...found, registrations: registrations.map(outOf), elsewhere: elsewhere.map(outOf) };
}

function outOf(registration: Registration): Registration {
  const { pool } = registration;
  return hasArn(pool) ? registration : { ...registration, pool: { ...pool, id: `${pool.place}/${pool.name}` } };
}

function hasArn({ id }: Pool): boolean {
  return id.startsWith("arn:");
}

/** The failure, with its place. What is no failure of a call, such as the reason of a signal, stays as it is. */
export function inPlace({ name }: PlaceIdentity, error: unknown): unknown {
  return error instanceof DrainError ? asOf(name, error) : error;
}

export function asOf(place: string, { code, message, cause, isPassing }: DrainError): DrainError {
  return new DrainError(code, `${place}: ${message}`, { isPassing, ...(cause === undefined ? {} : { cause }) });
}
