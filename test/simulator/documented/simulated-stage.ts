import { AutoScaling } from "@aws-sdk/client-auto-scaling";
import { EC2 } from "@aws-sdk/client-ec2";
import { ElasticLoadBalancing } from "@aws-sdk/client-elastic-load-balancing";
import { ElasticLoadBalancingV2 } from "@aws-sdk/client-elastic-load-balancing-v2";
import { SimulatedRegion, VPC } from "../../support/simulated-region.ts";
import type { Stage } from "./play.ts";
import type { Clients } from "./row.ts";

/** The simulator, a new one for each stage, on virtual time and without a socket. */
export class SimulatedStage implements Stage {
  readonly clients: Clients;
  readonly #region = new SimulatedRegion();
  readonly #things = new Map<string, string>();

  constructor() {
    const config = { region: this.#region.world.region, ...this.#region.aws(), maxAttempts: 1 };
    this.clients = {
      elbv2: new ElasticLoadBalancingV2(config),
      classic: new ElasticLoadBalancing(config),
      ec2: new EC2(config),
      scaling: new AutoScaling(config),
    };
  }

  async thing(name: string): Promise<string> {
    if (!this.#things.has(name))
      for (const [made, thing] of Object.entries(this.#make(name))) this.#things.set(made, thing);
    const thing = this.#things.get(name);
    if (thing === undefined) throw new Error(`there is no {${name}}`);
    return thing;
  }

  async pass(seconds: number): Promise<void> {
    await this.#region.clock.advance(seconds * 1_000);
  }

  /** What the name brings about, by name. */
  #make(name: string): Readonly<Record<string, string>> {
    const { world } = this.#region;
    switch (name) {
      case "vpc":
        return { vpc: VPC };
      case "zone":
        return { zone: `${world.region}a` };
      case "subnetA":
      case "subnetB":
        return { [name]: `subnet-${VPC}-${world.region}${name.slice(-1).toLowerCase()}` };
      case "node":
      case "nodeIp": {
        const { id, privateIp } = this.#region.node({ tags: { role: "worker" } });
        return { node: id, nodeIp: privateIp };
      }
      case "other":
        return { other: this.#region.node().id };
      case "web":
      case "alb":
      case "webListener":
        return this.#makeGroup("web", "application", "alb");
      case "flows":
      case "nlb":
      case "flowsListener":
        return this.#makeGroup("flows", "network", "nlb");
      case "idle":
        return {
          idle: world.addTargetGroup({ name, vpcId: VPC, protocol: "HTTP", port: 30080, targetType: "instance" }).arn,
        };
      case "classic":
        return { classic: this.#region.classic({ name }).name };
      case "workers":
      case "member":
      case "second": {
        const [member, second] = [this.#region.node().id, this.#region.node().id];
        const sizes = { minSize: 1, maxSize: 3, desiredCapacity: 2, zones: [`${world.region}a`] };
        world.addAutoScalingGroup({ name: "workers", instanceIds: [member, second], ...sizes });
        return { workers: "workers", member, second };
      }
      default:
        return {};
    }
  }

  #makeGroup(name: "web" | "flows", type: "application" | "network", loadBalancer: "alb" | "nlb") {
    const { arn } = this.#region.group({ name, type });
    const made = this.#region.world.loadBalancerOf(arn);
    return { [name]: arn, [loadBalancer]: made?.arn ?? "", [`${name}Listener`]: made?.listeners[0]?.arn ?? "" };
  }
}
