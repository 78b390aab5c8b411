import {
  CreateListenerCommand,
  CreateLoadBalancerCommand,
  type CreateLoadBalancerCommandInput,
  CreateTargetGroupCommand,
  type CreateTargetGroupCommandInput,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { SimulatedRegion, VPC } from "../support/simulated-region.ts";

export const forward = (TargetGroupArn: string) => ({ Type: "forward" as const, TargetGroupArn });

/** Everything made through the API alone. */
export function builder() {
  const region = new SimulatedRegion();
  const { v2, classic } = region.clients();
  const group = async (Name: string, input: Partial<CreateTargetGroupCommandInput> = {}) => {
    const command = new CreateTargetGroupCommand({ Name, Protocol: "HTTP", Port: 80, VpcId: VPC, ...input });
    return (await v2.send(command)).TargetGroups?.[0]?.TargetGroupArn ?? "";
  };
  const loadBalancer = async (Name: string, input: Partial<CreateLoadBalancerCommandInput> = {}) => {
    const command = new CreateLoadBalancerCommand({
      Name,
      Subnets: ["a", "b"].map((zone) => `subnet-${VPC}-${zone}`),
      ...input,
    });
    return (await v2.send(command)).LoadBalancers?.[0]?.LoadBalancerArn ?? "";
  };
  const listener = async (LoadBalancerArn: string, to: string, Port = 80) => {
    const command = new CreateListenerCommand({
      LoadBalancerArn,
      Protocol: "HTTP",
      Port,
      DefaultActions: [forward(to)],
    });
    return (await v2.send(command)).Listeners?.[0]?.ListenerArn ?? "";
  };
  return { region, v2, classic, group, loadBalancer, listener };
}
