import {
  type Action,
  CreateListenerCommand,
  type CreateListenerCommandInput,
  CreateRuleCommand,
  DescribeListenersCommand,
  DescribeRulesCommand,
  ModifyListenerCommand,
  ModifyRuleCommand,
  type RuleCondition,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { describe, expect, test } from "vitest";
import { SimulatedRegion } from "../support/simulated-region.ts";
import { builder, forward } from "./builder.ts";
import { oneAttempt } from "./one-attempt.ts";

const Certificates = [{ CertificateArn: "arn:aws:acm:eu-west-1:123456789012:certificate/1" }];
const NOT_SIMULATED = { name: "NotSimulated", message: expect.stringMatching(/not simulated$/) };

/** An ALB with the target group `web` and a listener on port 80, and an NLB with the target group `flows`. */
async function scene() {
  const made = builder();
  const { group, loadBalancer, listener } = made;
  const [web, alb] = [await group("web"), await loadBalancer("alb")];
  const [flows, nlb] = [await group("flows", { Protocol: "TCP" }), await loadBalancer("nlb", { Type: "network" })];
  const ListenerArn = await listener(alb, web);
  const { v2 } = oneAttempt(made.region);
  const create = async (input: Partial<CreateListenerCommandInput> = {}) => {
    const DefaultActions = [forward(web)];
    const command = new CreateListenerCommand({ LoadBalancerArn: alb, DefaultActions, Port: 443, ...input });
    return (await v2.send(command)).Listeners?.[0];
  };
  const rule = async (condition: RuleCondition, action: Action = forward(web), Priority = 1) => {
    const input = { ListenerArn, Priority, Conditions: [condition], Actions: [action] };
    return (await v2.send(new CreateRuleCommand(input))).Rules?.[0];
  };
  return { v2, web, flows, alb, nlb, ListenerArn, create, rule };
}

describe("a listener that decrypts", () => {
  test("has AWS's default policy for TLS unless it is given another one", async () => {
    const { create, v2 } = await scene();
    const https = await create({ Protocol: "HTTPS", Certificates });
    expect(https).toMatchObject({ SslPolicy: "ELBSecurityPolicy-2016-08", MutualAuthentication: { Mode: "off" } });
    const SslPolicy = "ELBSecurityPolicy-TLS13-1-2-2021-06";
    await v2.send(new ModifyListenerCommand({ ListenerArn: https?.ListenerArn, SslPolicy }));
    await v2.send(new ModifyListenerCommand({ ListenerArn: https?.ListenerArn, Port: 8443 }));
    const command = new DescribeListenersCommand({ ListenerArns: [https?.ListenerArn ?? ""] });
    expect((await v2.send(command)).Listeners).toMatchObject([{ SslPolicy, Port: 8443 }]);
  });

  test("has the ALPN policy that it is given", async () => {
    const { create, nlb, flows } = await scene();
    const tls = { LoadBalancerArn: nlb, DefaultActions: [forward(flows)], Protocol: "TLS" as const, Certificates };
    expect(await create({ ...tls, AlpnPolicy: ["HTTP2Preferred"] })).toMatchObject({
      SslPolicy: "ELBSecurityPolicy-2016-08",
      AlpnPolicy: ["HTTP2Preferred"],
    });
    await expect(create({ ...tls, Port: 444, AlpnPolicy: ["HTTP3"] })).rejects.toMatchObject({
      name: "ALPNPolicyNotSupportedException",
    });
  });

  test.each(["passthrough", "verify"])("is refused with the mutual authentication %s", async (Mode) => {
    const { create } = await scene();
    const off = { Protocol: "HTTPS" as const, Certificates, MutualAuthentication: { Mode: "off" } };
    await create(off);
    await expect(create({ ...off, Port: 444, MutualAuthentication: { Mode } })).rejects.toMatchObject(NOT_SIMULATED);
  });
});

test("a listener of a scenario has the default policy too", () => {
  const { world } = new SimulatedRegion();
  const loadBalancer = world.addLoadBalancer({ name: "alb", type: "application", vpcId: "vpc-1" });
  const listener = world.addListener(loadBalancer, { protocol: "HTTPS", port: 443, defaultActions: [] });
  expect(listener.sslPolicy).toBe("ELBSecurityPolicy-2016-08");
});

describe("an action", () => {
  test.each(["authenticate-oidc", "authenticate-cognito", "jwt-validation"] as const)(
    "of the type %s is refused as not simulated",
    async (Type) => {
      const { create, web } = await scene();
      const DefaultActions = [{ Type, Order: 1 }, forward(web)];
      await expect(create({ Protocol: "HTTP", DefaultActions })).rejects.toMatchObject(NOT_SIMULATED);
    },
  );

  test("keeps its order and the duration of a stickiness that is off", async () => {
    const { create, web } = await scene();
    const TargetGroupStickinessConfig = { Enabled: false, DurationSeconds: 60 };
    const ForwardConfig = { TargetGroups: [{ TargetGroupArn: web, Weight: 1 }], TargetGroupStickinessConfig };
    const DefaultActions = [{ Type: "forward" as const, Order: 2, ForwardConfig }];
    const listener = await create({ Protocol: "HTTP", DefaultActions });
    expect(listener?.DefaultActions).toMatchObject(DefaultActions);
  });

  test("is refused with stickiness of its groups", async () => {
    const { create, web } = await scene();
    const TargetGroupStickinessConfig = { Enabled: true, DurationSeconds: 60 };
    const ForwardConfig = { TargetGroups: [{ TargetGroupArn: web }], TargetGroupStickinessConfig };
    const DefaultActions = [{ Type: "forward" as const, ForwardConfig }];
    await expect(create({ Protocol: "HTTP", DefaultActions })).rejects.toMatchObject(NOT_SIMULATED);
  });
});

const CONDITIONS: readonly RuleCondition[] = [
  { Field: "http-header", HttpHeaderConfig: { HttpHeaderName: "User-Agent", Values: ["*Chrome*"] } },
  { Field: "http-request-method", HttpRequestMethodConfig: { Values: ["GET", "HEAD"] } },
  { Field: "query-string", QueryStringConfig: { Values: [{ Key: "version", Value: "v1" }, { Value: "*example*" }] } },
  { Field: "source-ip", SourceIpConfig: { Values: ["192.0.2.0/24", "2001:db8::/32"] } },
];

describe("a rule", () => {
  test.each(CONDITIONS)("has the condition $Field that it is given", async (condition) => {
    const { v2, rule, ListenerArn } = await scene();
    const made = await rule({ Field: "path-pattern", Values: ["/"] });
    await v2.send(new ModifyRuleCommand({ RuleArn: made?.RuleArn, Conditions: [condition] }));
    await rule(condition, undefined, 2);
    const { Rules } = await v2.send(new DescribeRulesCommand({ ListenerArn }));
    expect(Rules?.map(({ Conditions }) => Conditions)).toEqual([[condition], [condition], []]);
  });

  test.each<[string, RuleCondition]>([
    ["regular expressions", { Field: "path-pattern", RegexValues: ["^/a"] }],
    ["regular expressions for a header", { Field: "http-header", HttpHeaderConfig: { RegexValues: ["^a"] } }],
    ["a type of IP addresses", { Field: "source-ip", SourceIpConfig: { IpAddressType: "ipv6" } }],
  ])("with a condition for %s is refused as not simulated", async (_, condition) => {
    const { rule } = await scene();
    await expect(rule(condition)).rejects.toMatchObject(NOT_SIMULATED);
  });

  test("with transforms is refused as not simulated", async () => {
    const { v2, web, ListenerArn } = await scene();
    const Conditions = [{ Field: "path-pattern", Values: ["/"] }];
    const Transforms = [
      { Type: "url-rewrite" as const, UrlRewriteConfig: { Rewrites: [{ Regex: "a", Replace: "b" }] } },
    ];
    const input = { ListenerArn, Priority: 1, Conditions, Actions: [forward(web)], Transforms };
    await expect(v2.send(new CreateRuleCommand(input))).rejects.toMatchObject(NOT_SIMULATED);
  });

  test.each<[string, RuleCondition]>([
    ["no values", { Field: "http-request-method" }],
    ["no name of the header", { Field: "http-header", HttpHeaderConfig: { Values: ["a"] } }],
    ["an address without a prefix", { Field: "source-ip", SourceIpConfig: { Values: ["192.0.2.1"] } }],
    ["too long a prefix", { Field: "source-ip", SourceIpConfig: { Values: ["192.0.2.1/33"] } }],
    ["an unknown field", { Field: "cookie", Values: ["a"] }],
  ])("with %s is refused", async (_, condition) => {
    const { rule } = await scene();
    await expect(rule(condition)).rejects.toMatchObject({ name: "ValidationError" });
  });
});
