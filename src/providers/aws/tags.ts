import pMap from "p-map";
import { isPoolGone } from "../../aws/errors.ts";
import { inBatches } from "./batches.ts";

export type Tags = ReadonlyMap<string, string>;
export type TagsById = ReadonlyMap<string, Tags>;

/** Both ELB APIs describe the tags of at most this many resources in a call. */
const RESOURCES_PER_CALL_MAX = 20;
const CALLS_AT_ONCE = 5;

interface ListedTag {
  readonly Key?: string | undefined;
  readonly Value?: string | undefined;
}

/**
 * The tags of many resources by `describe`, which asks AWS about a batch. A resource that has vanished fails its whole
 * batch, often without being named: the batch is halved until that resource stands alone, and is left out.
 */
export async function tagsInBatches(
  ids: readonly string[],
  describe: (batch: string[]) => Promise<readonly (readonly [id: string, tags: Tags])[]>,
  signal: AbortSignal,
): Promise<TagsById> {
  const tagsOf = async (batch: string[]): Promise<readonly (readonly [string, Tags])[]> => {
    try {
      return batch.length === 0 ? [] : await describe(batch);
    } catch (error) {
      if (!isPoolGone(error)) throw error;
      if (batch.length === 1) return [];
      const half = Math.ceil(batch.length / 2);
      return [...(await tagsOf(batch.slice(0, half))), ...(await tagsOf(batch.slice(half)))];
    }
  };
  const batches = inBatches(ids, RESOURCES_PER_CALL_MAX);
  const described = await pMap(batches, tagsOf, { concurrency: CALLS_AT_ONCE, signal });
  return new Map(described.flat());
}

export function readTags(listed: readonly ListedTag[] | undefined): Tags {
  return new Map((listed ?? []).map(({ Key, Value }) => [Key ?? "", Value ?? ""]));
}
