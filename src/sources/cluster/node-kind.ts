import type { ClusterNode, NodeTrigger } from "../../drain/cluster.ts";
import type { Announcement, AnnouncementKind } from "../announcement.ts";

/** The announcement of a Node object by one kind, without what all kinds have in common. */
export type NodeAnnouncement = Pick<Announcement, "reason" | "deadline" | "isVoluntary"> & {
  /**
   * Distinguishes this announcement from an earlier one of the same kind and node. Absent: they can't be distinguished.
   */
  readonly mark?: string;
  /**
   * When the program that removes the node stops trying to evict its pods, in milliseconds since the epoch. Absent: it
   * does not stop.
   */
  readonly evictBy?: number;
};

/** One way in which a Node object announces that its machine goes away. One file each. */
export interface NodeKind {
  readonly kind: AnnouncementKind;
  /** Its name in the option NODE_TRIGGERS. */
  readonly trigger: NodeTrigger;
  /** The cluster's controllers deregister such a node themselves. */
  readonly isExcluding?: true;
  /** The program that removes the machine evicts its pods. */
  readonly isEvicting?: true;
  /** Pure. Undefined: no announcement of this kind. `now`: milliseconds since the epoch. */
  read(node: ClusterNode, options: NodeKindOptions): NodeAnnouncement | undefined;
}

export interface NodeKindOptions {
  /** How long cluster-autoscaler waits for the annotation that delays a deletion, in milliseconds. */
  readonly autoscalerDelayMs: number;
  /** The keys of other taints that announce a departure. */
  readonly taints: ReadonlySet<string>;
}

/** The announcement of a Node object of the instance, from what `kind` has read. */
export function announcementOf(
  { kind }: NodeKind,
  { mark = "", evictBy: _, ...said }: NodeAnnouncement,
  { uid }: ClusterNode,
  instanceId: string,
): Announcement {
  return { kind, instanceId, eventId: `${uid} ${mark}`.trim(), ...said };
}
