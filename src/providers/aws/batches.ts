/** `list` in its order, in parts of at most `size`. No part is empty. */
export function inBatches<T>(list: readonly T[], size: number): readonly T[][] {
  const batches: T[][] = [];
  for (let start = 0; start < list.length; start += size) batches.push(list.slice(start, start + size));
  return batches;
}

/**
 * What is to be tried again of a batch that was refused as a whole because of some of its members: all but the `named`
 * ones, or halves where that is none or all. No part is empty; a batch of one has no parts.
 */
export function inParts<T>(batch: readonly T[], isNamed: (member: T) => boolean): readonly (readonly T[])[] {
  const others = batch.filter((member) => !isNamed(member));
  if (others.length > 0 && others.length < batch.length) return [others];
  return batch.length <= 1 ? [] : inBatches(batch, Math.ceil(batch.length / 2));
}
