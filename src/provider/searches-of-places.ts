import type { CallFor, FoundRegistrations, Node } from "../drain/cloud-provider.ts";
import { DrainError } from "../drain/errors.ts";
import type { AwsProvider } from "./aws-provider.ts";
import { mergedFrom } from "./joined-answers.ts";
import { asOfPlace, inPlace, type PlaceIdentity } from "./places-of-pools.ts";

interface SearchedPlace extends PlaceIdentity {
  readonly provider: Pick<AwsProvider, "findRegistrations">;
}

/**
 * Searches that are complete when every place has been searched. If one of them can't be searched, the registrations of
 * the others are found all the same, and the search fails at its end with a temporary failure, so that what a drain has
 * found is deregistered and held meanwhile. The next attempt searches the missing places.
 */
export class SearchesOfPlaces {
  readonly #places: readonly SearchedPlace[];
  /** The places that a failed search has searched, by the signal of its caller and the node. */
  readonly #searched = new WeakMap<AbortSignal, Map<string, ReadonlySet<string>>>();

  constructor(places: readonly SearchedPlace[]) {
    this.#places = places;
  }

  async *of(node: Node, by: CallFor): AsyncGenerator<FoundRegistrations> {
    const before = this.#searched.get(by.signal) ?? new Map<string, ReadonlySet<string>>();
    const searched = new Set(before.get(node.id));
    const missing = this.#places.filter(({ name }) => !searched.has(name));
    const searches = missing.map((place) => (signal: AbortSignal) => search(place, node, { ...by, signal }, searched));
    try {
      yield* mergedFrom(searches, by.signal);
      before.delete(node.id);
    } catch (error) {
      if (!(error instanceof DrainError) || searched.size === 0) throw error;
      this.#searched.set(by.signal, before.set(node.id, searched));
      throw new DrainError(error.code, error.message, { cause: error.cause, isPassing: true });
    }
  }
}

async function* search(
  place: SearchedPlace,
  node: Node,
  by: CallFor,
  searched: Set<string>,
): AsyncGenerator<FoundRegistrations> {
  try {
    for await (const found of place.provider.findRegistrations(node, by)) yield asOfPlace(found);
    searched.add(place.name);
  } catch (error) {
    throw inPlace(place, error);
  }
}
