import {
  DescribeListenerAttributesCommand,
  DescribeLoadBalancerAttributesCommand,
  DescribeTargetGroupAttributesCommand,
  ModifyListenerAttributesCommand,
  ModifyLoadBalancerAttributesCommand,
  ModifyTargetGroupAttributesCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import { describe, expect, test } from "vitest";
import type { LoadBalancerType } from "../../src/simulator/world/load-balancer.ts";
import { SimulatedRegion } from "../support/simulated-region.ts";

/** A group behind a load balancer of a type, and how to read and set the attributes of each of the three. */
function scene(type: LoadBalancerType, protocol?: string) {
  const region = new SimulatedRegion();
  const group = region.group({ name: "web", type, ...(protocol && { protocol }) });
  const loadBalancer = region.world.loadBalancerOf(group.arn);
  const ListenerArn = loadBalancer?.listeners[0]?.arn;
  const LoadBalancerArn = loadBalancer?.arn;
  const TargetGroupArn = group.arn;
  const { v2 } = region.clients();
  const pairs = ({ Attributes = [] }: { Attributes?: { Key?: string | undefined; Value?: string | undefined }[] }) =>
    new Map(Attributes.map(({ Key = "", Value }) => [Key, Value]));
  const read = {
    group: async () => pairs(await v2.send(new DescribeTargetGroupAttributesCommand({ TargetGroupArn }))),
    loadBalancer: async () => pairs(await v2.send(new DescribeLoadBalancerAttributesCommand({ LoadBalancerArn }))),
    listener: async () => pairs(await v2.send(new DescribeListenerAttributesCommand({ ListenerArn }))),
  };
  const set = (what: keyof typeof read, ...attributes: readonly (readonly [string, string])[]) => {
    const Attributes = attributes.map(([Key, Value]) => ({ Key, Value }));
    if (what === "group") return v2.send(new ModifyTargetGroupAttributesCommand({ TargetGroupArn, Attributes }));
    if (what === "listener") return v2.send(new ModifyListenerAttributesCommand({ ListenerArn, Attributes }));
    return v2.send(new ModifyLoadBalancerAttributesCommand({ LoadBalancerArn, Attributes }));
  };
  return { read, set };
}

describe("each type has the attributes that AWS documents for it, with AWS's defaults", () => {
  test.each<[LoadBalancerType, "group" | "loadBalancer" | "listener", Readonly<Record<string, string>>]>([
    ["application", "group", { "stickiness.type": "lb_cookie", "stickiness.lb_cookie.duration_seconds": "86400" }],
    ["application", "group", { "stickiness.app_cookie.cookie_name": "", "slow_start.duration_seconds": "0" }],
    ["network", "group", { "stickiness.type": "source_ip", "proxy_protocol_v2.enabled": "false" }],
    ["gateway", "group", { "stickiness.type": "source_ip_dest_ip", "target_failover.on_unhealthy": "no_rebalance" }],
    ["application", "loadBalancer", { "waf.fail_open.enabled": "false", "connection_logs.s3.enabled": "false" }],
    ["application", "loadBalancer", { "health_check_logs.s3.prefix": "", "ipv6.deny_all_igw_traffic": "false" }],
    ["application", "loadBalancer", { "routing.http.xff_client_port.enabled": "false" }],
    ["network", "loadBalancer", { "secondary_ips.auto_assigned.per_subnet": "0", "access_logs.s3.enabled": "false" }],
    ["application", "listener", { "routing.http.response.strict_transport_security.header_value": "" }],
    ["network", "listener", { "tcp.idle_timeout.seconds": "350" }],
    ["gateway", "listener", { "send_tcp_reset.on_idle_timeout.enabled": "false" }],
  ])("%s, %s: %j", async (type, what, expected) => {
    const attributes = await scene(type).read[what]();
    expect(Object.fromEntries([...attributes].filter(([key]) => Object.hasOwn(expected, key)))).toEqual(expected);
  });

  test("and not those of another", async () => {
    const [application, network, gateway] = [scene("application"), scene("network"), scene("gateway")];
    const foreign = { Code: "InvalidConfigurationRequest" };
    await expect(network.set("loadBalancer", ["waf.fail_open.enabled", "true"])).rejects.toMatchObject(foreign);
    await expect(application.set("group", ["proxy_protocol_v2.enabled", "true"])).rejects.toMatchObject(foreign);
    await expect(gateway.set("loadBalancer", ["access_logs.s3.enabled", "true"])).rejects.toMatchObject(foreign);
    await expect(application.set("listener", ["tcp.idle_timeout.seconds", "60"])).rejects.toMatchObject(foreign);
  });

  test("by its protocol, names of headers about TLS", async () => {
    const key = "routing.http.request.x_amzn_tls_version.header_name";
    expect((await scene("application", "HTTPS").read.listener()).get(key)).toBe("X-Amzn-Tls-Version");
    expect((await scene("application").read.listener()).has(key)).toBe(false);
  });
});

describe("values are checked", () => {
  test.each<[LoadBalancerType, "group" | "loadBalancer" | "listener", string, string, string]>([
    ["application", "loadBalancer", "deletion_protection.enabled", "maybe", "one of true, false"],
    ["application", "loadBalancer", "idle_timeout.timeout_seconds", "0", "between 1 and 4000 seconds"],
    ["application", "loadBalancer", "client_keep_alive.seconds", "604801", "between 60 and 604800 seconds"],
    [
      "application",
      "loadBalancer",
      "routing.http.desync_mitigation_mode",
      "lax",
      "one of monitor, defensive, strictest",
    ],
    ["network", "loadBalancer", "secondary_ips.auto_assigned.per_subnet", "8", "between 0 and 7"],
    ["application", "group", "stickiness.type", "source_ip", "one of lb_cookie, app_cookie"],
    ["network", "group", "stickiness.type", "lb_cookie", "one of source_ip"],
    ["application", "group", "slow_start.duration_seconds", "29", "0, or between 30 and 900 seconds"],
    [
      "application",
      "group",
      "load_balancing.algorithm.type",
      "bogus",
      "one of round_robin, least_outstanding_requests, weighted_random",
    ],
    [
      "application",
      "group",
      "load_balancing.cross_zone.enabled",
      "bogus",
      "one of true, false, use_load_balancer_configuration",
    ],
    [
      "network",
      "group",
      "target_group_health.dns_failover.minimum_healthy_targets.percentage",
      "101",
      "off, or between 1 and 100",
    ],
    ["gateway", "listener", "tcp.idle_timeout.seconds", "6001", "between 60 and 6000 seconds"],
  ])("%s, %s: %s is not %s", async (type, what, key, value, be) => {
    const { read, set } = scene(type);
    const before = await read[what]();
    await expect(set(what, [key, value])).rejects.toMatchObject({
      name: "ValidationError",
      message: expect.stringContaining(`'${key}' must be ${be}, not '${value}'`),
    });
    expect(await read[what]()).toEqual(before);
  });

  test.each<[LoadBalancerType, "group" | "loadBalancer" | "listener", string, string]>([
    ["application", "group", "slow_start.duration_seconds", "0"],
    ["application", "group", "slow_start.duration_seconds", "30"],
    ["application", "group", "stickiness.app_cookie.cookie_name", "session"],
    ["network", "group", "target_group_health.dns_failover.minimum_healthy_targets.count", "off"],
    ["application", "loadBalancer", "idle_timeout.timeout_seconds", "4000"],
    ["network", "loadBalancer", "dns_record.client_routing_policy", "availability_zone_affinity"],
    ["application", "listener", "routing.http.response.x_frame_options.header_value", "DENY"],
    ["gateway", "listener", "tcp.idle_timeout.seconds", "60"],
  ])("%s, %s: %s may be %s", async (type, what, key, value) => {
    const { read, set } = scene(type);
    await set(what, [key, value]);
    expect((await read[what]()).get(key)).toBe(value);
  });

  test("an ALB cannot do without cross-zone load balancing, but for its groups", async () => {
    const { set } = scene("application");
    const off = ["load_balancing.cross_zone.enabled", "false"] as const;
    await expect(set("loadBalancer", off)).rejects.toMatchObject({ Code: "InvalidConfigurationRequest" });
    await set("group", off);
  });

  test("a GWLB's group fails over in both cases or in none", async () => {
    const { set } = scene("gateway");
    const [leaving, failing] = ["target_failover.on_deregistration", "target_failover.on_unhealthy"] as const;
    await expect(set("group", [leaving, "rebalance"])).rejects.toMatchObject({
      name: "ValidationError",
      message: `Target group attribute keys '${failing}' and '${leaving}' must both be set to the same value for this target group`,
    });
    await set("group", [leaving, "rebalance"], [failing, "rebalance"]);
  });

  test.each([
    [
      ["target_failover.on_deregistration", "rebalance"],
      ["target_failover.on_unhealthy", "rebalance"],
    ],
    [["stickiness.enabled", "true"]],
  ] as const)(
    "a GWLB's group resets no flows that move, or that are told apart by less than ports: %j",
    async (...others) => {
      for (const reset of ["on_deregistration", "on_unhealthy"]) {
        const { set } = scene("gateway");
        const both = [[`send_tcp_reset.${reset}.enabled`, "true"] as const, ...others];
        await expect(set("group", ...both)).rejects.toMatchObject({ Code: "InvalidConfigurationRequest" });
        for (const each of both) if (!each[0].startsWith("target_failover")) await scene("gateway").set("group", each);
      }
    },
  );

  test.each(["UDP", "TCP_UDP"])("a group for %s keeps the flows of unhealthy targets", async (protocol) => {
    const { set } = scene("network", protocol);
    const termination = ["target_health_state.unhealthy.connection_termination.enabled", "true"] as const;
    await expect(set("group", termination)).rejects.toMatchObject({ Code: "InvalidConfigurationRequest" });
  });
});
