import { AutoScalingClient } from "@aws-sdk/client-auto-scaling";
import { EC2Client } from "@aws-sdk/client-ec2";
import { ElasticLoadBalancingClient } from "@aws-sdk/client-elastic-load-balancing";
import { ElasticLoadBalancingV2Client } from "@aws-sdk/client-elastic-load-balancing-v2";
import type { SimulatedRegion } from "../support/simulated-region.ts";

/** The SDK's clients without its retries, so that a test sees every answer. */
export function oneAttempt(region: SimulatedRegion) {
  const config = { region: region.world.region, ...region.aws(), maxAttempts: 1 };
  return {
    scaling: new AutoScalingClient(config),
    ec2: new EC2Client(config),
    classic: new ElasticLoadBalancingClient(config),
    v2: new ElasticLoadBalancingV2Client(config),
  };
}
