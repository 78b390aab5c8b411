import {
  DescribeNetworkInterfacesCommand,
  type DescribeNetworkInterfacesCommandOutput,
  type Instance,
  type NetworkInterface,
} from "@aws-sdk/client-ec2";
import type { AwsAccess, AwsAction } from "../aws/aws-caller.ts";
import { isNeverAnswered } from "../aws/errors.ts";
import { SharedCall } from "../aws/shared-call.ts";
import { newAbort, WOKEN, withAnyOf } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import type { CallFor } from "../drain/cloud-provider.ts";
import { asDrainError, type DrainError } from "../drain/errors.ts";
import { pagesOf } from "./filtered.ts";
import { readTags } from "./tags.ts";

const DESCRIBE: AwsAction = {
  name: "ec2:DescribeNetworkInterfaces",
  bucket: "ec2-describe-network-interfaces",
  answersWith: "NetworkInterfaces",
};
type Page = Pick<DescribeNetworkInterfacesCommandOutput, "NetworkInterfaces" | "NextToken">;
const PAGE_SIZE = 1_000;
const NOTHING: Page = { NetworkInterfaces: [] };

/**
 * On each branch interface EKS writes which trunk it hangs on. EC2 itself has no filter for that: a branch has no
 * attachment to the instance, so DescribeInstances leaves it out.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html
 * https://docs.aws.amazon.com/eks/latest/userguide/security-groups-for-pods.html
 */
const TRUNK_TAG = "vpcresources.k8s.aws/trunk-eni-id";

/** No registration by an instance id waits longer for the addresses of branch interfaces, in milliseconds. */
const PATIENCE_MS = 2_000;

export interface Branches {
  readonly interfaces: readonly NetworkInterface[];
  /** They could not be read yet. */
  readonly arePartial?: true;
  /** Why they could not be read, in a sentence for people. */
  readonly warning?: string;
}

export const NO_BRANCHES: Branches = { interfaces: [] };

/** Finds the branch interfaces of instances: pods with security groups of their own have their addresses there. */
export class BranchInterfaces {
  readonly #clock: Clock;
  readonly #byTrunk: SharedCall<readonly string[], readonly NetworkInterface[]>;

  constructor(aws: AwsAccess, clock: Clock) {
    this.#clock = clock;
    this.#byTrunk = new SharedCall((trunks, by) => describe(aws, () => trunks().flat(), by), clock);
  }

  /** As `of`, where that is soon known. What fails in passing, or takes long, is left to be asked for again (`arePartial`). */
  async soonOf(instance: Instance, by: CallFor): Promise<Branches> {
    if (trunksOf(instance).length === 0) return NO_BRANCHES;
    const enough = newAbort();
    const repeats = (error: DrainError) => {
      by.repeats?.(error);
      enough.abort(WOKEN);
    };
    const late = this.#clock.sleep(PATIENCE_MS, enough.signal).then(
      () => enough.abort(WOKEN),
      () => {}, // It was known in time.
    );
    try {
      return await withAnyOf([by.signal, enough.signal], (signal) => this.of(instance, { ...by, signal, repeats }));
    } catch (error) {
      by.signal.throwIfAborted();
      if (error === WOKEN || asDrainError(error).isPassing) return { interfaces: [], arePartial: true };
      throw error;
    } finally {
      enough.abort(WOKEN);
      await late;
    }
  }

  /**
   * Only an instance with a trunk interface costs a call. Where AWS refuses it, a warning names what is missed; what has
   * failed in passing is thrown.
   */
  async of(instance: Instance, by: CallFor): Promise<Branches> {
    const trunks = trunksOf(instance);
    if (trunks.length === 0) return NO_BRANCHES;
    try {
      const found = await this.#byTrunk.ask(trunks, by);
      return { interfaces: found.filter(({ TagSet }) => trunks.includes(readTags(TagSet).get(TRUNK_TAG) ?? "")) };
    } catch (error) {
      by.signal.throwIfAborted();
      const failure = asDrainError(error);
      if (!isNeverAnswered(failure)) throw failure;
      return { interfaces: [], warning: warning(instance.InstanceId ?? "", failure.message) };
    }
  }
}

function trunksOf({ NetworkInterfaces = [] }: Instance): readonly string[] {
  return NetworkInterfaces.flatMap(({ InterfaceType, NetworkInterfaceId = "" }) =>
    InterfaceType === "trunk" && NetworkInterfaceId !== "" ? [NetworkInterfaceId] : [],
  );
}

function warning(instanceId: string, why: string): string {
  return `${instanceId} has a trunk interface, and the addresses of its branch interfaces could not be read (${why}): pods with security groups of their own stay registered`;
}

async function describe(
  aws: AwsAccess,
  trunks: () => readonly string[],
  by: CallFor,
): Promise<readonly NetworkInterface[]> {
  const pages = await pagesOf(
    aws,
    {
      action: DESCRIBE,
      values: trunks,
      nothing: NOTHING,
      send: (Values, token) => {
        const input = { Filters: [{ Name: `tag:${TRUNK_TAG}`, Values }], MaxResults: PAGE_SIZE, ...token };
        return aws.ec2.send(new DescribeNetworkInterfacesCommand(input), { abortSignal: by.signal });
      },
    },
    by,
  );
  return pages.flatMap(({ NetworkInterfaces = [] }) => NetworkInterfaces);
}
