import type { ClusterNode, NodeTrigger } from "../../drain/cluster.ts";
import type { Announcement, AnnouncementKind } from "../announcement.ts";

/** What a kind says of a Node object: the announcement, without what all kinds have in common. */
export type NodeAnnouncement = Pick<Announcement, "reason" | "deadline" | "isVoluntary"> & {
  /** Tells this announcement from an earlier one of the same kind and node. Absent: there is no telling. */
  readonly mark?: string;
  /** When the program that removes the node gives up evicting its pods, in milliseconds since the epoch. Absent: it does not. */
  readonly evictBy?: number;
};

/** One way in which a Node object says that its machine will go away. One file each. */
export interface NodeKind {
  readonly kind: AnnouncementKind;
  /** How the option NODE_TRIGGERS names it. */
  readonly trigger: NodeTrigger;
  /** The cluster's controllers deregister such a node themselves. */
  readonly isExcluding?: true;
  /** The program that removes the machine evicts its pods. */
  readonly isEvicting?: true;
  /** Pure. Undefined: it says nothing of the kind. `now`: milliseconds since the epoch. */
  read(node: ClusterNode, options: NodeKindOptions): NodeAnnouncement | undefined;
}

export interface NodeKindOptions {
  /** How long cluster-autoscaler waits for the annotation that delays a deletion, in milliseconds. */
  readonly autoscalerDelayMs: number;
  /** The keys of other taints that announce a departure. */
  readonly taints: ReadonlySet<string>;
}

/** What a Node object of the instance announces by what `kind` has read. */
export function announcementOf(
  { kind }: NodeKind,
  { mark = "", evictBy: _, ...said }: NodeAnnouncement,
  { uid }: ClusterNode,
  instanceId: string,
): Announcement {
  return { kind, instanceId, eventId: `${uid} ${mark}`.trim(), ...said };
}
