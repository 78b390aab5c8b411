import type { ApiCall } from "../api/answer.ts";
import { AwsError } from "../aws-error.ts";
import type { World } from "../world/world.ts";
import { judge, type Verdict } from "./judge.ts";
import { type PolicyStatement, readPolicy } from "./policy.ts";
import { type Resource, resourcesOf } from "./resources.ts";

/** The permissions of an access key. */
export interface Grant {
  readonly accessKeyId: string;
  /** The name in AWS's errors. Absent: the access key's id. */
  readonly user?: string | undefined;
  /** An IAM policy. */
  readonly document: unknown;
}

/** The actions and statements that an access key has used so far. */
export interface AccessRecord {
  /** Actions, such as `elasticloadbalancing:DeregisterTargets`. */
  readonly allowed: ReadonlySet<string>;
  readonly denied: ReadonlySet<string>;
  /** The numbers, from 0, of the statements of the policy that have allowed something. */
  readonly statements: ReadonlySet<number>;
}

interface Restricted {
  readonly user: string;
  readonly statements: readonly PolicyStatement[];
  readonly allowed: Set<string>;
  readonly denied: Set<string>;
  readonly used: Set<number>;
}

/** The permissions of all callers. A caller without a policy may do everything: signatures are not checked. */
export class Access {
  readonly #world: World;
  readonly #keys = new Map<string, Restricted>();

  constructor(world: World) {
    this.#world = world;
  }

  /** From now on this access key may only do what its policy allows. Throws if the policy can't be used. */
  restrict({ accessKeyId, user = accessKeyId, document }: Grant): void {
    const statements = readPolicy(document).Statement;
    this.#keys.set(accessKeyId, { user, statements, allowed: new Set(), denied: new Set(), used: new Set() });
  }

  /** Undefined if the access key has no policy. */
  recordOf(accessKeyId: string): AccessRecord | undefined {
    const key = this.#keys.get(accessKeyId);
    return key && { allowed: key.allowed, denied: key.denied, statements: key.used };
  }

  /** The user of an access key with a policy. */
  userOf(accessKeyId: string): string | undefined {
    return this.#keys.get(accessKeyId)?.user;
  }

  /** Throws AWS's error if the policy of the access key does not allow the call. */
  admit(call: ApiCall, accessKeyId: string | undefined): void {
    const key = accessKeyId === undefined ? undefined : this.#keys.get(accessKeyId);
    if (key === undefined || call.action === "GetCallerIdentity") return;
    const action = `${SERVICES[call.api]}:${call.action}`;
    const verdict = judge(key.statements, { action, resources: resourcesOf(call, this.#world) });
    if (verdict.type === "allowed") {
      key.allowed.add(action);
      for (const number of verdict.by) key.used.add(number);
      return;
    }
    key.denied.add(action);
    throw this.#refusal(call, action, key.user, verdict);
  }

  #refusal({ api }: ApiCall, action: string, user: string, verdict: Extract<Verdict, { type: "denied" }>): AwsError {
    const principal = this.#world.arn("iam", `user/${user}`);
    const sentence = `User: ${principal} is not authorized to perform: ${action}${on(verdict.resource)} ${
      verdict.explicit
        ? "with an explicit deny in an identity-based policy"
        : `because no identity-based policy allows the ${action} action`
    }`;
    return api === "ec2"
      ? new AwsError("UnauthorizedOperation", `You are not authorized to perform this operation. ${sentence}`, 403)
      : new AwsError("AccessDenied", sentence, 403);
  }
}

/** The prefix of each API's actions. Both APIs of Elastic Load Balancing have the same one. */
const SERVICES: Readonly<Record<ApiCall["api"], string>> = {
  ec2: "ec2",
  classic: "elasticloadbalancing",
  elbv2: "elasticloadbalancing",
  autoscaling: "autoscaling",
  sts: "sts",
  tagging: "tag",
};

/** The access key's id in a request's `Authorization` header of Signature Version 4. */
export function accessKeyIdOf(authorization: string | undefined): string | undefined {
  return /^AWS4-\S+ Credential=([^/\s,]+)\//.exec(authorization ?? "")?.[1];
}

function on(resource: Resource | undefined): string {
  return resource === undefined ? "" : ` on resource: ${resource.arn}`;
}
