import type { Clock } from "../drain/clock.ts";
import type { CallFor, Pool } from "../drain/cloud-provider.ts";
import type { IndexState } from "../drain/cloud-state.ts";
import { asDrainError, type DrainError } from "../drain/errors.ts";
import type { KnownInstances } from "./known-instances.ts";
import type { MembershipIndex } from "./membership-index.ts";

/** New pools are noticed within this time. */
const LIST_INTERVAL_MS = 60_000;
/** The registered instances are read this often. The searches of drains list pools, but read no instances. */
const INSTANCES_INTERVAL_MS = 60_000;
/** At most one of this many calls reads them. */
const INSTANCES_EVERY = 10;
/** One of this many calls reads a pool's settings, which change less often than its members. */
const SETTINGS_EVERY = 4;
/** If drains need tags, another one of this many calls reads them. */
const TAGS_TURN = 2;
/** What a drain or a fast round has just read is not read again within this time. */
const FRESH_MS = 30_000;
/** Failed reads are not repeated sooner than this. */
const REST_MS = 5_000;

export interface IndexRefreshOptions {
  readonly clock: Clock;
  readonly index: MembershipIndex;
  readonly instances: KnownInstances;
  /** A guard also needs the health of classic load balancers: their listing has only the ids of instances. */
  readonly isGuarded: boolean;
  /** Reads what a guard needs to know about a pool in addition to its settings and members. */
  readonly prepareGuard: (pool: Pool, by: CallFor) => Promise<void>;
  /** Reads the tags whose last read is oldest. False: all are recent, or none are needed. */
  readonly refreshTags: (by: CallFor) => Promise<boolean>;
  /** Called for each failure. */
  readonly onFailure: (error: DrainError) => void;
  /** Calls to AWS per second. 0: none. */
  readonly indexPerSecond: number;
}

/** Reads pool after pool in the background at a steady and low rate, those with the oldest read first. */
export class IndexRefresh {
  readonly #options: IndexRefreshOptions;
  /** By pool id, since the last list. */
  readonly #failedAt = new Map<string, number>();
  #failure: IndexState["failure"] | undefined;
  /** When EC2 was last asked about the registered instances, in milliseconds since the epoch, even if it refused. */
  #instancesAskedAt: number;
  /** Whether it was asked about them since every group was read. */
  #hasAskedAboutAll = false;

  constructor(options: IndexRefreshOptions) {
    this.#options = options;
    this.#instancesAskedAt = options.clock.now();
  }

  /** Runs until `signal` aborts, and resolves then. A failure is retried later, because no caller waits for it. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, index, indexPerSecond } = this.#options;
    if (indexPerSecond <= 0) return;
    index.isKept = true;
    const by: CallFor = { urgency: () => ({ purpose: "refresh", deadline: Number.POSITIVE_INFINITY }), signal };
    for (let turn = 1; !signal.aborted; turn++) {
      const before = clock.now();
      try {
        await this.#readOne(turn, by);
        this.#failure = undefined;
        await clock.sleep(before + 1_000 / indexPerSecond - clock.now(), signal);
      } catch (error) {
        if (!signal.aborted) this.#failed(asDrainError(error));
        await clock.sleep(REST_MS, signal).catch(() => {}); // Stopped: the loop ends.
      }
    }
  }

  /** The state of the index, and its age. Makes no call. */
  get state(): IndexState {
    const { index, indexPerSecond } = this.#options;
    const { groups, classics, listedAt } = index.pools;
    const readAt = [...groups.values()].map((group) => group.readAt).filter(Number.isFinite);
    return {
      isKept: indexPerSecond > 0,
      ...(Number.isFinite(listedAt) && { listedAt }),
      groups: groups.size,
      groupsRead: readAt.length,
      listedWhole: classics.size,
      ...(readAt.length > 0 && { oldestReadAt: readAt.reduce((oldest, at) => Math.min(oldest, at)) }),
      ...(this.#failure && { failure: this.#failure }),
    };
  }

  #failed(error: DrainError): void {
    this.#failure = { at: this.#options.clock.now(), error };
    this.#options.onFailure(error);
  }

  async #readOne(turn: number, by: CallFor): Promise<void> {
    const { clock, index, instances, isGuarded, prepareGuard } = this.#options;
    const { pools } = index;
    if (clock.now() - pools.listedAt >= LIST_INTERVAL_MS) {
      this.#failedAt.clear();
      return pools.refresh(by);
    }
    if (turn % SETTINGS_EVERY === TAGS_TURN && (await this.#options.refreshTags(by))) return;
    const classics = isGuarded ? pools.classics.values() : [];
    const unread = oldest([...pools.groups.values(), ...classics], ({ pool, readAt }) => this.#triedAt(pool, readAt));
    const undescribed = oldest([...pools], ({ pool, settings }) => this.#triedAt(pool, settings.knownAt));
    const isWhole = unread === undefined || Number.isFinite(unread.readAt);
    // At once when every group was read. Until then each drain reads its node, and the zones of the targets that would remain.
    if (clock.now() - this.#instancesAskedAt >= this.#instancesIntervalMs || (isWhole && !this.#hasAskedAboutAll)) {
      this.#instancesAskedAt = clock.now();
      this.#hasAskedAboutAll = isWhole;
      return instances.refresh(index.instances(), by);
    }
    // Members first: a node can be deregistered without the settings, but not if it is unknown where it is registered.
    const isSettingsTurn = unread === undefined || (turn % SETTINGS_EVERY === 0 && Number.isFinite(unread.readAt));
    const due = isSettingsTurn ? undescribed : unread;
    if (due === undefined) return;
    const { pool, settings } = due;
    const readAt = isSettingsTurn ? this.#triedAt(pool, settings.knownAt) : (unread?.readAt ?? 0);
    if (clock.now() - readAt < FRESH_MS) return;
    try {
      if (isSettingsTurn) {
        await settings.ask(by);
        if (isGuarded) await prepareGuard(pool, by);
      } else await unread?.read(by);
    } catch (error) {
      this.#failedAt.set(pool.id, clock.now());
      throw error;
    }
  }

  /** At a very low rate, most calls must be left for the pools. */
  get #instancesIntervalMs(): number {
    return Math.max(INSTANCES_INTERVAL_MS, (INSTANCES_EVERY * 1_000) / this.#options.indexPerSecond);
  }

  /** One pool that keeps failing does not keep the others from their turn. */
  #triedAt({ id }: Pool, succeededAt: number): number {
    return Math.max(succeededAt, this.#failedAt.get(id) ?? Number.NEGATIVE_INFINITY);
  }
}

function oldest<T>(list: readonly T[], at: (one: T) => number): T | undefined {
  let found: T | undefined;
  for (const one of list) if (found === undefined || at(one) < at(found)) found = one;
  return found;
}
