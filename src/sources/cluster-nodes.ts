import { newAbort, WOKEN, withAnyOf } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { type ClusterNode, EXCLUDE_LABEL, type NodeChange, type NodeTrigger } from "../drain/cluster.ts";
import { asDrainError, type DrainError } from "../drain/errors.ts";
import type { Delivery, EventSource } from "../drain/event-source.ts";
import type { ServerTime } from "../drain/server-time.ts";
import { announcedRequest } from "./announced-drain.ts";
import type { Announcement } from "./announcement.ts";
import { autoscalerTaint } from "./cluster/autoscaler-taint.ts";
import { cordon } from "./cluster/cordon.ts";
import { drainAnnotation } from "./cluster/drain-annotation.ts";
import { karpenterTaint } from "./cluster/karpenter-taint.ts";
import { nodeDeletion } from "./cluster/node-deletion.ts";
import { announcementOf, type NodeAnnouncement, type NodeKind, type NodeKindOptions } from "./cluster/node-kind.ts";
import { notReady } from "./cluster/not-ready.ts";
import { otherTaint } from "./cluster/other-taint.ts";
import { type MetadataEvent, type Notice, noticeEnd, StandingNotices } from "./standing-notices.ts";

/** The involuntary ones first. */
const KINDS: readonly NodeKind[] = [
  autoscalerTaint,
  karpenterTaint,
  nodeDeletion,
  otherTaint,
  drainAnnotation,
  notReady,
  cordon,
];

/** The first announcement of a Node object by one of these triggers. Undefined: it announces no departure. */
export function departureOf(
  node: ClusterNode,
  { triggers, ...options }: NodeKindOptions & Pick<ClusterNodesOptions, "triggers">,
): NodeAnnouncement | undefined {
  for (const kind of KINDS) {
    const announced = triggers.has(kind.trigger) ? kind.read(node, options) : undefined;
    if (announced !== undefined) return announced;
  }
  return undefined;
}

/** The events of announcements by Node objects. */
export type NodeEvent = { readonly name: string } & (
  | { readonly type: "node-announced"; readonly announcement: Announcement }
  /** It announces a departure, and is not an EC2 instance with a known id. */
  | { readonly type: "node-skipped"; readonly providerId: string | undefined; readonly reason: string }
  /** The last announcement is gone. `undone`: the number of undone drains. */
  | { readonly type: "node-withdrawn"; readonly instanceId: string; readonly undone: number }
  | { readonly type: "node-not-withdrawn"; readonly instanceId: string; readonly error: DrainError }
);

export interface ClusterNodesOptions extends NodeKindOptions {
  /** Each Node object at first, and again whenever it has changed. Ends when `signal` aborts. */
  readonly changes: (signal: AbortSignal) => AsyncIterable<readonly NodeChange[]>;
  readonly clock: Clock;
  /** The cluster's clock, by which its programs state their deadlines. Absent: the same as this machine's. */
  readonly time?: Pick<ServerTime, "here">;
  readonly triggers: ReadonlySet<NodeTrigger>;
  /**
   * When the machine is removed in any case, by the cluster's clock, in milliseconds since the epoch. Undefined: this
   * is not stated. Never rejects.
   */
  readonly deadlineOf: (node: ClusterNode, signal: AbortSignal) => Promise<number | undefined>;
  readonly dryRun: boolean;
  /** Undoes the drains that only announcements of Node objects have asked for. Resolves with their number. */
  readonly withdraw: (instanceId: string) => Promise<number>;
  readonly onEvent: (event: NodeEvent) => void;
}

interface WatchedNode {
  node: ClusterNode;
  readonly instanceId: string;
  readonly notices: StandingNotices;
}

/** Requests drains of the nodes whose Node objects announce that they go away. */
export class ClusterNodes implements EventSource {
  readonly #options: ClusterNodesOptions;
  readonly #kinds: readonly NodeKind[];
  /** Nodes that announce something, or have a drain because they did, by uid. */
  readonly #announcing = new Map<string, WatchedNode>();
  /** The uids of the nodes that were seen before, or reported as skipped. */
  readonly #seen = new Set<string>();
  readonly #skipped = new Set<string>();
  readonly #withdrawing = new Set<Promise<void>>();
  #woken = newAbort();

  constructor(options: ClusterNodesOptions) {
    this.#options = options;
    this.#kinds = KINDS.filter(({ trigger }) => options.triggers.has(trigger));
  }

  /** Resolves when no undo is in progress. */
  async ended(): Promise<void> {
    await Promise.all(this.#withdrawing);
  }

  async *deliveries(stop: AbortSignal): AsyncGenerator<Delivery> {
    const changes = this.#options.changes(stop)[Symbol.asyncIterator]();
    let next = changes.next();
    next.catch(() => {}); // Handled where it is waited for, unless nothing is delivered any more.
    try {
      for (;;) {
        const due = [...this.#announcing.values()].flatMap((watched) =>
          [...watched.notices.due()].map((notice) => this.#delivery(watched, notice, stop)),
        );
        yield* await Promise.all(due);
        const result = await this.#nextOf(next, stop);
        if (result === undefined) continue;
        if (result.done === true) return;
        for (const change of result.value) {
          if ("gone" in change) this.#forget(change.gone);
          else this.#see(change.node);
        }
        next = changes.next();
      }
    } catch (error) {
      if (!stop.aborted) throw error;
    }
  }

  /** Undefined: a notice is due before something changes. */
  async #nextOf<T>(next: Promise<T>, stop: AbortSignal): Promise<T | undefined> {
    const { clock } = this.#options;
    const dueAt = Math.min(
      Number.POSITIVE_INFINITY,
      ...[...this.#announcing.values()].map(({ notices }) => notices.nextDueAt),
    );
    this.#woken = newAbort();
    const { signal } = this.#woken;
    const isDue = withAnyOf([signal, stop], (either) =>
      clock.sleep(Number.isFinite(dueAt) ? Math.max(0, dueAt - clock.now()) : LONG_MS, either),
    ).catch(() => {});
    const changed = await Promise.race([next, isDue.then(() => undefined)]);
    this.#woken.abort(WOKEN);
    stop.throwIfAborted();
    return changed;
  }

  /** Its machine is going, or gone, so that its targets stay deregistered. */
  #forget(uid: string): void {
    this.#announcing.delete(uid);
    this.#seen.delete(uid);
    this.#skipped.delete(uid);
  }

  #see(node: ClusterNode): void {
    const { uid, instanceId } = node;
    const isNew = !this.#seen.has(uid);
    this.#seen.add(uid);
    const said = this.#kinds.map((kind) => ({ kind, announced: kind.read(node, this.#options) }));
    const first = said.find(({ announced }) => announced !== undefined)?.announced;
    const known = this.#announcing.get(uid);
    if (known === undefined && first === undefined) {
      // Its announcement was removed while no process watched.
      if (isNew && instanceId !== undefined && node.labels[EXCLUDE_LABEL] !== undefined)
        this.#withdraw(node, instanceId);
      return;
    }
    if (instanceId === undefined) {
      this.#skip(node, first?.reason);
      return;
    }
    const watched = known ?? this.#watch(node, instanceId);
    watched.node = node;
    for (const { kind, announced } of said)
      watched.notices.see(
        kind.kind,
        announced === undefined ? [] : [announcementOf(kind, announced, node, instanceId)],
      );
    if (!watched.notices.isEmpty) return;
    this.#announcing.delete(uid);
    this.#withdraw(node, instanceId);
  }

  #watch(node: ClusterNode, instanceId: string): WatchedNode {
    const onEvent = (event: MetadataEvent) => {
      if (event.type === "noticed")
        this.#notify({ type: "node-announced", name: node.name, announcement: event.announcement });
    };
    const { clock, time } = this.#options;
    const notices = new StandingNotices({
      clock,
      ...(time && { time }),
      onEvent,
      maintenanceLeadMs: 0,
      bootedAt: () => Number.NEGATIVE_INFINITY,
    });
    const watched = { node, instanceId, notices };
    this.#announcing.set(node.uid, watched);
    return watched;
  }

  #skip({ uid, name, providerId }: ClusterNode, reason = ""): void {
    if (this.#skipped.has(uid)) return;
    this.#skipped.add(uid);
    this.#notify({ type: "node-skipped", name, providerId, reason });
  }

  async #delivery({ node }: WatchedNode, notice: Notice, stop: AbortSignal): Promise<Delivery> {
    const { dryRun, deadlineOf, time } = this.#options;
    const { announcement } = notice;
    const { isExcluding, isEvicting } = KINDS.find(({ kind }) => kind === announcement.kind) ?? {};
    const ofCluster = await deadlineOf(node, stop);
    const ownDeadline = ofCluster === undefined || time === undefined ? ofCluster : time.here(ofCluster);
    const stated = [notice.deadline, ownDeadline].filter((at) => at !== undefined);
    const deadline = stated.length === 0 ? undefined : Math.min(...(stated as readonly number[]));
    const request = announcedRequest(announcement, { deadline, dryRun });
    return {
      request: {
        ...request,
        ...(isExcluding && { isExcludedBefore: true }),
        ...(isEvicting && { isEvictedByOwner: true }),
      },
      // The Node object is the record: the next process reads it again.
      accepted: () => {},
      unrecorded: () => {},
      settle: async (outcome) => {
        notice.done(noticeEnd(outcome));
        this.#woken.abort(WOKEN);
      },
    };
  }

  #withdraw({ name }: ClusterNode, instanceId: string): void {
    const done = this.#options
      .withdraw(instanceId)
      .then(
        (undone) => undone > 0 && this.#notify({ type: "node-withdrawn", name, instanceId, undone }),
        (error: unknown) => this.#notify({ type: "node-not-withdrawn", name, instanceId, error: asDrainError(error) }),
      )
      .then(() => {
        this.#withdrawing.delete(done);
      });
    this.#withdrawing.add(done);
  }

  #notify(event: NodeEvent): void {
    this.#options.onEvent(event);
  }
}

/** Only a change can end the wait. */
const LONG_MS = 3_600_000;
