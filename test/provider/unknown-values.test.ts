import { describe, expect, test } from "vitest";
import { targetGroupXml } from "../../src/simulator/api/elbv2-read.ts";
import type { XmlFields } from "../../src/simulator/api/xml.ts";
import type { TargetGroup } from "../../src/simulator/world/target-group.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";
import {
  elbAnswer,
  find,
  isClassic,
  onlyRegistrationOf,
  onlyTermsOf,
  providerOf,
  registrationsOf,
  shown,
} from "./support.ts";

/** AWS lists the group with these fields instead of its own. */
function listedWith(region: SimulatedRegion, group: TargetGroup, fields: XmlFields): void {
  region.intercept = ({ action }) => {
    if (action !== "DescribeTargetGroups") return undefined;
    return elbAnswer(action, { TargetGroups: { member: [{ ...targetGroupXml(group, region.world), ...fields }] } });
  };
}

/** AWS lists the group's targets so. */
function targetsListed(region: SimulatedRegion, targets: readonly XmlFields[], State = "healthy"): void {
  region.intercept = ({ action }) => {
    if (action !== "DescribeTargetHealth") return undefined;
    const member = targets.map((Target) => ({ Target, TargetHealth: { State } }));
    return elbAnswer(action, { TargetHealthDescriptions: { member } });
  };
}

const LB = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer";

describe("a target group", () => {
  test.each([["interface"], [undefined]])(
    "of the target type %s holds nodes by id and by address",
    async (TargetType) => {
      const region = new SimulatedRegion();
      const node = region.node();
      const group = region.group({ name: "web", nodes: [node] });
      region.world.registerTarget(group, { id: node.privateIp, port: 8080 }, { settled: true });
      listedWith(region, group, { TargetType });
      expect(shown(await registrationsOf(region, node))).toEqual(["web 10.0.0.1:8080", `web ${node.id}:30080`]);
    },
  );

  test("of an unknown target type that lists the id of a node's interface holds that node, and no other one", async () => {
    const region = new SimulatedRegion();
    const [node, other] = [region.node(), region.node()];
    const group = region.group({ name: "web", nodes: [other] });
    listedWith(region, group, { TargetType: "interface" });
    const listed = region.intercept;
    const [{ id: Id } = { id: "" }] = node.interfaces;
    const member = [{ Target: { Id, Port: 80 }, TargetHealth: { State: "healthy" } }];
    region.intercept = (call) =>
      call.action === "DescribeTargetHealth"
        ? elbAnswer(call.action, { TargetHealthDescriptions: { member } })
        : listed(call);
    expect(shown(await registrationsOf(region, node))).toEqual([`web ${Id}:80`]);
    expect(await registrationsOf(region, other)).toEqual([]);
  });

  test.each([["lambda"], ["alb"]])("of the target type %s holds none, and is not read", async (TargetType) => {
    const region = new SimulatedRegion();
    const node = region.node();
    listedWith(region, region.group({ name: "web", nodes: [node] }), { TargetType });
    expect(await registrationsOf(region, node)).toEqual([]);
    expect(region.callsOf("DescribeTargetHealth")).toEqual([]);
  });

  test("without a VPC is searched: an id is the node's, an address may be another machine's", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    const group = region.group({ name: "web", nodes: [node] });
    listedWith(region, group, { VpcId: undefined });
    expect(shown(await registrationsOf(region, node))).toEqual([`web ${node.id}:30080`]);
    const byAddress = region.group({ name: "pods", targetType: "ip", nodes: [node] });
    listedWith(region, byAddress, { VpcId: undefined });
    const found = await find(region, node);
    expect(found.registrations).toEqual([]);
    expect(found.elsewhere).toMatchObject([{ doubt: expect.stringContaining("a VPC that AWS does not name") }]);
  });

  test.each<[string, readonly string[] | undefined, string, string | undefined]>([
    ["a load balancer of an unknown type", [`${LB}/mesh/front/1`], "unknown", "front"],
    ["load balancers of two types", [`${LB}/app/front/1`, `${LB}/net/back/2`], "unknown", "front, back"],
    ["two load balancers of one type", [`${LB}/net/front/1`, `${LB}/net/back/2`], "nlb", "front, back"],
    ["no word about load balancers", undefined, "unknown", undefined],
  ])("with %s is told by the rule that is long enough", async (_, arns, kind, loadBalancer) => {
    const region = new SimulatedRegion();
    const node = region.node();
    const group = region.group({ name: "web", nodes: [node] });
    listedWith(region, group, { LoadBalancerArns: arns && { member: arns } });
    const { pool } = await onlyRegistrationOf(region, node);
    expect([pool.kind, pool.loadBalancer]).toEqual([kind, loadBalancer]);
  });

  test.each([
    ["use_load_balancer_configuration"],
    [""],
    ["-1"],
    ["NaN"],
    ["1e3"],
    ["30 s"],
    ["0x10"],
    [" 30 "],
    ["9".repeat(18)],
  ])("with the deregistration delay '%s' drains for AWS's default of 300 s, with a warning", async (delay) => {
    const region = new SimulatedRegion();
    const node = region.node();
    const group = region.group({ name: "web", nodes: [node] });
    group.attributes.set("deregistration_delay.timeout_seconds", delay);
    expect(await onlyTermsOf(region, node)).toMatchObject({
      drainMs: 300_000,
      warnings: [
        `its deregistration_delay.timeout_seconds is '${delay}', which is not a usable number of seconds: AWS's default of 300 s is used`,
      ],
    });
  });

  test.each([
    ["QUIC", 30],
    ["TCP_QUIC", 30],
    ["TCP_QUIC", 0],
  ])("of the protocol %s drains for 300 s, whatever its attribute says: %i s", async (protocol, delaySeconds) => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "quic", type: "network", protocol, targetType: "ip", nodes: [node], delaySeconds });
    expect(await onlyRegistrationOf(region, node)).toMatchObject({
      target: expect.stringMatching(/^10\.0\.0\.1:30080 0x[0-9a-f]{16}$/),
      listed: { Id: "10.0.0.1", QuicServerId: expect.stringMatching(/^0x/) },
    });
    expect(await onlyTermsOf(region, node)).toMatchObject({ drainMs: 300_000 });
  });
});

test.each([[undefined], ["HTTP3"]])(
  "a group of the protocol %s drains for at least AWS's longest delay without a setting: 300 s",
  async (Protocol) => {
    const region = new SimulatedRegion();
    const node = region.node();
    const group = region.group({ name: "web", type: "network", nodes: [node], delaySeconds: 30 });
    listedWith(region, group, { Protocol });
    expect(await onlyTermsOf(region, node)).toMatchObject({ drainMs: 300_000 });
  },
);

test("a group of an ALB, which has no QUIC, drains by its delay, whatever its protocol", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = region.group({ name: "web", nodes: [node], delaySeconds: 30 });
  listedWith(region, group, { Protocol: undefined });
  expect(await onlyTermsOf(region, node)).toMatchObject({ drainMs: 30_000 });
});

test.each([
  ["an unknown type", [`${LB}/mesh/front/1`]],
  ["two types", [`${LB}/app/front/1`, `${LB}/net/back/2`]],
])("a group of load balancers of %s counts its zones as they are set, not as an ALB does", async (_, member) => {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = region.group({ name: "web", nodes: [node] });
  listedWith(region, group, { LoadBalancerArns: { member } });
  const { pool } = await onlyRegistrationOf(region, node);
  const { zoneOf } = await providerOf(region).healthOf(pool, 0, never);
  expect(zoneOf).toBeDefined();
});

describe("a target", () => {
  test.each([[undefined], ["none"], [""], [0]])("with the port %s is deregistered without a port", async (Port) => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node] });
    targetsListed(region, [{ Id: node.id, Port }]);
    const registration = await onlyRegistrationOf(region, node);
    expect(registration.target).toBe(node.id);
    await providerOf(region).deregister(registration.pool, [registration], never);
    const [sent] = region.callsOf("DeregisterTargets");
    expect([...(sent ?? [])].filter(([key]) => key.startsWith("Targets"))).toEqual([["Targets.member.1.Id", node.id]]);
  });

  test("in two zones by one id and port is one registration, and both are deregistered", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    const group = region.group({ name: "web", targetType: "ip", type: "network", port: 8080 });
    for (const zone of ["all", "eu-west-1a"])
      region.world.registerTarget(group, { id: node.privateIp, zone }, { settled: true });
    const registration = await onlyRegistrationOf(region, node);
    expect(registration.target).toBe("10.0.0.1:8080");
    await providerOf(region).deregister(registration.pool, [registration], never);
    const [sent] = region.callsOf("DeregisterTargets");
    const zones = [1, 2].map((number) => sent?.get(`Targets.member.${number}.AvailabilityZone`));
    expect(zones.sort()).toEqual(["all", "eu-west-1a"]);
    expect(group.listed(region.clock.now()).map((one) => group.apiHealth(one, region.clock.now()).state)).toEqual([
      "draining",
      "draining",
    ]);
  });

  test("in two zones is out only when it is out in both", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    const group = region.group({ name: "web", targetType: "ip", type: "network", port: 8080, delaySeconds: 30 });
    const zones = ["all", "eu-west-1a"];
    for (const zone of zones) region.world.registerTarget(group, { id: node.privateIp, zone }, { settled: true });
    const registration = await onlyRegistrationOf(region, node);
    const state = async () =>
      (await providerOf(region).observe(registration.pool, [registration], never)).get("10.0.0.1:8080");
    region.world.deregisterTarget(group, { id: node.privateIp, zone: "all" });
    expect(await state()).toBe("live");
    region.world.deregisterTarget(group, { id: node.privateIp, zone: "eu-west-1a" });
    expect(await state()).toBe("draining");
    await region.clock.advance(30_000);
    expect(await state()).toBe("absent");
  });

  test("without an id can't be anybody's: the search fails rather than to hide it", async () => {
    const region = new SimulatedRegion();
    region.group({ name: "web" });
    targetsListed(region, [{ Port: 30080 }]);
    await expect(region.clock.run(find(region, region.node()))).rejects.toMatchObject({ code: "unavailable" });
  });

  test("without a state is registered, and is said to be in an unknown one", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node] });
    region.intercept = ({ action }) =>
      action === "DescribeTargetHealth"
        ? elbAnswer(action, { TargetHealthDescriptions: { member: [{ Target: { Id: node.id, Port: 30_080 } }] } })
        : undefined;
    expect(await onlyRegistrationOf(region, node)).toMatchObject({ state: "live", detail: "state unknown" });
  });

  test("in a state that nobody knows is registered", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.group({ name: "web", nodes: [node] });
    targetsListed(region, [{ Id: node.id, Port: 30080 }], "resting");
    expect(await onlyRegistrationOf(region, node)).toMatchObject({ state: "live", isHealthy: false });
  });
});

describe("a classic load balancer's description that AWS does not document", () => {
  const NEW_WORDS = "Instance enjoys a rest.";

  /** AWS says `State` and the new words of every instance; its listing is the simulator's. */
  async function scene(State: string) {
    const region = new SimulatedRegion();
    const node = region.node();
    const classic = region.classic({ name: "old", nodes: [node], drainingSeconds: 60 });
    const registration = await onlyRegistrationOf(region, node);
    region.intercept = ({ action }) => {
      if (action !== "DescribeInstanceHealth") return undefined;
      const member = [{ InstanceId: node.id, State, ReasonCode: "ELB", Description: NEW_WORDS }];
      return elbAnswer(action, { InstanceStates: { member } });
    };
    const state = async () => (await providerOf(region).observe(registration.pool, [registration], never)).get(node.id);
    return { region, node, classic, state };
  }

  test.each([["InService"], ["OutOfService"]])("beside %s: one that is listed is registered", async (State) => {
    const { state } = await scene(State);
    expect(await state()).toBe("live");
  });

  test.each([
    ["OutOfService", "unlisted"],
    ["InService", "draining"],
  ])("beside %s: one that is listed no more is %s", async (State, expected) => {
    const { region, node, classic, state } = await scene(State);
    region.world.deregisterClassic(classic, node.id);
    expect(await state()).toBe(expected);
  });

  test("is no registration of a node that the load balancer does not list", async () => {
    const { region } = await scene("OutOfService");
    const stranger = region.node();
    region.intercept = ({ action }) => {
      const member = [{ InstanceId: stranger.id, State: "OutOfService", ReasonCode: "ELB", Description: NEW_WORDS }];
      return action === "DescribeInstanceHealth" ? elbAnswer(action, { InstanceStates: { member } }) : undefined;
    };
    expect(await registrationsOf(region, stranger)).toEqual([]);
  });

  test("costs a listing, and known descriptions cost none", async () => {
    const { region, state } = await scene("OutOfService");
    const before = region.callsOf("DescribeLoadBalancers").length;
    await state();
    expect(region.callsOf("DescribeLoadBalancers")).toHaveLength(before + 1);
    region.intercept = () => undefined;
    await state();
    expect(region.callsOf("DescribeLoadBalancers")).toHaveLength(before + 1);
  });
});

test("a classic load balancer without a word about draining drains for AWS's default of 300 s", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.classic({ name: "old", nodes: [node] });
  region.intercept = ({ action, params }) =>
    action === "DescribeLoadBalancerAttributes" && isClassic({ params })
      ? elbAnswer(action, { LoadBalancerAttributes: { CrossZoneLoadBalancing: { Enabled: true } } })
      : undefined;
  expect(await onlyTermsOf(region, node)).toMatchObject({ drainMs: 300_000 });
});

test.each([["soon"], [-5], [10_000_000_000]])(
  "a classic load balancer with the draining timeout %s drains for AWS's default of 300 s, with a warning",
  async (Timeout) => {
    const region = new SimulatedRegion();
    const node = region.node();
    region.classic({ name: "old", nodes: [node] });
    region.intercept = ({ action, params }) =>
      action === "DescribeLoadBalancerAttributes" && isClassic({ params })
        ? elbAnswer(action, { LoadBalancerAttributes: { ConnectionDraining: { Enabled: true, Timeout } } })
        : undefined;
    expect(await onlyTermsOf(region, node)).toMatchObject({
      drainMs: 300_000,
      warnings: ["its connection draining timeout is not a usable number of seconds: AWS's default of 300 s is used"],
    });
  },
);

test.each([
  ["target group without an ARN", "DescribeTargetGroups", { TargetGroups: { member: [{ TargetGroupName: "web" }] } }],
  [
    "load balancer without a name",
    "DescribeLoadBalancers",
    { LoadBalancerDescriptions: { member: [{ VPCId: "vpc-1" }] } },
  ],
])("a %s fails the search rather than to hide it", async (_, wanted, answer) => {
  const region = new SimulatedRegion();
  region.intercept = ({ action }) => (action === wanted ? elbAnswer(action, answer) : undefined);
  await expect(region.clock.run(find(region, region.node()))).rejects.toMatchObject({ code: "unavailable" });
});
