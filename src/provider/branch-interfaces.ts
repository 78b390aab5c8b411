import {
  DescribeNetworkInterfacesCommand,
  type DescribeNetworkInterfacesCommandOutput,
  type Instance,
  type NetworkInterface,
} from "@aws-sdk/client-ec2";
import type { AwsAccess, AwsAction } from "../aws/aws-caller.ts";
import { isNeverAnswered } from "../aws/errors.ts";
import { SharedCall } from "../aws/shared-call.ts";
import type { Clock } from "../drain/clock.ts";
import type { CallFor } from "../drain/cloud-provider.ts";
import { asDrainError } from "../drain/errors.ts";
import { readTags } from "./tags.ts";
import { inBatches } from "./target-groups.ts";

const DESCRIBE: AwsAction = {
  name: "ec2:DescribeNetworkInterfaces",
  bucket: "ec2-describe-network-interfaces",
  answersWith: "NetworkInterfaces",
};
type Page = Pick<DescribeNetworkInterfacesCommandOutput, "NetworkInterfaces" | "NextToken">;
/** EC2 takes at most this many values in a filter. */
const FILTER_VALUES_MAX = 200;
const PAGE_SIZE = 1_000;
const NOTHING: Promise<Page> = Promise.resolve({ NetworkInterfaces: [] });

/**
 * On each branch interface EKS writes which trunk it hangs on. EC2 itself has no filter for that: a branch has no
 * attachment to the instance, so DescribeInstances leaves it out.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html
 * https://docs.aws.amazon.com/eks/latest/userguide/security-groups-for-pods.html
 */
const TRUNK_TAG = "vpcresources.k8s.aws/trunk-eni-id";

export interface Branches {
  readonly interfaces: readonly NetworkInterface[];
  /** Why they could not be read, in a sentence for people. */
  readonly warning?: string;
}

export const NO_BRANCHES: Branches = { interfaces: [] };

/** Finds the branch interfaces of instances: pods with security groups of their own have their addresses there. */
export class BranchInterfaces {
  readonly #byTrunk: SharedCall<readonly string[], readonly NetworkInterface[]>;

  constructor(aws: AwsAccess, clock: Clock) {
    this.#byTrunk = new SharedCall((trunks, by) => describe(aws, () => trunks().flat(), by), clock);
  }

  /**
   * Only an instance with a trunk interface costs a call. Where AWS refuses it, a warning names what is missed; what has
   * failed in passing is thrown.
   */
  async of({ InstanceId, NetworkInterfaces }: Instance, by: CallFor): Promise<Branches> {
    const trunks = (NetworkInterfaces ?? []).flatMap(({ InterfaceType, NetworkInterfaceId = "" }) =>
      InterfaceType === "trunk" && NetworkInterfaceId !== "" ? [NetworkInterfaceId] : [],
    );
    if (trunks.length === 0) return NO_BRANCHES;
    try {
      const found = await this.#byTrunk.ask(trunks, by);
      return { interfaces: found.filter(({ TagSet }) => trunks.includes(readTags(TagSet).get(TRUNK_TAG) ?? "")) };
    } catch (error) {
      by.signal.throwIfAborted();
      const failure = asDrainError(error);
      if (!isNeverAnswered(failure)) throw failure;
      return { interfaces: [], warning: warning(InstanceId ?? "", failure.message) };
    }
  }
}

function warning(instanceId: string, why: string): string {
  return `${instanceId} has a trunk interface, and the addresses of its branch interfaces could not be read (${why}): pods with security groups of their own stay registered`;
}

async function describe(
  aws: AwsAccess,
  trunks: () => readonly string[],
  by: CallFor,
): Promise<readonly NetworkInterface[]> {
  const interfaces: NetworkInterface[] = [];
  let batches: (readonly string[])[] | undefined;
  let token: string | undefined;
  do {
    const page = await aws.caller.call(DESCRIBE, by, (): Promise<Page> => {
      batches ??= [...inBatches([...new Set(trunks())], FILTER_VALUES_MAX)];
      // A filter without values would ask for every interface. All callers may have left meanwhile.
      if (batches.length === 0) return NOTHING;
      const Filters = [{ Name: `tag:${TRUNK_TAG}`, Values: [...(batches[0] ?? [])] }];
      const input = { Filters, MaxResults: PAGE_SIZE, ...(token === undefined ? {} : { NextToken: token }) };
      return aws.ec2.send(new DescribeNetworkInterfacesCommand(input), { abortSignal: by.signal });
    });
    interfaces.push(...(page.NetworkInterfaces ?? []));
    token = page.NextToken || undefined;
    if (token === undefined) batches?.shift();
  } while (batches !== undefined && batches.length > 0);
  return interfaces;
}
