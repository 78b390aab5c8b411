import type { Instance } from "@aws-sdk/client-ec2";
import type { AwsAccess } from "../aws/aws-caller.ts";
import { SharedCall } from "../aws/shared-call.ts";
import type { CallFor } from "../drain/cloud-provider.ts";
import { describeInstances } from "./instances.ts";

/** The availability zones of instances, which never change. Each is read once, many in one call. */
export class InstanceZones {
  /** Undefined for an instance that EC2 does not describe. */
  readonly #zones = new Map<string, string | undefined>();
  readonly #ask: SharedCall<readonly string[], void>;
  /** Resolves when the read of an instance has ended or failed. */
  readonly #inFlight = new Map<string, Promise<void>>();

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

  /** Resolves when everything that EC2 knows is known. An instance is not read twice at the same time. */
  async learn(ids: readonly string[], by: CallFor): Promise<void> {
    const unknown = ids.filter((id) => !this.#zones.has(id));
    const asked = unknown.filter((id) => !this.#inFlight.has(id));
    const waitedFor = new Set(unknown.map((id) => this.#inFlight.get(id)).filter((answer) => answer !== undefined));
    if (asked.length > 0) await this.#askAbout(asked, by);
    for (const answer of waitedFor) await answer;
    by.signal.throwIfAborted();
    // Another caller's read may have failed, or ended with that caller.
    if (waitedFor.size > 0 && !this.knows(ids)) await this.learn(ids, by);
  }

  async #askAbout(ids: readonly string[], by: CallFor): Promise<void> {
    const answer = this.#ask.ask(ids, by);
    const over = answer.catch(() => {});
    for (const id of ids) this.#inFlight.set(id, over);
    try {
      await answer;
    } finally {
      for (const id of ids) this.#inFlight.delete(id);
    }
  }
}
