import {
  DeregisterTargetsCommand,
  DescribeTargetHealthCommand,
  RegisterTargetsCommand,
  type TargetDescription,
  type TargetHealthDescription,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import type { TargetGroup } from "../../src/simulator/world/target-group.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";

export { DRAINING, NOT_REGISTERED } from "./documented/elbv2-calls.ts";
export const HEALTHY = { State: "healthy" };

/** One target group, asked and changed as AWS's clients do it. */
export function pool(region: SimulatedRegion, { arn }: TargetGroup) {
  const { v2 } = region.clients();
  const TargetGroupArn = arn;
  const describe = async (Targets?: TargetDescription[]): Promise<TargetHealthDescription[]> =>
    (await v2.send(new DescribeTargetHealthCommand({ TargetGroupArn, ...(Targets && { Targets }) })))
      .TargetHealthDescriptions ?? [];
  return {
    list: () => describe(),
    name: async (...targets: TargetDescription[]) => (await describe(targets)).map(({ TargetHealth }) => TargetHealth),
    states: async () => (await describe()).map(({ TargetHealth }) => TargetHealth?.State),
    register: (...Targets: TargetDescription[]) => v2.send(new RegisterTargetsCommand({ TargetGroupArn, Targets })),
    deregister: (...Targets: TargetDescription[]) => v2.send(new DeregisterTargetsCommand({ TargetGroupArn, Targets })),
  };
}

/** A group with one healthy node; 300 s of deregistration delay. */
export function one(input: Partial<Parameters<SimulatedRegion["group"]>[0]> = {}) {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = region.group({ name: "web", nodes: [node], ...input });
  return { region, node, group, ...pool(region, group) };
}
