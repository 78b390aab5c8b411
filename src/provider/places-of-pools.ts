import type { FoundRegistrations, Pool, Registration } from "../drain/cloud-provider.ts";
import { DrainError } from "../drain/errors.ts";

/** The identity by which a pool is assigned to its place. */
export interface PlaceIdentity {
  readonly name: string;
  readonly region: string;
  /** Absent: the account of the program's own credentials. */
  readonly accountId?: string | undefined;
}

/** The place of a pool, including pools that a ledger has from before places were configured. */
export class PlacesOfPools<P extends PlaceIdentity> {
  readonly #places: readonly P[];
  readonly #ownRegion: string | undefined;

  /** `ownRegion`: the region of everything that has no place. */
  constructor(places: readonly P[], ownRegion: string | undefined) {
    this.#places = places;
    this.#ownRegion = ownRegion;
  }

  /** Whether drains still cover this place of a ledger entry. Undefined: from before places were configured. */
  covers(name: string | undefined): boolean {
    return name === undefined
      ? this.#places.some((place) => this.#isOwn(place))
      : this.#places.some((place) => place.name === name);
  }

  /** Throws `DrainError` if no configured place has this name. */
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

  /** Throws `DrainError` if it belongs to none. */
  of(pool: Pool): P {
    const found = this.find(pool);
    if (found !== undefined) return found;
    throw new DrainError("cloud-error", unconfigured(pool.place ?? "another account or region", pool.name));
  }

  /** Each place with the items of `list` that belong to it, in their order. Items that belong to none are dropped. */
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

/** The pool as its place's provider knows it. A pool with a name instead of an ARN is unique only within a place. */
export function asWithin(pool: Pool, { name: place }: PlaceIdentity): Pool {
  return hasArn(pool) ? { ...pool, place } : { ...pool, id: pool.name, place };
}

/** The reverse: with ids that are unique over all places. */
export function asOfPlace<F extends FoundRegistrations>(found: F): F {
  const { registrations, elsewhere } = found;
  return { ...found, registrations: registrations.map(outOf), elsewhere: elsewhere.map(outOf) };
}

export function outOf(registration: Registration): Registration {
  const { pool } = registration;
  return hasArn(pool) ? registration : { ...registration, pool: { ...pool, id: `${pool.place}/${pool.name}` } };
}

function hasArn({ id }: Pool): boolean {
  return id.startsWith("arn:");
}

/**
 * The failure with its place. A value that is not a failure of a call, such as the reason of a signal, is not changed.
 */
export function inPlace({ name }: PlaceIdentity, error: unknown): unknown {
  return error instanceof DrainError ? asOf(name, error) : error;
}

export function asOf(place: string, { code, message, cause, isPassing }: DrainError): DrainError {
  return new DrainError(code, `${place}: ${message}`, { isPassing, ...(cause === undefined ? {} : { cause }) });
}
