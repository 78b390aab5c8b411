/** `list` in its order, in parts of at most `size`. No part is empty. */
export function inBatches<T>(list: readonly T[], size: number): readonly T[][] {
  const batches: T[][] = [];
  for (let start = 0; start < list.length; start += size) batches.push(list.slice(start, start + size));
  return batches;
}

/**
 * A batch that was refused as a whole because of some of its members: those that are `suspect` apart from the others, or
 * else halves. No part is empty; a batch of one has no parts.
 */
export function inParts<T>(batch: readonly T[], suspect: (member: T) => boolean): readonly (readonly T[])[] {
  if (batch.length <= 1) return [];
  const suspects = batch.filter(suspect);
  if (suspects.length > 0 && suspects.length < batch.length) {
    return [batch.filter((member) => !suspects.includes(member)), suspects];
  }
  return inBatches(batch, Math.ceil(batch.length / 2));
}
