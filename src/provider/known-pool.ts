import type { AwsAccess, AwsAction } from "../aws/aws-caller.ts";
import { isPoolGone } from "../aws/errors.ts";
import type { Clock } from "../drain/clock.ts";
import type { CallFor, Observed, Registration } from "../drain/cloud-provider.ts";
import { asDrainError, DrainError } from "../drain/errors.ts";
import { type BatchCall, sendBatch, type Take } from "./batches.ts";
import type { KnownTags } from "./known-tags.ts";
import type { KnownSettings } from "./pool-settings.ts";
import type { AwsPool, ListedTarget } from "./target-groups.ts";

/** What all pools of one account and region share. */
export interface PoolContext {
  readonly aws: AwsAccess;
  readonly clock: Clock;
  readonly tags: KnownTags;
  /** The cluster whose tag the IAM policy requires of a pool that is changed. Absent: any pool may be changed. */
  readonly writableCluster: string | undefined;
  /** Whether the index reads the health of classic load balancers, for a guard. */
  readonly keepsHealth: () => boolean;
  readonly reads: ReadNumbers;
  /** Called for each read of a target group, before its callers get it. */
  readonly onRead: (groupId: string, read: TargetRead) => void;
}

/**
 * Numbers the reads of all target groups when they are sent: a higher number was sent later, even within a millisecond.
 */
export class ReadNumbers {
  /** The number of the last read that was sent. */
  last = 0;
}

/** The content of a target group at the time of a read. */
export interface TargetRead {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** See `ReadNumbers`. */
  readonly number: number;
  /** One for each id and port. */
  readonly targets: readonly ListedTarget[];
  /** The pool does not exist any more. */
  readonly isGone?: true;
}

/** The targets of a pool, with their health. */
export interface ReadTargets {
  /** When the read was sent, in milliseconds since the epoch. */
  readonly at: number;
  readonly targets: readonly Pick<Registration, "target" | "isHealthy" | "mayBeHealthy" | "state">[];
}

/** A target group or a classic load balancer: everything that is known about it, and its calls. */
export interface KnownPool {
  readonly pool: AwsPool;
  /** The VPC, after it was listed. Empty if AWS names none. */
  readonly network: string | undefined;
  readonly settings: KnownSettings;
  /** The action that deregisters from it. */
  readonly deregisters: AwsAction;
  /** The load balancers that use it and may have cross-zone load balancing off, by ARN. */
  readonly loadBalancerArns: readonly string[];
  /** The instances in its listing. */
  readonly instances: ReadonlySet<string>;
  /** See `CloudProvider.deregister`. */
  deregister(take: Take, by: CallFor): Promise<void>;
  /** AWS has acknowledged the deregistration. Until the next read nothing else is known about these targets. */
  deregistered(targets: ReadonlySet<string>): void;
  /** See `CloudProvider.register`. */
  register(take: Take, by: CallFor): Promise<void>;
  /** As `deregistered`. */
  registered(again: readonly Registration[]): void;
  /** See `CloudProvider.observe`. */
  observe(which: () => readonly Registration[], by: CallFor): Promise<Observed>;
  /** The known health. Makes no call. */
  knownHealth(): ReadTargets | undefined;
  /**
   * The current health from AWS. A read in flight that was sent at `since` (milliseconds since the epoch) or later is
   * sufficient.
   */
  readHealth(since: number, by: CallFor): Promise<ReadTargets>;
}

/**
 * If AWS does not know one target, it refuses all of them, and that target is deregistered already. So is everything in
 * a pool that has vanished.
 */
export async function deregisterBatch(aws: AwsAccess, call: Omit<BatchCall, "refused">, take: Take): Promise<void> {
  const refused = (targets: readonly string[]) => call.by.refuses?.(targets);
  try {
    await sendBatch(aws, { ...call, refused }, take);
  } catch (error) {
    if (!isPoolGone(error)) throw error;
  }
}

export async function registerBatch(
  aws: AwsAccess,
  call: Omit<BatchCall, "refused">,
  { pool, take }: { readonly pool: AwsPool; readonly take: Take },
): Promise<void> {
  const refused = (targets: readonly string[], error: unknown) =>
    call.by.refuses?.(
      targets,
      new DrainError("not-registered", `AWS refused it: ${asDrainError(error).message}`, { cause: error }),
    );
  try {
    await sendBatch(aws, { ...call, refused }, take);
  } catch (error) {
    if (!isPoolGone(error)) throw error;
    throw new DrainError("not-registered", `${pool.name} no longer exists`, { cause: error });
  }
}
