import { keyOf, type Node, type Registration, type Vanished } from "./cloud-provider.ts";
import { STALE_READ_MAX_MS } from "./hold.ts";
import type { Ledger, RememberedDrain } from "./ledger.ts";
import { HOLD_MAX_MS } from "./memory.ts";
import { OUTCOMES } from "./outcome.ts";
import type { RegistrationState } from "./registration-state.ts";
import type { JointRequest } from "./request.ts";

/** What an earlier process has done about a registration. */
export interface Past extends RegistrationState {
  /** When it was deregistered, in milliseconds since the epoch. */
  readonly since: number;
  /** The cloud lists it as draining now. */
  readonly isDraining?: true;
}

/** Undefined: nothing is known. */
export type PastOf = (registration: Registration) => Past | undefined;

/** What remained of the drain itself, from an earlier process. */
interface OwnLife {
  readonly pastOf: PastOf;
  readonly past: readonly Registration[];
  readonly open: readonly Registration[];
  readonly hadSearched: boolean;
}

interface KnowledgeOptions {
  /** Absent: no earlier drains are known. */
  readonly ledger?: Pick<Ledger, "remembered" | "unknownSince"> | undefined;
  /** What remained of this drain when an earlier process ended. */
  readonly resumed: OwnLife | undefined;
}

interface SearchingRun {
  readonly id: string;
  readonly node: Pick<Node, "id">;
  readonly asked: Pick<JointRequest, "earlierTries">;
}

const HOLDING = { state: "holding", cameBack: 0, isOurs: false } as const;

/**
 * What is known about a node's registrations from before a search: from the drain's own earlier life, from drains that
 * ended before their holds, and from a try of another process. It is answered synchronously, from the record and the
 * ledger's index.
 */
export class KnownBefore {
  readonly #run: SearchingRun;
  readonly #resumed: OwnLife | undefined;
  readonly #begunAt: number;
  readonly #unreleased: Unreleased;
  readonly #ledger: KnowledgeOptions["ledger"];
  /** Keys of the registrations that an earlier life has released. */
  readonly #released: ReadonlySet<string>;
  /** By key: registrations that an earlier life found live, and did nothing else about. */
  readonly #foundLive: ReadonlyMap<string, Registration>;

  /** `now`: when the search begins. */
  constructor(run: SearchingRun, { ledger, resumed, now }: KnowledgeOptions & { readonly now: number }) {
    this.#run = run;
    this.#resumed = resumed;
    this.#begunAt = now;
    this.#ledger = ledger;
    const { past = [], pastOf, open = [] } = resumed ?? {};
    // An earlier life has already taken over what the drains before it were still holding.
    this.#unreleased =
      resumed === undefined && ledger !== undefined ? unreleasedOf(run.node.id, ledger, now) : new Map();
    this.#released = new Set(past.filter((one) => pastOf?.(one)?.state === "released").map(keyOf));
    this.#foundLive = new Map(open.filter(({ state }) => state !== "draining").map((one) => [keyOf(one), one]));
  }

  /**
   * The found registrations that have to be deregistered or held. Released ones are not among them, although the cloud
   * lists them as draining for minutes. A target that was first found live and is draining now is returned as it was
   * found first, because only this drain knows that it deregistered it.
   */
  listed(found: readonly Registration[]): readonly Registration[] {
    if (this.#resumed === undefined) return found;
    return found.flatMap((one) => {
      if (one.state !== "draining") return [one];
      return this.#released.has(keyOf(one)) ? [] : [this.#foundLive.get(keyOf(one)) ?? one];
    });
  }

  /** What is known about a registration that is listed now. Undefined: nothing. */
  of(one: Registration, now: number): Past | undefined {
    if (this.#resumed?.open.includes(one)) return { ...HOLDING, since: now, isDraining: true };
    if (one.state !== "draining") return undefined;
    const unreleased = this.#unreleased.get(keyOf(one))?.past;
    const past = unreleased && !wasLiveSince(one, unreleased) ? unreleased : this.#earlierTry(now);
    return past && { ...past, isDraining: true };
  }

  /**
   * The registrations that have to be held although the cloud does not list them any more, unless a search finds them, and what is
   * known about each. `vanished`: those that the reads of the index lack.
   */
  unlisted(vanished: readonly Vanished[]): ReadonlyMap<Registration, Past> {
    // One that an earlier life has found and that is gone was deregistered at an unknown time. It is held as if that were the
    // time of the restart.
    const open = this.#resumed?.open.map((one) => [one, { ...HOLDING, since: this.#begunAt }] as const);
    const known = open ?? [...this.#unreleased.values()].map(({ registration, past }) => [registration, past] as const);
    const byKey = new Map<string, readonly [Registration, Past]>();
    for (const { registration, at } of this.#byOthers(vanished))
      byKey.set(keyOf(registration), [registration, { ...HOLDING, since: at, isEarlier: true }]);
    for (const [registration, past] of known) {
      const [vanishedOne] = byKey.get(keyOf(registration)) ?? [];
      const wasBack = vanishedOne !== undefined && wasLiveSince(vanishedOne, past);
      if (!wasBack) byKey.set(keyOf(registration), [registration, past]);
    }
    return new Map(byKey.values());
  }

  /**
   * Those that another program has deregistered before this drain began, as a controller of the cluster does. It is unknown
   * when. What vanished while an earlier drain ran was deregistered by that drain, and was held. Since its end the target may
   * have been registered again.
   */
  #byOthers(vanished: readonly Vanished[]): readonly Vanished[] {
    const drains = this.#ledger?.remembered(this.#run.node.id) ?? [];
    const known = drains.filter(({ drain, hasSearched, end }) => {
      return drain !== this.#run.id && hasSearched && end?.status !== "refused";
    });
    return vanished.filter(({ at }) => {
      return known.every(({ startedAt, end }) => at < startedAt || (end !== undefined && at > end.at));
    });
  }

  /**
   * An earlier try may have deregistered any target that is draining. The cloud's list has to show when its delay is
   * over.
   */
  #earlierTry(now: number): Past | undefined {
    return this.#run.asked.earlierTries.length === 0 ? undefined : { ...HOLDING, since: now, isEarlier: true };
  }
}

/** Whether it was registered again since. A read that was sent soon after the deregistration may show the old state. */
function wasLiveSince({ liveAt = Number.NEGATIVE_INFINITY }: Registration, { since }: Past): boolean {
  return liveAt > since + STALE_READ_MAX_MS;
}

/**
 * When the drains began to search that know what earlier tries of the requests have done, in milliseconds since the
 * epoch. What was deregistered since then is known. Undefined: no other process has tried, and everything that this
 * process has tried is known.
 *
 * A drain knows this after it has read every pool: it deregistered what was registered then and wrote that down, and
 * everything else had been deregistered before it began. A drain that failed before that knows nothing.
 */
export function unknownUntil(
  { id, node, asked }: SearchingRun,
  { ledger, searchedAt, resumed }: KnowledgeOptions & { readonly searchedAt: number },
): number | undefined {
  const memories = ledger?.remembered(node.id) ?? [];
  const knowing = memories.filter(({ drain, hasSearched }) =>
    drain === id ? resumed?.hadSearched === true : hasSearched,
  );
  const unknown: number[] = [];
  // Entries are missing or may be missing, of this drain or of other drains of its node.
  if (resumed?.hadSearched === false) unknown.push(searchedAt);
  const lost = ledger?.unknownSince(node.id);
  if (lost !== undefined) unknown.push(Math.min(searchedAt, lost));
  for (const { firstTriedAt, event } of asked.earlierTries) {
    if (event !== undefined && knowing.some(({ firstTries }) => firstTries.includes(event))) continue;
    const later = knowing.filter(({ drain, startedAt }) => drain === id || startedAt >= firstTriedAt);
    unknown.push(Math.min(searchedAt, ...later.map(({ startedAt }) => startedAt)));
  }
  return unknown.length === 0 ? undefined : Math.max(...unknown);
}

/** The registrations that earlier drains of a node were still holding when they ended, by key. */
type Unreleased = ReadonlyMap<string, { readonly registration: Registration; readonly past: Past }>;

/**
 * The registrations of a node that must still be held because its last drains ended before their holds. The cloud may
 * not list them any more.
 */
function unreleasedOf(nodeId: string, ledger: Pick<Ledger, "remembered">, now: number): Unreleased {
  const unreleased = new Map<string, { readonly registration: Registration; readonly past: Past }>();
  // The hold of a target that an undo has registered again does not count.
  const registeredAgain = new Set<string>();
  for (const memory of shortDrains(ledger.remembered(nodeId), now)) {
    for (const key of memory.registeredAgain) registeredAgain.add(key);
    for (const { registration, heldSince, holdMs, cameBack } of memory.held) {
      const key = keyOf(registration);
      const isOver = heldSince + holdMs <= now;
      if (isOver || registeredAgain.has(key) || unreleased.has(key)) continue;
      unreleased.set(key, { registration, past: { state: "holding", since: heldSince, cameBack, isOurs: false } });
    }
  }
  return unreleased;
}

/**
 * Until when earlier drains were to hold registrations that their entries do not name any more, in milliseconds since
 * the epoch. Undefined: there are none.
 */
export function lostHeldUntil(nodeId: string, ledger: Pick<Ledger, "remembered">, now: number): number | undefined {
  const until = [...shortDrains(ledger.remembered(nodeId), now)].flatMap((memory) => memory.lostHeldUntil ?? []);
  return until.length === 0 ? undefined : Math.max(...until);
}

/** The drains since the last one that held everything to the end, newest first. A refused drain has held nothing. */
function* shortDrains(memories: readonly RememberedDrain[], now: number): Generator<RememberedDrain> {
  for (const memory of memories) {
    const { end } = memory;
    if (end === undefined || end.status === "refused") continue;
    if (OUTCOMES[end.status].isWhole || end.at <= now - HOLD_MAX_MS) return;
    yield memory;
  }
}
