import { describe, expect, test } from "vitest";
import { never, SimulatedRegion, VPC } from "../support/simulated-region.ts";
import { find, OTHER_VPC, providerOf, registrationsOf, resolved, shown } from "./support.ts";

const THIRD_VPC = "vpc-0aaaaaaaaaaaaaaaa";

/** A target group of addresses in another VPC than the nodes', as behind VPC peering. */
function peered(region: SimulatedRegion, targets: readonly { readonly id: string; readonly zone?: string }[]) {
  const group = region.group({ name: "hub", targetType: "ip", vpcId: OTHER_VPC, port: 8080 });
  for (const target of targets) region.world.registerTarget(group, target, { settled: true });
  return group;
}

const doubts = (found: Awaited<ReturnType<typeof find>>) =>
  found.elsewhere.map(({ target, doubt }) => `${target}: ${doubt}`);

describe("a target group of addresses in another VPC", () => {
  test("holds a node by its address with the zone all, and the target goes back so", async () => {
    const region = new SimulatedRegion();
    const [node, other] = [region.node(), region.node()];
    peered(region, [{ id: node.privateIp }, { id: other.privateIp }]);
    const { registrations, elsewhere } = await find(region, node);
    expect(shown(registrations)).toEqual(["hub 10.0.0.1:8080"]);
    expect(elsewhere).toEqual([]);
    const [registration] = registrations;
    await providerOf(region).deregister(registration?.pool ?? ({} as never), registrations, never);
    const [sent] = region.callsOf("DeregisterTargets");
    expect(sent?.get("Targets.member.1.AvailabilityZone")).toBe("all");
    expect(sent?.get("Targets.member.2.Id")).toBeNull();
  });

  test("holds the addresses of prefixes and of further interfaces too", async () => {
    const region = new SimulatedRegion();
    const node = region.node({
      ipv4Prefixes: ["10.0.4.0/28"],
      interfaces: [{ privateIps: ["10.9.0.1"], vpcId: THIRD_VPC }],
    });
    peered(region, [{ id: "10.0.4.3" }, { id: "10.9.0.1" }, { id: "10.0.4.99" }]);
    expect(shown(await registrationsOf(region, node))).toEqual(["hub 10.0.4.3:8080", "hub 10.9.0.1:8080"]);
  });

  test("may hold another machine's address where AWS lists it with a zone: reported with the reason, not found", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    peered(region, [{ id: node.privateIp, zone: "eu-west-1a" }]);
    const found = await find(region, node);
    expect(found.registrations).toEqual([]);
    expect(doubts(found)).toEqual([
      `10.0.0.1:8080: AWS lists 10.0.0.1 with the zone eu-west-1a, not with the zone 'all', so that it may be the address of another machine in ${OTHER_VPC}`,
    ]);
  });

  test.each([[["all", "eu-west-1a"]], [["eu-west-1a", "all"]]])(
    "may hold another machine's address where AWS lists it with a zone besides the zone all: %j",
    async (zones) => {
      const region = new SimulatedRegion();
      const node = region.node();
      peered(
        region,
        zones.map((zone) => ({ id: node.privateIp, zone })),
      );
      const found = await find(region, node);
      expect(found.registrations).toEqual([]);
      expect(doubts(found)).toEqual([expect.stringContaining("with the zone eu-west-1a, not with the zone 'all'")]);
    },
  );

  test.each([
    ["the group's own VPC", OTHER_VPC],
    ["a third VPC", THIRD_VPC],
  ])("is not touched where a machine in %s has the same address", async (_, vpcId) => {
    const region = new SimulatedRegion();
    const node = region.node();
    const stranger = region.node({ vpcId, privateIp: node.privateIp });
    peered(region, [{ id: node.privateIp, zone: "all" }]);
    const found = await find(region, node);
    expect(found.registrations).toEqual([]);
    expect(doubts(found)).toEqual([`10.0.0.1:8080: 10.0.0.1 is also an address of ${stranger.id} (${vpcId})`]);
  });

  test("is the node's again once the machine with the same address is terminated", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    const stranger = region.node({ vpcId: THIRD_VPC, privateIp: node.privateIp });
    peered(region, [{ id: node.privateIp, zone: "all" }]);
    region.world.terminateInstance(stranger);
    await region.clock.advance(600_000);
    expect(shown(await registrationsOf(region, node))).toEqual(["hub 10.0.0.1:8080"]);
  });

  test("is not read where it can't hold the node, or where other VPCs are ignored", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    peered(region, [{ id: node.privateIp }]);
    region.group({ name: "by-id", vpcId: OTHER_VPC });
    region.world.addTargetGroup({ name: "unused", vpcId: OTHER_VPC, protocol: "HTTP", port: 80, targetType: "ip" });
    await find(region, node);
    expect(region.callsOf("DescribeTargetHealth")).toHaveLength(1);
    const { registrations, elsewhere } = await find(region, node, { ignoresOtherNetworks: true });
    expect([registrations, elsewhere]).toEqual([[], []]);
    expect(region.callsOf("DescribeTargetHealth")).toHaveLength(1);
  });

  test("with DISCOVERY=tag counts where it carries the cluster's tag, and says nothing of doubts where it does not", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    const hub = peered(region, [{ id: node.privateIp, zone: "eu-west-1a" }]);
    const untagged = await find(region, node, { discovery: "tag" });
    expect([untagged.registrations, untagged.elsewhere]).toEqual([[], []]);
    hub.tags.set("elbv2.k8s.aws/cluster", "demo");
    expect(doubts(await find(region, node, { discovery: "tag" }))).toHaveLength(1);
  });

  test("keeps its doubts in what is remembered", async () => {
    const region = new SimulatedRegion();
    const node = region.node();
    peered(region, [{ id: node.privateIp }]);
    const hub = region.group({ name: "zoned", targetType: "ip", vpcId: THIRD_VPC, port: 8080 });
    region.world.registerTarget(hub, { id: node.privateIp, zone: "eu-west-1b" }, { settled: true });
    const provider = providerOf(region, { indexPerSecond: 10 });
    const machine = await provider.resolve({ by: "id", value: node.id }, never);
    await provider.findRegistrations(machine, never);
    const calls = region.callsOf("DescribeTargetHealth").length;
    const by = { urgency: () => ({ purpose: "find", deadline: Infinity }) as const, signal: never };
    const remembered = await provider.provider.remembered(machine, by);
    expect(region.callsOf("DescribeTargetHealth")).toHaveLength(calls);
    expect(shown(remembered?.registrations ?? [])).toEqual(["hub 10.0.0.1:8080"]);
    expect(remembered?.elsewhere.map(({ pool, doubt }) => [pool.name, typeof doubt])).toEqual([["zoned", "string"]]);
  });
});

describe("an interface in another VPC", () => {
  /** Both nodes are in VPC; the first one also has the second one's address, in OTHER_VPC. */
  function scene() {
    const region = new SimulatedRegion();
    const node = region.node({ interfaces: [{ privateIps: ["10.0.0.2"], vpcId: OTHER_VPC }] });
    const other = region.node();
    return { region, node, other };
  }

  test("takes no other machine out of a group in the instance's own VPC", async () => {
    const { region, node, other } = scene();
    region.group({ name: "web", targetType: "ip", nodes: [node, other] });
    const found = await find(region, node);
    expect(shown(found.registrations)).toEqual(["web 10.0.0.1:30080"]);
    expect(found.elsewhere).toEqual([]);
    expect(shown(await registrationsOf(region, other))).toEqual(["web 10.0.0.2:30080"]);
  });

  test("is found in a group of its VPC, and another machine's address there is not", async () => {
    const { region, node, other } = scene();
    const group = region.group({ name: "far", targetType: "ip", vpcId: OTHER_VPC, port: 8080 });
    region.node({ vpcId: OTHER_VPC, privateIp: "10.0.0.1" });
    for (const id of ["10.0.0.1", "10.0.0.2"]) region.world.registerTarget(group, { id }, { settled: true });
    const found = await find(region, node);
    expect(shown(found.registrations)).toEqual(["far 10.0.0.2:8080"]);
    expect(found.elsewhere).toEqual([]);
    // The other node has that address too, in another VPC: for it the target is one beside.
    expect((await find(region, other)).registrations).toEqual([]);
  });

  test("tells two machines with one address apart by VPCID, which names each address's VPC", async () => {
    const { region, node, other } = scene();
    const ip = { by: "ip", value: "10.0.0.2" } as const;
    await expect(providerOf(region).resolve(ip, never)).rejects.toMatchObject({
      code: "ambiguous-node",
      message: expect.stringContaining(`${node.id} (${OTHER_VPC}), ${other.id} (${VPC})`),
    });
    expect(await providerOf(region, { vpcId: VPC }).resolve(ip, never)).toMatchObject({ id: other.id });
    expect(await providerOf(region, { vpcId: OTHER_VPC }).resolve(ip, never)).toMatchObject({ id: node.id });
  });

  test("puts its instance into that VPC for VPCID, and a third VPC is refused by both names", async () => {
    const { region, node } = scene();
    const byId = { by: "id", value: node.id } as const;
    for (const vpcId of [VPC, OTHER_VPC])
      expect(await providerOf(region, { vpcId }).resolve(byId, never)).toMatchObject({ network: VPC });
    await expect(providerOf(region, { vpcId: THIRD_VPC }).resolve(byId, never)).rejects.toMatchObject({
      code: "other-cluster",
      message: expect.stringContaining(`is in ${VPC} and ${OTHER_VPC}, and VPCID is '${THIRD_VPC}'`),
    });
  });

  test("leaves what came back alone where the address is another machine's in the group's VPC", async () => {
    const { region, node, other } = scene();
    region.group({ name: "web", targetType: "ip", nodes: [node, other] });
    const provider = providerOf(region);
    const machine = await provider.resolve({ by: "id", value: node.id }, never);
    await provider.findRegistrations(machine, never);
    const [theirs] = await registrationsOf(region, other);
    expect(await provider.stillOwned(machine, [theirs ?? ({} as never)], never)).toEqual([]);
  });
});

test("what EC2 lists as an address and is none fails the search for its own node alone", async () => {
  const region = new SimulatedRegion();
  const [odd, node] = [region.node(), region.node()];
  const group = region.group({ name: "pods", targetType: "ip", port: 8080 });
  for (const { privateIp } of [odd, node])
    region.world.registerTarget(group, { id: privateIp, port: 8080 }, { settled: true });
  for (const wrong of [
    { addressPrefixes: ["10.0.4.0/99"] },
    { addressPrefixes: ["10.0.4.0"] },
    { addresses: ["web"] },
  ]) {
    const provider = providerOf(region);
    const [one, other] = [await resolved(region, odd), await resolved(region, node)];
    const [failed, found] = await Promise.allSettled([
      provider.findRegistrations({ ...one, ...wrong }, never),
      provider.findRegistrations(other, never),
    ]);
    expect(failed).toMatchObject({ status: "rejected" });
    expect(found).toMatchObject({
      status: "fulfilled",
      value: { registrations: [{ target: `${node.privateIp}:8080` }] },
    });
  }
});
