import type { AutoScaling } from "@aws-sdk/client-auto-scaling";
import type { EC2 } from "@aws-sdk/client-ec2";
import type { ElasticLoadBalancing } from "@aws-sdk/client-elastic-load-balancing";
import type { ElasticLoadBalancingV2 } from "@aws-sdk/client-elastic-load-balancing-v2";
import { type Expected, refused } from "./comparison.ts";

/** An instance that does not exist. */
export const STRANGER = "i-0dddddddddddddddd";

/** The SDK's clients, by the names that rows give to AWS's APIs. */
export interface Clients {
  readonly elbv2: ElasticLoadBalancingV2;
  readonly classic: ElasticLoadBalancing;
  readonly ec2: EC2;
  readonly scaling: AutoScaling;
}

/** A call of the SDK. Texts in `{braces}` are names of `Stage`, or what an earlier step has kept. */
export interface Call {
  readonly api: keyof Clients;
  /** As AWS writes it: `DescribeTargetHealth`. */
  readonly action: string;
  readonly input: object;
}

/** A call that must succeed, and whose answer matters only for what is kept of it. */
export interface Preparation extends Call {
  /** By name: where in the answer the text is, such as `Rules.0.RuleArn`, or `NextMarker?` where there may be none. */
  readonly keep?: Readonly<Record<string, string>>;
}

/** Time that passes. moto has none. */
export interface Pause {
  readonly seconds: number;
}

/** A behaviour that AWS documents. */
export interface Row {
  /** A sentence about AWS, which the row shows. */
  readonly says: string;
  /** The page of AWS's documentation that says so. */
  readonly page: string;
  /**
   * AWS's own words on that page, where it is a page of an API's reference. A test finds them in the models that AWS's
   * SDKs are made from.
   */
  readonly quote?: string;
  readonly given?: readonly (Preparation | Pause)[];
  readonly call: Call;
  readonly answers: Expected;
  /** Absent: moto answers the same. */
  readonly moto?: Difference;
}

/** Why moto answers otherwise. A closed list, because differences are counted by it. */
export const CAUSES = {
  unchecked: "moto accepts what AWS refuses",
  refuses: "moto refuses what AWS accepts",
  timeless: "moto has no time: nothing drains, starts, or waits",
  "one port": "moto knows targets by their id alone, whatever their port",
  missing: "moto does not have the parameter, attribute or field",
  "breaks down": "moto answers with status 500 and a page in HTML",
  "other error": "moto refuses with another code",
  "other value": "moto has another default, limit, order or state",
} as const;
export type Cause = keyof typeof CAUSES;

export interface Difference {
  readonly cause: Cause;
  /** What moto answers instead. */
  readonly answers: Expected;
}

export function differs(cause: Cause, answers: Expected): Difference {
  return { cause, answers };
}

export const UNCHECKED = differs("unchecked", {});
export const BREAKS_DOWN = differs("breaks down", refused("Error", { status: 500 }));

/** Inputs with any text where the SDK's types list those that AWS takes, because rows also give others. */
type Loose<T> = T extends string
  ? string
  : T extends number | boolean | Date
    ? T
    : T extends readonly (infer Item)[]
      ? readonly Loose<Item>[]
      : { readonly [Key in keyof T]?: Loose<T[Key]> | undefined };

type Operation<Client> = Extract<
  { [Key in keyof Client]: Client[Key] extends (...args: never[]) => unknown ? Key : never }[keyof Client],
  string
>;
type Input<Method> = Method extends (input: infer Given, ...rest: never[]) => unknown
  ? Loose<NonNullable<Given>>
  : never;

const calls =
  <Api extends keyof Clients>(api: Api) =>
  <Name extends Operation<Clients[Api]>>(
    action: Capitalize<Name>,
    input: Input<Clients[Api][Name]>,
    keep?: Readonly<Record<string, string>>,
  ): Preparation => ({ api, action, input, ...(keep === undefined ? {} : { keep }) });

export const elbv2 = calls("elbv2");
export const classic = calls("classic");
export const ec2 = calls("ec2");
export const scaling = calls("scaling");

export const later = (seconds: number): Pause => ({ seconds });
