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
  /** The cluster whose tag the IAM policy demands of a pool that is written. Absent: any may be. */
  readonly writableCluster: string | undefined;
  /** The index reads the health of classic load balancers, for a guard. */
  readonly keepsHealth: boolean;
  readonly reads: ReadNumbers;
  /** Hears of each read of a target group before those who have asked for it. */
  readonly onRead: (groupId: string, read: TargetRead) => void;
}

/** Numbers the reads of all target groups as they are sent: one with a higher number was sent later, even within a millisecond. */
export class ReadNumbers {
  /** Of the read that was sent last. */
  last = 0;
}

/** What a target group held when AWS was asked. */
export interface TargetRead {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** See `ReadNumbers`. */
  readonly number: number;
  /** One of each id and port. */
  readonly targets: readonly ListedTarget[];
}

/** The targets of a pool, with their health. */
export interface ReadTargets {
  /** When AWS was asked, in milliseconds since the epoch. */
  readonly at: number;
  readonly targets: readonly Pick<Registration, "target" | "isHealthy" | "mayBeHealthy" | "state">[];
}

/** A target group or a classic load balancer: all that is known of it, and the calls about it. */
export interface KnownPool {
  readonly pool: AwsPool;
  /** The VPC, once it was listed. Empty where AWS names none. */
  readonly network: string | undefined;
  readonly settings: KnownSettings;
  /** What deregisters. */
  readonly deregisters: AwsAction;
  /** Those that use it and may have cross-zone load balancing off, by ARN. */
  readonly loadBalancerArns: readonly string[];
  /** Instances that its listing names. */
  readonly instances: ReadonlySet<string>;
  /** See `CloudProvider.deregister`. */
  deregister(take: Take, by: CallFor): Promise<void>;
  /** AWS has acknowledged that: until the next read that is all there is to say of these. */
  deregistered(targets: ReadonlySet<string>): void;
  /** See `CloudProvider.register`. */
  register(take: Take, by: CallFor): Promise<void>;
  /** As `deregistered`. */
  registered(again: readonly Registration[]): void;
  /** See `CloudProvider.observe`. */
  observe(which: () => readonly Registration[], by: CallFor): Promise<Observed>;
  /** Health without a call. */
  knownHealth(): ReadTargets | undefined;
  /** As AWS says now; a read in flight that was sent at `since` (milliseconds since the epoch) or later serves as well. */
  readHealth(since: number, by: CallFor): Promise<ReadTargets>;
}

/** One target that AWS does not know refuses all, and is out already. So is everything in a pool that has vanished. */
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
