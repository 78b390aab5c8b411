import type { Instance } from "@aws-sdk/client-ec2";
import type { AwsAccess } from "../aws/aws-caller.ts";
import { SharedCall } from "../aws/shared-call.ts";
import type { CallFor } from "../drain/cloud-provider.ts";
import { describeInstances } from "./instances.ts";

/** The availability zones of instances, which never change: each is asked for once, many in one call. */
export class InstanceZones {
  /** Undefined of one that EC2 does not describe. */
  readonly #zones = new Map<string, string | undefined>();
  readonly #ask: SharedCall<readonly string[], void>;

  constructor(aws: AwsAccess) {
    this.#ask = new SharedCall(async (asked, by) => {
      const ids = new Set<string>();
      const about = () => {
        for (const id of asked().flat()) if (!this.#zones.has(id)) ids.add(id);
        return [...ids];
      };
      for (const instance of await describeInstances(aws, { filter: "instance-id" }, about, by)) this.learned(instance);
      for (const id of ids) if (!this.#zones.has(id)) this.#zones.set(id, undefined);
    });
  }

  learned({ InstanceId, Placement }: Instance): void {
    if (InstanceId !== undefined) this.#zones.set(InstanceId, Placement?.AvailabilityZone);
  }

  of(id: string): string | undefined {
    return this.#zones.get(id);
  }

  knows(ids: Iterable<string>): boolean {
    for (const id of ids) if (!this.#zones.has(id)) return false;
    return true;
  }

  /** Resolves when all that EC2 knows of is known. */
  async learn(ids: readonly string[], by: CallFor): Promise<void> {
    if (!this.knows(ids)) await this.#ask.ask(ids, by);
  }
}
