import { DescribeTagsCommand as DescribeClassicTagsCommand } from "@aws-sdk/client-elastic-load-balancing";
import { DescribeTagsCommand } from "@aws-sdk/client-elastic-load-balancing-v2";
import type { AwsAccess } from "../aws/aws-caller.ts";
import { isPoolGone } from "../aws/errors.ts";
import type { CallFor } from "../drain/cloud-provider.ts";
import { inBatches } from "./batches.ts";
import { unlessListed } from "./listed-pools.ts";

export type Tags = ReadonlyMap<string, string>;
export type TagsById = ReadonlyMap<string, Tags>;

/** Both ELB APIs describe the tags of at most this many resources in one call. */
export const RESOURCES_PER_CALL_MAX = 20;
const DESCRIBE_TAGS = { name: "elasticloadbalancing:DescribeTags", answersWith: "TagDescriptions" };

interface ListedTag {
  readonly Key?: string | undefined;
  readonly Value?: string | undefined;
}

/** The tags of load balancers and target groups, by ARN. Resources that have vanished are missing. */
export function tagsByArn(aws: AwsAccess, arns: readonly string[], by: CallFor): Promise<TagsById> {
  return tagsInBatches(arns, async (ResourceArns) => {
    const { TagDescriptions } = await aws.caller.call({ ...DESCRIBE_TAGS, bucket: "v2-read" }, by, () =>
      unlessListedAlone(aws, ResourceArns, by, () =>
        aws.v2.send(new DescribeTagsCommand({ ResourceArns }), { abortSignal: by.signal }),
      ),
    );
    return (TagDescriptions ?? []).map(({ ResourceArn, Tags }) => [ResourceArn ?? "", readTags(Tags)] as const);
  });
}

/** The tags of classic load balancers, by name. Those that have vanished are missing. */
export function tagsByName(aws: AwsAccess, names: readonly string[], by: CallFor): Promise<TagsById> {
  return tagsInBatches(names, async (LoadBalancerNames) => {
    const { TagDescriptions } = await aws.caller.call({ ...DESCRIBE_TAGS, bucket: "classic-read" }, by, () =>
      unlessListedAlone(aws, LoadBalancerNames, by, () =>
        aws.classic.send(new DescribeClassicTagsCommand({ LoadBalancerNames }), { abortSignal: by.signal }),
      ),
    );
    return (TagDescriptions ?? []).map(
      ({ LoadBalancerName, Tags }) => [LoadBalancerName ?? "", readTags(Tags)] as const,
    );
  });
}

export function readTags(listed: readonly ListedTag[] | undefined): Tags {
  return new Map((listed ?? []).map(({ Key, Value }) => [Key ?? "", Value ?? ""]));
}

/** AWS does not say which of several has vanished, so they are read one by one first. */
function unlessListedAlone<T>(aws: AwsAccess, ids: readonly string[], by: CallFor, send: () => Promise<T>): Promise<T> {
  const [id = ""] = ids;
  return ids.length === 1 ? unlessListed(aws, id, by, send) : send();
}

/**
 * The tags of many resources by `describe`, which reads a batch. A resource that has vanished fails its whole batch,
 * often without being named. So the batch is halved until that resource is alone, and it is dropped.
 */
async function tagsInBatches(
  ids: readonly string[],
  describe: (batch: string[]) => Promise<readonly (readonly [id: string, tags: Tags])[]>,
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
  const described = await Promise.all(inBatches(ids, RESOURCES_PER_CALL_MAX).map(tagsOf));
  return new Map(described.flat());
}
