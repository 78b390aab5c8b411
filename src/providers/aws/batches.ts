/** `list` in its order, in parts of at most `size`. No part is empty. */
export function inBatches<T>(list: readonly T[], size: number): readonly T[][] {
  const batches: T[][] = [];
  for (let start = 0; start < list.length; start += size) batches.push(list.slice(start, start + size));
  return batches;
}
