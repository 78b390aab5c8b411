import { expect, test } from "vitest";
import { never, SimulatedRegion } from "../support/simulated-region.ts";
import { find, providerOf, shown } from "./support.ts";

const POD = "10.0.77.1";

/** A node, and a group with the address of one of its pods, which no interface of the node has. */
function scene() {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = region.group({ name: "pods", targetType: "ip", port: 8080 });
  region.world.registerTarget(group, { id: POD, zone: "eu-west-1a" }, { settled: true });
  const provider = providerOf(region);
  const withPods = async () => ({
    ...(await provider.resolve({ by: "id", value: node.id }, never)),
    podAddresses: [POD, "10.0.77.2"],
  });
  return { region, node, provider, withPods };
}

test("finds the addresses of pods that the cluster has on the node, and that EC2 does not know of", async () => {
  const { region, node, provider, withPods } = scene();
  expect((await find(region, node)).registrations).toEqual([]);
  const found = await provider.findRegistrations(await withPods(), never);
  expect(shown(found.registrations)).toEqual([`pods ${POD}:8080`]);
  expect(found.elsewhere).toEqual([]);
});

test("does not take the address of another machine for a pod's, and says whose it is", async () => {
  const { region, provider, withPods } = scene();
  const other = region.node({ privateIp: POD });
  const found = await provider.findRegistrations(await withPods(), never);
  expect(found.registrations).toEqual([]);
  expect(found.elsewhere).toMatchObject([{ target: `${POD}:8080`, doubt: expect.stringContaining(other.id) }]);
});

test("a pod's target that came back is still the node's while the cluster has the pod there", async () => {
  const { provider, withPods } = scene();
  const node = await withPods();
  const { registrations } = await provider.findRegistrations(node, never);
  expect(await provider.stillOwned(node, registrations, never)).toEqual(registrations);
  const { podAddresses: _, ...without } = node;
  expect(await provider.stillOwned(without, registrations, never)).toEqual([]);
});
