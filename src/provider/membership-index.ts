import { newAbort } from "../drain/abort.ts";
import {
  type CallFor,
  type FoundRegistrations,
  idOf,
  type Node,
  type Pool,
  type Registration,
  type Remembered,
  type Vanished,
} from "../drain/cloud-provider.ts";
import type { DrainError } from "../drain/errors.ts";
import { compareUrgency, type Urgency } from "../drain/urgency.ts";
import { CLASSIC_DRAINS_MAX_MS, type ClassicLoadBalancer } from "./classic-load-balancer.ts";
import type { CrossZoneSettings } from "./cross-zone.ts";
import { type PoolContext, ReadNumbers, type TargetRead } from "./known-pool.ts";
import { MembersById } from "./members.ts";
import { doubtfulZone, Memory } from "./memory.ts";
import { type Claim, NodeAddresses } from "./node-addresses.ts";
import { NodeSearch, PoolNumbers } from "./node-search.ts";
import { Pools, type PoolsOptions } from "./pools.ts";
import { Searches } from "./searches.ts";
import { sinceBefore, type TargetGroup } from "./target-group.ts";
import { type ListedTarget, listedZoneOf, registrationOf, zoneAmong } from "./target-groups.ts";
import { VanishedTargets } from "./vanished-targets.ts";

/** A drain does not begin with a list of pools that is older than this. */
const LIST_KEPT_MS = 150_000;

export interface MembershipIndexOptions
  extends Omit<PoolsOptions, "onListed">,
    Omit<PoolContext, "reads" | "onRead" | "keepsHealth"> {
  readonly crossZone: CrossZoneSettings;
  /** Whether reads are remembered for later drains. */
  readonly remembers: boolean;
  /** Of groups with a node that was searched for, all members are stored, because a guard needs their health. */
  readonly isGuarded: boolean;
  /** Whether a listed pool is one that drains cover. Undefined for others. */
  readonly meant: (node: Node, pools: Pools, by: CallFor) => Promise<(pool: Pool) => boolean | undefined>;
  /** The node with its current addresses. */
  readonly asItIsNow: (node: Node, by: CallFor) => Promise<Node>;
  /** The other machines with this address, each with its network. */
  readonly othersWith: (address: string, node: Node, by: CallFor) => Promise<readonly string[]>;
}

/** A search that looks for a target, and whose target it is as far as the search knows. */
interface Seeker {
  readonly search: NodeSearch;
  readonly claim: Claim;
}

interface Seen extends Seeker {
  readonly registration: Registration;
}

const NO_CALLER: Urgency = { purpose: "verify", deadline: Number.POSITIVE_INFINITY };

/**
 * Where nodes are registered. A search reads every pool of the node's network once, together with all other searches.
 * Remembered registrations are reported at once, and verified then.
 */
export class MembershipIndex {
  readonly pools: Pools;
  /** Whether `IndexRefresh` reads the pools. Where it does not, as in a Lambda function, remembered health can be hours old. */
  isKept = false;
  readonly #options: MembershipIndexOptions;
  #numbers = new PoolNumbers();
  readonly #members = new MembersById(() => this.pools.groups.values());
  readonly #memory = new Memory(() => this.pools, this.#members);
  readonly #searches = new Searches();
  readonly #vanished = new VanishedTargets();
  /** Groups whose read for searches was not sent yet. */
  readonly #asked = new Set<string>();
  #scanning = newAbort();

  constructor(options: MembershipIndexOptions) {
    this.#options = options;
    const onRead = (groupId: string, read: TargetRead) => this.#learned(groupId, read);
    const keepsHealth = () => this.isKept && options.isGuarded;
    const context = { ...options, reads: new ReadNumbers(), onRead, keepsHealth };
    this.pools = new Pools(context, { ...options, onListed: () => this.#listed() });
  }

  /** See `CloudProvider.findRegistrations`. */
  async *find(node: Node, by: CallFor): AsyncGenerator<FoundRegistrations> {
    const purpose = this.isWarm(node) ? "verify" : "find";
    const search = new NodeSearch(node, by, { purpose, since: this.pools.lastRead, pools: this.#numbers });
    this.#searches.add(search);
    this.#search(search).catch((error: unknown) => search.fail(error));
    try {
      yield* search.results();
    } finally {
      this.#searches.delete(search);
      if (this.#searches.size === 0) {
        this.#numbers = new PoolNumbers();
        this.#scanning.abort(new Error("no search needs it"));
        this.#scanning = newAbort();
        this.#asked.clear();
      }
    }
  }

  /** Whether the memory covers every pool that the node could be in. */
  isWarm(node: Node): boolean {
    return this.#isListed && this.pools.groupsOf(node).every(({ readAt }) => Number.isFinite(readAt));
  }

  /** See `CloudProvider.remembered`. */
  async remembered(node: Node, by: CallFor): Promise<Remembered | undefined> {
    if (!this.isWarm(node) || node.isPartial === true) return undefined;
    const search = new NodeSearch(node, by, { purpose: "verify", since: 0, pools: new PoolNumbers() });
    search.means(await this.#options.meant(node, this.pools, search.by));
    for (const registration of this.#memory.of(node)) search.saw(registration.pool, [registration]);
    const addresses = new NodeAddresses(node);
    const byAddress = this.#members.ofAddresses(node).map(async (registration) => {
      const group = this.pools.groups.get(registration.pool.id);
      if (group === undefined || !this.pools.isAround(node, group)) return;
      await this.#saw(
        search,
        group,
        registration,
        addresses.claim(group.network ?? "", idOf(registration.target), listedZoneOf(registration)),
      );
    });
    await Promise.all(byAddress);
    // It may be unknown whose an address is. Then this is not everything.
    search.throwIfFailed();
    const knownSince = this.#memory.knownSince(node);
    return { ...(search.take() ?? { registrations: [], elsewhere: [] }), asOf: this.#memory.since(node), knownSince };
  }

  /** The same whatever its age, and without a call. Undefined if the memory is not complete, or there is none. */
  lastKnown(node: Node, isMeant: (pool: Pool) => boolean | undefined): ReturnType<Memory["lastKnown"]> {
    return this.#options.remembers ? this.#memory.lastKnown(node, isMeant) : undefined;
  }

  /** The node's registrations by its id that the reads of their groups have lacked for a while. */
  vanished({ id }: Node): readonly Vanished[] {
    return this.#vanished.of(id);
  }

  /** Every instance that is registered by its id, as far as it is remembered. */
  instances(): ReadonlySet<string> {
    const ids = new Set([...this.#members.ids()].filter((id) => id.startsWith("i-")));
    for (const { instances } of this.pools.classics.values()) for (const id of instances) ids.add(id);
    return ids;
  }

  /** These were deregistered. Until the next read nothing else is known about them. */
  deregistered(pool: Pool, targets: ReadonlySet<string>): void {
    this.pools.of(pool).deregistered(targets);
    this.#members.changed();
  }

  /** These were registered again. Until the next read nothing else is known about them. */
  registered(pool: Pool, again: readonly Registration[]): void {
    this.pools.of(pool).registered(again);
    this.#members.changed();
  }

  /** Passes a read of a group on to running searches, and remembers it. */
  #learned(groupId: string, { at, number, targets, isGone }: TargetRead): void {
    const group = this.pools.groups.get(groupId);
    // The group may be gone by now, and a later read may be answered first.
    if (group === undefined || number <= group.readNumber) return;
    const seekers = this.#seekersOf(group);
    const seen: Seen[] = [];
    const before = new Map(group.registrations.map((registration) => [registration.target, registration]));
    const registrations: Registration[] = [];
    const { remembers, isGuarded } = this.#options;
    group.isGuarded ||= isGuarded && targets.some((listed) => seekers(listed).length > 0);
    group.isWhole = remembers || group.isGuarded;
    for (const listed of targets) {
      const finders = seekers(listed);
      if (finders.length === 0 && !group.isWhole) continue;
      const registration = sinceBefore(registrationOf(group.pool, listed), before, group.readAt);
      if (group.isWhole) registrations.push(group.asNoted(registration, number));
      for (const { search, claim } of finders) seen.push({ search, claim, registration });
    }
    if (group.isWhole && isGone !== true) {
      for (const { target } of registrations) before.delete(target);
      for (const target of before.keys()) if (group.wasOwn(target)) before.delete(target);
      this.#vanished.learn(before.values(), registrations, { readAt: group.readAt, at });
    }
    group.registrations = registrations;
    // Nothing was registered with a new group before.
    if (group.readNumber === 0) group.knownSince = group.isNew ? Number.NEGATIVE_INFINITY : at;
    // Not before: a read that could not be evaluated must not end a search.
    group.readAt = at;
    group.readNumber = number;
    this.#members.changed();
    for (const { search, claim, registration } of seen) {
      const told = this.#saw(search, group, registration, claim);
      if (claim === "outside") void told.then(() => this.#endThoseThatAreDone());
    }
    this.#endThoseThatAreDone();
  }

  /** Passes on to the search what was seen, when it is known whose it is. */
  async #saw(
    search: NodeSearch,
    { pool, network = "" }: TargetGroup,
    registration: Registration,
    claim: Claim | undefined,
  ): Promise<void> {
    const address = idOf(registration.target);
    if (claim === "own") search.saw(pool, [registration]);
    if (claim === "doubtful") {
      const doubt = doubtfulZone(address, listedZoneOf(registration), network);
      search.saw(pool, [{ ...registration, doubt }]);
    }
    if (claim !== "outside") return;
    await search.sawOutside(pool, registration, async () => {
      const others = await this.#options.othersWith(address, search.node, { ...search.by, urgency: search.asked });
      return others.length === 0 ? undefined : `${address} is also an address of ${others.join(" and ")}`;
    });
  }

  get #isListed(): boolean {
    return this.#options.remembers && this.#options.clock.now() - this.pools.listedAt <= LIST_KEPT_MS;
  }

  async #search(search: NodeSearch): Promise<void> {
    const { meant } = this.#options;
    const { node, by } = search;
    if (this.#isListed) {
      search.means(await meant(node, this.pools, by));
      search.remembers(this.#memory.of(node));
      if (node.asOf === undefined) search.remembers(this.#memory.byAddress(node));
    }
    const learned = this.#learnAddresses(search);
    // If the node's addresses are partly known already, targets with known ones do not wait for the others.
    const first = node.isPartial === true ? ignored(learned) : learned;
    // Listed again for every search, so that a pool that was created a moment ago counts.
    await Promise.all([this.pools.refresh(by), first]);
    // For known pools too, because a name may belong to another load balancer by now. Tags are remembered.
    search.means(await meant(node, this.pools, by));
    // The search may have ended meanwhile, because another read has failed.
    if (!this.#searches.has(search)) return;
    const classics = this.pools.classicsOf(node);
    for (const classic of classics) search.saw(classic.pool, classic.listedOf(node));
    search.scanning = true;
    this.#scanAround(search);
    await Promise.all(classics.map((classic) => this.#askClassic(classic, search)));
    if (node.isPartial === true) {
      await learned;
      // Once more for all addresses, unless they were known before the first read was sent.
      this.#scanAround(search);
    }
    search.classicsAsked = true;
    this.#endThoseThatAreDone();
  }

  /**
   * First those in which the node is not known to be: they may hold what is not deregistered yet. A read of the others comes after
   * their deregistration then, and confirms it.
   */
  #scanAround(search: NodeSearch): void {
    const { node, since } = search;
    const known = new Set(this.#isListed ? this.#memory.of(node).map(({ pool }) => pool.id) : []);
    const groups = this.pools.groupsOf(node);
    for (const isKnown of [false, true])
      for (const group of groups) if (known.has(group.pool.id) === isKnown) this.#scan(group, since);
  }

  /** An address of a remembered node may belong to another machine by now. It does not count until that is known. */
  async #learnAddresses(search: NodeSearch): Promise<void> {
    const { node } = search;
    if (node.asOf === undefined && node.isPartial !== true) return;
    const now = await this.#options.asItIsNow(node, { ...search.by, urgency: search.asked });
    search.hasAddressesOf(now, this.pools.lastRead);
    if (this.#isListed) search.remembers(this.#memory.byAddress(now));
  }

  /**
   * A load balancer that does not list the node is asked about it by name: AWS does not document whether its list still
   * shows an instance that another program is deregistering, and such an instance still gets traffic.
   */
  async #askClassic(classic: ClassicLoadBalancer, search: NodeSearch): Promise<void> {
    const { node, by } = search;
    if (classic.instances.has(node.id)) return;
    const { listedAt } = this.pools;
    const lastListed = classic.listedAt.get(node.id) ?? Number.NEGATIVE_INFINITY;
    const watchedLong = listedAt - classic.watchedSince >= CLASSIC_DRAINS_MAX_MS;
    if (watchedLong && listedAt - lastListed >= CLASSIC_DRAINS_MAX_MS) return;
    const urgency = () => ({ ...by.urgency(), purpose: "verify" }) as const;
    search.saw(classic.pool, await classic.find(node, { ...by, urgency }));
  }

  /** Reads the group for all searches, unless such a read is about to be sent or was sent since. */
  #scan(group: TargetGroup, since: number): void {
    const { id } = group.pool;
    if (group.readNumber > since || this.#asked.has(id)) return;
    this.#asked.add(id);
    const { signal } = this.#scanning;
    const sent = () => {
      // Later callers need another read.
      if (!signal.aborted) this.#asked.delete(id);
    };
    const repeats = (error: DrainError) => {
      for (const search of this.#searches) if (this.#isAbout(search, group)) search.by.repeats?.(error);
    };
    const urgency = () => this.#scanUrgency();
    const those = () => [...this.#searches].filter((search) => this.#isAbout(search, group));
    const drains = () => those().flatMap(({ by }) => [...(by.drains?.() ?? [])]);
    group.read({ urgency, onRise: this.#searches.onRise, signal, repeats, drains }, sent).catch((error: unknown) => {
      if (signal.aborted) return;
      this.#asked.delete(id);
      for (const search of this.#searches) {
        if (this.#isAbout(search, group) && group.readNumber <= search.since) search.fail(error);
      }
    });
  }

  /** The list of another call may have new groups that searches must read, or lack the last one that they wait for. */
  #listed(): void {
    const { groups, classics } = this.pools;
    const { tags, crossZone } = this.#options;
    this.#members.changed();
    const loadBalancers = new Set([...groups.values()].flatMap(({ loadBalancerArns }) => loadBalancerArns));
    crossZone.retainOnly((arn) => loadBalancers.has(arn));
    tags.arns.retainOnly((arn) => groups.has(arn) || loadBalancers.has(arn));
    tags.names.retainOnly((name) => classics.has(name));
    const searches = [...this.#searches].filter(({ scanning }) => scanning);
    for (const group of groups.values()) {
      if (group.readNumber > 0) continue;
      for (const search of searches) if (this.#isAbout(search, group)) this.#scan(group, search.since);
    }
    this.#endThoseThatAreDone();
  }

  #endThoseThatAreDone(): void {
    // Nodes in the same networks wait for the same groups.
    const oldest = new Map<string, number>();
    for (const search of this.#searches) {
      if (!search.classicsAsked || search.isAsking) continue;
      const { networks } = search;
      const read = oldest.get(networks) ?? this.#oldestAround(search.node);
      oldest.set(networks, read);
      if (read > search.since) search.end();
    }
  }

  #oldestAround(node: Node): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const group of this.pools.groups.values()) {
      if (group.readNumber < oldest && this.pools.isAround(node, group)) oldest = group.readNumber;
    }
    return oldest;
  }

  #isAbout({ node }: NodeSearch, group: TargetGroup): boolean {
    return this.pools.isAround(node, group);
  }

  /** Finds the searches that look for a target of the group. */
  #seekersOf(group: TargetGroup): (listed: ListedTarget) => readonly Seeker[] {
    if (group.targetType === "instance") {
      const ofNode = (search: NodeSearch): readonly Seeker[] =>
        this.#isAbout(search, group) ? [{ search, claim: "own" }] : [];
      return ({ Target }) => this.#searches.ofNode(Target?.Id ?? "").flatMap(ofNode);
    }
    const searches = [...this.#searches].filter((search) => this.#isAbout(search, group));
    return ({ Target, also = [] }) =>
      searches.flatMap((search) => {
        const claim = search.claim(group.network ?? "", Target?.Id ?? "", zoneAmong([Target, ...also]));
        return claim === undefined ? [] : [{ search, claim }];
      });
  }

  #scanUrgency(): Urgency {
    const { urgency = NO_CALLER } = this.#searches.first ?? {};
    return compareUrgency(urgency, NO_CALLER) < 0 ? urgency : NO_CALLER;
  }
}

/** The caller that waits for it later gets its failure. */
async function ignored(work: Promise<unknown>): Promise<void> {
  work.catch(() => {});
}
