import { keyOf, type Node, type Registration } from "./cloud-provider.ts";
import type { Ledger, RememberedDrain } from "./ledger.ts";
import { HOLD_MAX_MS } from "./memory.ts";
import { OUTCOMES } from "./outcome.ts";
import type { RegistrationState } from "./registration-state.ts";
import type { JointRequest } from "./request.ts";

/** What an earlier process has done about a registration. */
export interface Past extends RegistrationState {
  /** Deregistered then, in milliseconds since the epoch. */
  readonly since: number;
  /** It is listed as draining now. */
  readonly isDraining?: true;
}

/** Undefined: nothing. */
export type PastOf = (registration: Registration) => Past | undefined;

/** What remained of the drain itself. */
interface OwnLife {
  readonly pastOf: PastOf;
  readonly past: readonly Registration[];
  readonly open: readonly Registration[];
  readonly hadSearched: boolean;
}

interface KnowledgeOptions {
  /** Absent: nothing is remembered. */
  readonly ledger?: Pick<Ledger, "remembered" | "unknownSince"> | undefined;
  /** By an earlier process. */
  readonly resumed: OwnLife | undefined;
}

interface SearchingRun {
  readonly id: string;
  readonly node: Pick<Node, "id">;
  readonly asked: Pick<JointRequest, "earlierTries">;
}

const HOLDING = { state: "holding", cameBack: 0, isOurs: false } as const;

/**
 * What is known of a node's registrations from before a search: from the drain's own earlier life, from drains that ended
 * short, and from another process's try. Answered at once, from the record and the ledger's index.
 */
export class KnownBefore {
  readonly #run: SearchingRun;
  readonly #resumed: OwnLife | undefined;
  readonly #begunAt: number;
  readonly #unreleased: Unreleased;
  /** Keys of what an earlier life has released. */
  readonly #released: ReadonlySet<string>;
  /** By key: found live by an earlier life, and nothing more. */
  readonly #foundLive: ReadonlyMap<string, Registration>;

  /** `now`: when the search begins. */
  constructor(run: SearchingRun, { ledger, resumed, now }: KnowledgeOptions & { readonly now: number }) {
    this.#run = run;
    this.#resumed = resumed;
    this.#begunAt = now;
    const { past = [], pastOf, open = [] } = resumed ?? {};
    // An earlier life has taken over already what drains before it had left.
    this.#unreleased =
      resumed === undefined && ledger !== undefined ? unreleasedOf(run.node.id, ledger, now) : new Map();
    this.#released = new Set(past.filter((one) => pastOf?.(one)?.state === "released").map(keyOf));
    this.#foundLive = new Map(open.filter(({ state }) => state !== "draining").map((one) => [keyOf(one), one]));
  }

  /**
   * Those of a search that have to go: what was released is listed as draining for minutes. Each as it was found first, where
   * it drains now and did not: only this drain is known to have deregistered it.
   */
  listed(found: readonly Registration[]): readonly Registration[] {
    if (this.#resumed === undefined) return found;
    return found.flatMap((one) => {
      if (one.state !== "draining") return [one];
      return this.#released.has(keyOf(one)) ? [] : [this.#foundLive.get(keyOf(one)) ?? one];
    });
  }

  /** Of one that is listed now. Undefined: nothing. */
  of(one: Registration, now: number): Past | undefined {
    if (this.#resumed?.open.includes(one)) return { ...HOLDING, since: now, isDraining: true };
    if (one.state !== "draining") return undefined;
    const past = this.#unreleased.get(keyOf(one))?.past ?? this.#earlierTry(now);
    return past && { ...past, isDraining: true };
  }

  /** Those to be held that the cloud lists no more, as far as a search has not found them. */
  get unlisted(): readonly Registration[] {
    return this.#resumed?.open ?? [...this.#unreleased.values()].map(({ registration }) => registration);
  }

  /** What an earlier life has found and is gone was deregistered at an unknown time: held as if it were at the restart. */
  ofUnlisted(one: Registration): Past | undefined {
    return this.#resumed === undefined ? this.#unreleased.get(keyOf(one))?.past : { ...HOLDING, since: this.#begunAt };
  }

  /** Whatever is draining an earlier try may have deregistered: when is for the cloud's list to say. */
  #earlierTry(now: number): Past | undefined {
    return this.#run.asked.earlierTries.length === 0 ? undefined : { ...HOLDING, since: now, isEarlier: true };
  }
}

/**
 * When those began to search who know what earlier tries of the requests had left: what they deregistered since is known.
 * In milliseconds since the epoch. Undefined: no other process has tried, and nothing that this one has tried is unknown.
 *
 * A drain knows once it has asked every pool: what was registered then it has deregistered and written down itself, and
 * what was not had been deregistered before it began. One that failed before that knows nothing.
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
  // Entries are missing, or may be: of this drain, or of others of its node.
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

/** What earlier drains of a node were still holding when they ended, by its key. */
type Unreleased = ReadonlyMap<string, { readonly registration: Registration; readonly past: Past }>;

/** The registrations of a node that are still to be held because its last drains ended short: the cloud may list them no more. */
function unreleasedOf(nodeId: string, ledger: Pick<Ledger, "remembered">, now: number): Unreleased {
  const unreleased = new Map<string, { readonly registration: Registration; readonly past: Past }>();
  // What an undo has registered again was held for nothing.
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
 * Until when earlier drains were to hold what their entries do not name any more, in milliseconds since the epoch. Undefined:
 * there is nothing like that.
 */
export function lostHeldUntil(nodeId: string, ledger: Pick<Ledger, "remembered">, now: number): number | undefined {
  const until = [...shortDrains(ledger.remembered(nodeId), now)].flatMap((memory) => memory.lostHeldUntil ?? []);
  return until.length === 0 ? undefined : Math.max(...until);
}

/** Those since the last one that did not end short, the newest first. A refused one has held nothing. */
function* shortDrains(memories: readonly RememberedDrain[], now: number): Generator<RememberedDrain> {
  for (const memory of memories) {
    const { end } = memory;
    if (end === undefined || end.status === "refused") continue;
    if (OUTCOMES[end.status].isWhole || end.at <= now - HOLD_MAX_MS) return;
    yield memory;
  }
}
