import type { AwsAccess, AwsAction } from "../aws/aws-caller.ts";
import type { CallFor } from "../drain/cloud-provider.ts";
import { inBatches } from "./batches.ts";

/** EC2 takes at most this many values in a filter. */
const FILTER_VALUES_MAX = 200;

interface FilteredCall<P> {
  readonly action: AwsAction;
  /** Called once, when the first call is sent. */
  readonly values: () => readonly string[];
  readonly send: (values: string[], token: { readonly NextToken?: string }) => Promise<P>;
  /** A page without items. */
  readonly nothing: P;
}

/**
 * Every page of an EC2 call with a filter, in as many calls as the filter's values need. Without values no call is
 * sent, because a filter without values would read the whole account.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html
 */
export async function pagesOf<P extends { readonly NextToken?: string | undefined }>(
  { caller }: AwsAccess,
  { action, values, send, nothing }: FilteredCall<P>,
  by: CallFor,
): Promise<readonly P[]> {
  const pages: P[] = [];
  let batches: (readonly string[])[] | undefined;
  let token: string | undefined;
  do {
    const page = await caller.call(action, by, async () => {
      batches ??= [...inBatches([...new Set(values())], FILTER_VALUES_MAX)];
      const batch = batches[0];
      return batch === undefined ? nothing : send([...batch], token === undefined ? {} : { NextToken: token });
    });
    pages.push(page);
    token = page.NextToken || undefined;
    if (token === undefined) batches?.shift();
  } while (batches !== undefined && batches.length > 0);
  return pages;
}
