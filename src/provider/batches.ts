import type { AwsAccess, AwsAction } from "../aws/aws-caller.ts";
import { isNamedIn, isPoolGone, isTargetGone } from "../aws/errors.ts";
import { type CallFor, idOf, type Registration } from "../drain/cloud-provider.ts";

/** AWS refuses larger calls now and then; its own controllers send 100 to 200. */
const TARGETS_PER_CALL_MAX = 100;

/** What a batch is gathered from, as its call is about to be sent: see `CloudProvider.deregister`. */
export type Take = (max: number) => Promise<readonly Registration[]>;

/** A call about many registrations, which AWS refuses as a whole because of one. */
export interface BatchCall {
  readonly action: AwsAction;
  readonly by: CallFor;
  /** How many targets of AWS the registration is. Absent: one. */
  readonly countOf?: (registration: Registration) => number;
  /** Never called without registrations: AWS would take an empty list for all of them. */
  readonly send: (batch: readonly Registration[]) => Promise<unknown>;
  /** AWS does not know these, and the others are sent without them. */
  readonly refused: (targets: readonly string[], error: unknown) => void;
}

/**
 * Sends what `take` gives in one call. Before another attempt those are left out that are no longer meant, and others come
 * along. Throws what AWS answers about the pool, or fails with.
 */
export function sendBatch({ caller }: Pick<AwsAccess, "caller">, call: BatchCall, take: Take): Promise<void> {
  const { by, countOf = () => 1 } = call;
  let chosen: readonly Registration[] = [];
  const gathered = async () => {
    chosen = stillMeant(chosen, by);
    const count = chosen.reduce((sum, registration) => sum + countOf(registration), 0);
    chosen = [...chosen, ...(await take(Math.max(0, TARGETS_PER_CALL_MAX - count)))];
    return chosen;
  };
  return sendInParts(caller, call, gathered);
}

async function sendInParts(
  caller: AwsAccess["caller"],
  call: BatchCall,
  gathered: () => Promise<readonly Registration[]>,
): Promise<void> {
  const { action, by, send, refused } = call;
  let batch: readonly Registration[] = [];
  try {
    await caller.call(action, by, async () => {
      batch = await gathered();
      // Those who wanted this call may have left meanwhile.
      return batch.length === 0 ? undefined : send(batch);
    });
  } catch (error) {
    if (isPoolGone(error) || !isTargetGone(error)) throw error;
    const isNamed = ({ target }: Registration) => batch.length === 1 || isNamedIn(error, idOf(target));
    const parts = inParts(batch, isNamed);
    // A part without those that AWS has named is all that is left; halves are tried each by itself.
    const named = parts.length < 2 ? batch.filter(isNamed) : [];
    if (named.length > 0)
      refused(
        named.map(({ target }) => target),
        error,
      );
    for (const part of parts) await sendInParts(caller, call, async () => stillMeant(part, by));
  }
}

/** Without those that have left meanwhile: a drain that is cancelled must deregister nothing more. */
function stillMeant(batch: readonly Registration[], { stillIncluded }: CallFor): readonly Registration[] {
  const still = batch.length === 0 ? undefined : stillIncluded?.();
  return still === undefined ? batch : batch.filter(({ target }) => still.has(target));
}

/**
 * The part to retry of a batch that was refused as a whole because of some of its members: all but the `named`
 * ones, or halves where that is none or all. No part is empty; a batch of one has no parts.
 */
export function inParts<T>(batch: readonly T[], isNamed: (member: T) => boolean): readonly (readonly T[])[] {
  const others = batch.filter((member) => !isNamed(member));
  if (others.length > 0 && others.length < batch.length) return [others];
  return batch.length <= 1 ? [] : inBatches(batch, Math.ceil(batch.length / 2));
}

/** `list` in its order, in parts of at most `size`. No part is empty. */
export function inBatches<T>(list: readonly T[], size: number): readonly T[][] {
  const batches: T[][] = [];
  for (let start = 0; start < list.length; start += size) batches.push(list.slice(start, start + size));
  return batches;
}
