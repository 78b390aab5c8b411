import { DescribeInstancesCommand } from "@aws-sdk/client-ec2";
import { DescribeLoadBalancersCommand as DescribeClassicsCommand } from "@aws-sdk/client-elastic-load-balancing";
import { DescribeLoadBalancersCommand } from "@aws-sdk/client-elastic-load-balancing-v2";
import { expect, test } from "vitest";
import { SimulatedRegion } from "../support/simulated-region.ts";

// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/hostname-types.html
test("instances of us-east-1 have names without the region, and are found by them", async () => {
  const region = new SimulatedRegion({}, { region: "us-east-1" });
  region.node({ secondaryIps: ["10.0.0.101"] });
  const PrivateDnsName = "ip-10-0-0-1.ec2.internal";
  const Filters = [{ Name: "private-dns-name", Values: [PrivateDnsName] }];
  const { Reservations = [] } = await region.clients().ec2.send(new DescribeInstancesCommand({ Filters }));
  const addresses = [{ PrivateDnsName }, { PrivateDnsName: "ip-10-0-0-101.ec2.internal" }];
  expect(Reservations[0]?.Instances?.[0]).toMatchObject({
    PrivateDnsName,
    NetworkInterfaces: [{ PrivateDnsName, PrivateIpAddresses: addresses }],
  });
});

// https://docs.amazonaws.cn/en_us/aws/latest/userguide/endpoints-arns.html
test.each([
  ["eu-west-1", "amazonaws.com"],
  ["cn-north-1", "amazonaws.com.cn"],
])("load balancers of %s have names in %s", async (name, domain) => {
  const region = new SimulatedRegion({}, { region: name });
  region.group({ name: "alb" });
  region.group({ name: "nlb", type: "network" });
  region.classic({ name: "old" });
  const { v2, classic } = region.clients();
  const { LoadBalancers = [] } = await v2.send(new DescribeLoadBalancersCommand({}));
  const { LoadBalancerDescriptions = [] } = await classic.send(new DescribeClassicsCommand({}));
  expect([...LoadBalancers, ...LoadBalancerDescriptions].map(({ DNSName }) => DNSName?.replace(/\d\w+/, "N"))).toEqual([
    `alb-lb-N.${name}.elb.${domain}`,
    `nlb-lb-N.elb.${name}.${domain}`,
    `old-N.${name}.elb.${domain}`,
  ]);
});
