import {
  CreateTagsCommand,
  DescribeInstancesCommand,
  DescribeSubnetsCommand,
  RunInstancesCommand,
} from "@aws-sdk/client-ec2";
import { CreateLoadBalancerCommand as CreateClassicCommand } from "@aws-sdk/client-elastic-load-balancing";
import {
  CreateListenerCommand,
  CreateLoadBalancerCommand,
  CreateTargetGroupCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { type AwsClients, createAwsClients } from "../../../src/aws/clients.ts";
import { awsProvider, type ProviderCalls } from "../../support/provider-calls.ts";
import { never } from "../../support/simulated-region.ts";
import { RunningProgram } from "./programs.ts";

/** moto is slow on a busy machine, and how long AWS may take is not the matter. */
const ANSWERED_WITHIN_MS = 120_000;
const REGION = "eu-west-1";
const CLUSTER_TAG = { Key: "kubernetes.io/cluster/demo", Value: "owned" };
/** One that moto knows from the start. */
const IMAGE = "ami-12c6146b";
const PORTS = { Protocol: "HTTP", LoadBalancerPort: 80, InstanceProtocol: "HTTP", InstancePort: 30080 };

/** moto as a control plane of its own for one test, and what builds things in it. */
export class Moto {
  readonly url: string;
  readonly clients: AwsClients;
  readonly provider: ProviderCalls;

  private constructor(url: string) {
    this.url = url;
    this.clients = this.clientsOf({ accessKeyId: "moto", secretAccessKey: "moto" });
    this.provider = awsProvider(this.clients);
  }

  static async start(): Promise<Moto> {
    const server = new RunningProgram("moto_server", ["-H", "127.0.0.1", "-p", "0"]);
    const [, url = ""] = await server.said(/Running on (http:\/\/127\.0\.0\.1:\d+)/);
    return new Moto(url);
  }

  /** The product's clients. */
  clientsOf(credentials: { readonly accessKeyId: string; readonly secretAccessKey: string }): AwsClients {
    const requestHandler = new NodeHttpHandler({ requestTimeout: ANSWERED_WITHIN_MS });
    return createAwsClients({ region: REGION, endpoint: this.url, credentials, requestHandler });
  }

  async find({ id }: { readonly id: string }, provider = this.provider) {
    return await provider.findRegistrations(await provider.resolve({ by: "id", value: id }, never), never);
  }

  /** A running instance of the cluster `demo`. */
  async node(): Promise<{ readonly id: string; readonly vpcId: string; readonly name: string }> {
    const { ec2 } = this.clients;
    const { Subnets } = await ec2.send(new DescribeSubnetsCommand({}));
    const input = { ImageId: IMAGE, MinCount: 1, MaxCount: 1, SubnetId: Subnets?.[0]?.SubnetId };
    const { Instances } = await ec2.send(new RunInstancesCommand(input));
    const { InstanceId: id = "", VpcId: vpcId = "", PrivateDnsName: name = "" } = Instances?.[0] ?? {};
    await ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [CLUSTER_TAG] }));
    return { id, vpcId, name };
  }

  /** So many instances of no cluster, in one reservation. */
  async instances(count: number): Promise<void> {
    await this.clients.ec2.send(new RunInstancesCommand({ ImageId: IMAGE, MinCount: count, MaxCount: count }));
  }

  /** How many instances the first page of so many results has, and whether there are more. */
  async instancesOfPage(MaxResults: number): Promise<{ readonly instances: number; readonly hasMore: boolean }> {
    const { Reservations = [], NextToken } = await this.clients.ec2.send(new DescribeInstancesCommand({ MaxResults }));
    const instances = Reservations.reduce((sum, { Instances = [] }) => sum + Instances.length, 0);
    return { instances, hasMore: NextToken !== undefined };
  }

  /** A target group of the cluster on no listener. */
  async group(Name: string, VpcId: string): Promise<string> {
    const input = { Name, VpcId, Protocol: "HTTP" as const, Port: 30080, Tags: [CLUSTER_TAG] };
    const { TargetGroups } = await this.clients.v2.send(new CreateTargetGroupCommand(input));
    return TargetGroups?.[0]?.TargetGroupArn ?? "";
  }

  /** A load balancer with one listener, which forwards to the group. */
  async loadBalancer(Name: string, Type: "application" | "network", groupArn: string): Promise<string> {
    const { ec2, v2 } = this.clients;
    const { Subnets } = await ec2.send(new DescribeSubnetsCommand({}));
    const subnets = (Subnets ?? []).map(({ SubnetId = "" }) => SubnetId).slice(0, 2);
    const { LoadBalancers } = await v2.send(new CreateLoadBalancerCommand({ Name, Type, Subnets: subnets }));
    const arn = LoadBalancers?.[0]?.LoadBalancerArn ?? "";
    const DefaultActions = [{ Type: "forward", TargetGroupArn: groupArn } as const];
    const Protocol = Type === "network" ? "TCP" : "HTTP";
    await v2.send(new CreateListenerCommand({ LoadBalancerArn: arn, Protocol, Port: 80, DefaultActions }));
    return arn;
  }

  /** A classic load balancer of the cluster. */
  async classic(LoadBalancerName: string): Promise<string> {
    const { classic, ec2 } = this.clients;
    const { Subnets } = await ec2.send(new DescribeSubnetsCommand({}));
    const input = {
      LoadBalancerName,
      Listeners: [PORTS],
      Subnets: [Subnets?.[0]?.SubnetId ?? ""],
      Tags: [CLUSTER_TAG],
    };
    await classic.send(new CreateClassicCommand(input));
    return LoadBalancerName;
  }

  /** A user's key. The SDK's client for IAM would be a package more. */
  async user(name: string): Promise<{ readonly accessKeyId: string; readonly secretAccessKey: string }> {
    await this.#iam({ Action: "CreateUser", UserName: name });
    const answer = await this.#iam({ Action: "CreateAccessKey", UserName: name });
    const inner = (element: string) => new RegExp(`<${element}>(.+)</${element}>`).exec(answer)?.[1] ?? "";
    return { accessKeyId: inner("AccessKeyId"), secretAccessKey: inner("SecretAccessKey") };
  }

  /** Replaces what the user may do. */
  async allow(user: string, actions: readonly string[]): Promise<void> {
    const statement = { Effect: "Allow", Action: actions, Resource: "*" };
    const PolicyDocument = JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
    await this.#iam({ Action: "PutUserPolicy", UserName: user, PolicyName: "only", PolicyDocument });
  }

  /** Whether every call needs a right signature and a policy that allows it. */
  async enforce(isEnforced: boolean): Promise<void> {
    await fetch(`${this.url}/moto-api/reset-auth`, { method: "POST", body: isEnforced ? "0" : "Infinity" });
  }

  async #iam(params: Readonly<Record<string, string>>): Promise<string> {
    const Authorization =
      "AWS4-HMAC-SHA256 Credential=moto/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0";
    const body = new URLSearchParams({ Version: "2010-05-08", ...params });
    const response = await fetch(this.url, { method: "POST", headers: { Authorization }, body });
    const answer = await response.text();
    if (!response.ok) throw new Error(`${params["Action"]}: ${response.status}: ${answer}`);
    return answer;
  }
}
