import { AutoScaling } from "@aws-sdk/client-auto-scaling";
import { EC2 } from "@aws-sdk/client-ec2";
import { ElasticLoadBalancing } from "@aws-sdk/client-elastic-load-balancing";
import { ElasticLoadBalancingV2 } from "@aws-sdk/client-elastic-load-balancing-v2";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import type { Stage } from "../../simulator/documented/play.ts";
import type { Clients } from "../../simulator/documented/row.ts";

/** moto is slow on a busy machine. */
const ANSWERED_WITHIN_MS = 120_000;
const REGION = "eu-west-1";
/** One that moto knows from the start. */
const IMAGE = "ami-12c6146b";
const CLASSIC_LISTENER = { Protocol: "HTTP", LoadBalancerPort: 80, InstanceProtocol: "HTTP", InstancePort: 30080 };
const ON_NODES = { Protocol: "HTTP", Port: 30080 } as const;

/** A moto server that already runs, with nothing in it at the start of each stage. */
export class MotoStage implements Stage {
  readonly clients: Clients;
  readonly #things = new Map<string, string>();

  private constructor(clients: Clients) {
    this.clients = clients;
  }

  static clientsOf(endpoint: string): Clients {
    const config = {
      region: REGION,
      endpoint,
      credentials: { accessKeyId: "moto", secretAccessKey: "moto" },
      maxAttempts: 1,
      requestHandler: new NodeHttpHandler({ requestTimeout: ANSWERED_WITHIN_MS }),
    };
    return {
      elbv2: new ElasticLoadBalancingV2(config),
      classic: new ElasticLoadBalancing(config),
      ec2: new EC2(config),
      scaling: new AutoScaling(config),
    };
  }

  static async open(endpoint: string, clients: Clients): Promise<MotoStage> {
    const { ok } = await fetch(`${endpoint}/moto-api/reset`, { method: "POST" });
    if (!ok) throw new Error("moto cannot forget");
    return new MotoStage(clients);
  }

  async thing(name: string): Promise<string> {
    if (!this.#things.has(name)) await this.#make(name);
    const thing = this.#things.get(name);
    if (thing === undefined) throw new Error(`there is no {${name}}`);
    return thing;
  }

  async pass(): Promise<void> {}

  async #make(name: string): Promise<void> {
    switch (name) {
      case "vpc":
      case "zone":
      case "subnetA":
      case "subnetB":
        return this.#findNetwork();
      case "node":
      case "nodeIp":
      case "other":
        return this.#launch(name === "other" ? "other" : "node");
      case "web":
      case "alb":
      case "webListener":
        return this.#makePool("web", { protocol: "HTTP", loadBalancer: "alb", type: "application" });
      case "flows":
      case "nlb":
      case "flowsListener":
        return this.#makePool("flows", { protocol: "TCP", loadBalancer: "nlb", type: "network" });
      case "idle":
        return this.#keep({ idle: await this.#group(name, "HTTP") });
      case "classic":
        await this.clients.classic.createLoadBalancer({
          LoadBalancerName: name,
          Listeners: [CLASSIC_LISTENER],
          Subnets: [await this.thing("subnetA")],
        });
        return this.#keep({ classic: name });
      case "workers":
      case "member":
      case "second":
        return this.#makeWorkers();
    }
  }

  async #findNetwork(): Promise<void> {
    const { Subnets = [] } = await this.clients.ec2.describeSubnets({});
    const [a, b] = Subnets.toSorted((one, another) =>
      (one.AvailabilityZone ?? "").localeCompare(another.AvailabilityZone ?? ""),
    );
    this.#keep({ vpc: a?.VpcId, zone: a?.AvailabilityZone, subnetA: a?.SubnetId, subnetB: b?.SubnetId });
  }

  async #launch(name: string): Promise<void> {
    const { ec2 } = this.clients;
    const SubnetId = await this.thing("subnetA");
    const { Instances } = await ec2.runInstances({ ImageId: IMAGE, MinCount: 1, MaxCount: 1, SubnetId });
    const { InstanceId = "", PrivateIpAddress } = Instances?.[0] ?? {};
    if (name === "node") await ec2.createTags({ Resources: [InstanceId], Tags: [{ Key: "role", Value: "worker" }] });
    this.#keep({ [name]: InstanceId, ...(name === "node" ? { nodeIp: PrivateIpAddress } : {}) });
  }

  async #group(Name: string, Protocol: "HTTP" | "TCP"): Promise<string> {
    const input = { ...ON_NODES, Protocol, Name, VpcId: await this.thing("vpc") };
    const { TargetGroups } = await this.clients.elbv2.createTargetGroup(input);
    return TargetGroups?.[0]?.TargetGroupArn ?? "";
  }

  async #makePool(
    name: string,
    about: {
      readonly protocol: "HTTP" | "TCP";
      readonly loadBalancer: string;
      readonly type: "application" | "network";
    },
  ): Promise<void> {
    const { elbv2 } = this.clients;
    const group = await this.#group(name, about.protocol);
    const Subnets = [await this.thing("subnetA"), await this.thing("subnetB")];
    const { LoadBalancers } = await elbv2.createLoadBalancer({ Name: `${name}-lb`, Type: about.type, Subnets });
    const LoadBalancerArn = LoadBalancers?.[0]?.LoadBalancerArn;
    const DefaultActions = [{ Type: "forward", TargetGroupArn: group } as const];
    const { Listeners } = await elbv2.createListener({
      LoadBalancerArn,
      Protocol: about.protocol,
      Port: 80,
      DefaultActions,
    });
    this.#keep({
      [name]: group,
      [about.loadBalancer]: LoadBalancerArn,
      [`${name}Listener`]: Listeners?.[0]?.ListenerArn,
    });
  }

  async #makeWorkers(): Promise<void> {
    const { scaling } = this.clients;
    await scaling.createLaunchConfiguration({
      LaunchConfigurationName: "workers",
      ImageId: IMAGE,
      InstanceType: "m5.large",
    });
    await scaling.createAutoScalingGroup({
      AutoScalingGroupName: "workers",
      LaunchConfigurationName: "workers",
      MinSize: 1,
      MaxSize: 3,
      DesiredCapacity: 2,
      VPCZoneIdentifier: await this.thing("subnetA"),
    });
    const { AutoScalingGroups } = await scaling.describeAutoScalingGroups({ AutoScalingGroupNames: ["workers"] });
    const [member, second] = AutoScalingGroups?.[0]?.Instances ?? [];
    this.#keep({ workers: "workers", member: member?.InstanceId, second: second?.InstanceId });
  }

  #keep(things: Readonly<Record<string, string | undefined>>): void {
    for (const [name, thing] of Object.entries(things)) this.#things.set(name, thing ?? "");
  }
}
