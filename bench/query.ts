import type { ApiAnswer } from "../src/simulator/api/answer.ts";
import { PORT } from "./region.ts";

/** The APIs of the query protocol. */
const VERSIONS = {
  classic: "2012-06-01",
  elbv2: "2015-12-01",
  ec2: "2016-11-15",
  autoscaling: "2011-01-01",
  sts: "2011-06-15",
};

/** One call as it goes over the wire. Lists are written as `{ "Targets.member.1.Id": id }`. */
export interface Query {
  readonly api: keyof typeof VERSIONS;
  readonly action: string;
  readonly params: Readonly<Record<string, string>>;
}

export function queryBody({ api, action, params }: Query): string {
  return new URLSearchParams({ Action: action, Version: VERSIONS[api], ...params }).toString();
}

export function describeTargetHealth(group: string): Query {
  return { api: "elbv2", action: "DescribeTargetHealth", params: { TargetGroupArn: group } };
}

export function deregisterTargets(group: string, ids: readonly string[]): Query {
  const targets = ids.flatMap((id, index) => [
    [`Targets.member.${index + 1}.Id`, id],
    [`Targets.member.${index + 1}.Port`, String(PORT)],
  ]);
  return {
    api: "elbv2",
    action: "DeregisterTargets",
    params: { TargetGroupArn: group, ...Object.fromEntries(targets) },
  };
}

export function listClassics(marker: string): Query {
  return {
    api: "classic",
    action: "DescribeLoadBalancers",
    params: { PageSize: "400", ...(marker === "" ? {} : { Marker: marker }) },
  };
}

export function deregisterInstances(classic: string, ids: readonly string[]): Query {
  const instances = ids.map((id, index) => [`Instances.member.${index + 1}.InstanceId`, id]);
  return {
    api: "classic",
    action: "DeregisterInstancesFromLoadBalancer",
    params: { LoadBalancerName: classic, ...Object.fromEntries(instances) },
  };
}

/** What stands in every element of this name, in order. Enough for ids and states, which need no unescaping. */
export function elements({ body }: ApiAnswer, name: string): readonly string[] {
  return [...body.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, "g"))].map((match) => match[1] ?? "");
}
