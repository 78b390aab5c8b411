import { execFile } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import type { Instance } from "../../../src/simulator/world/instance.ts";
import type { World } from "../../../src/simulator/world/world.ts";
import { carryInside } from "../../support/machine-inside.ts";
import { SimulatedRegion, VPC } from "../../support/simulated-region.ts";
import { carry } from "./carried.ts";
import { Connection, hold, holdMany, send, statusesOf } from "./clients.ts";

const TARGET_PROCESS = new URL("../../../src/simulator/data-plane/target-process.ts", import.meta.url);

/** One instance behind one load balancer of each kind that carries requests. */
async function oneOfEach() {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "alb", nodes: [node] });
  region.group({ name: "nlb", type: "network", nodes: [node] });
  region.classic({ name: "classic", nodes: [node] });
  const carried = await carry(region.world);
  const urls = ["alb-lb", "nlb-lb", "classic"].map((name) => carried.plane.url(name));
  return { region, node, carried, urls };
}

test("one process answers for an instance behind all of its load balancers", async () => {
  const { node, carried, urls } = await oneOfEach();
  for (const url of urls)
    expect(await send(url)).toMatchObject({ status: 200, servedBy: node.id, body: `${node.id}\n` });
  expect([...carried.processes.keys()]).toEqual([node.id]);
});

test("a target that is known by its address is the instance that has the address", async () => {
  const region = new SimulatedRegion();
  const node = region.node({ secondaryIps: ["10.0.9.9"] });
  const group = region.group({ name: "pods", targetType: "ip" });
  region.world.registerTarget(group, { id: "10.0.9.9" }, { settled: true });
  const plane = await carryInside(region.world);
  expect(await send(plane.url("pods-lb"))).toMatchObject({ status: 200, servedBy: node.id });
});

test("terminating an instance ends its process at once, and what was in flight is lost", async () => {
  const { region, node, carried, urls } = await oneOfEach();
  const process = carried.processes.get(node.id);
  if (process === undefined) throw new Error("no process");
  const held = await Promise.all(urls.map((url) => hold(`${url}/?delay=600000`)));
  const exited = once(process, "exit");
  region.world.terminateInstance(node);
  expect(await exited).toEqual([null, "SIGKILL"]);
  const statuses = (await Promise.all(held.map(({ answer }) => answer))).map(({ status }) => status);
  expect(statuses).toEqual([502, "broken", 504]);
});

/** A request in flight through each kind of load balancer, to one of two nodes: none of them fails open. */
async function inFlightThroughEach() {
  const region = new SimulatedRegion();
  const [leaving, other] = [region.node(), region.node()];
  region.group({ name: "alb", nodes: [leaving] });
  const tcp = region.group({ name: "nlb", type: "network", nodes: [leaving] });
  region.classic({ name: "classic", nodes: [leaving] });
  const plane = await carryInside(region.world);
  const held = await Promise.all(
    ["alb-lb", "nlb-lb", "classic"].map((name) => hold(`${plane.url(name)}/?delay=600000`)),
  );
  region.world.registerTarget(tcp, { id: other.id }, { settled: true });
  const statuses = () => statusesOf(held);
  return { region, leaving, held, statuses };
}

test.each<[string, (world: World, instance: Instance) => void]>([
  [
    "is terminated without a shutdown of its system",
    (world, instance) => world.terminateInstance(instance, undefined, { skipOsShutdown: true }),
  ],
  [
    "is stopped without a shutdown of its system",
    (world, instance) => world.stopInstance(instance, undefined, { skipOsShutdown: true }),
  ],
  ["hibernates", (world, instance) => world.interruptions.interrupt(instance, { action: "hibernate" })],
])("what is in flight to a machine that %s gets no answer, until its load balancer gives up", async (_, happen) => {
  const { region, leaving, held, statuses } = await inFlightThroughEach();
  happen(region.world, leaving);
  await region.clock.advance(59_999);
  expect(statuses()).toEqual([undefined, undefined, undefined]);
  // Idle for a minute, and unhealthy after two checks.
  await region.clock.advance(1);
  expect((await Promise.all(held.map(({ answer }) => answer))).map(({ status }) => status)).toEqual([
    504,
    "broken",
    504,
  ]);
});

test("an NLB that leaves unhealthy targets their flows resets a flow to a machine that vanished once it was idle", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = region.group({ name: "nlb", type: "network", nodes: [node] });
  group.attributes.set("target_health_state.unhealthy.connection_termination.enabled", "false");
  const plane = await carryInside(region.world);
  const flow = await Connection.open(plane.url("nlb-lb"));
  region.world.terminateInstance(node, undefined, { skipOsShutdown: true });
  await region.clock.advance(349_999);
  expect(flow.isBroken).toBe(false);
  await region.clock.advance(1);
  expect(await flow.send()).toMatchObject({ status: "broken", error: "ECONNRESET" });
});

test("a flow to a machine that shuts down ends as its program ends it, and one to a machine that vanishes does not", async () => {
  const region = new SimulatedRegion();
  const [down, gone] = [region.node(), region.node()];
  region.group({ name: "nlb", type: "network", nodes: [down, gone] });
  const plane = await carryInside(region.world);
  const flows = await Connection.openMany(plane.url("nlb-lb"), 20);
  const ofDown = flows.filter(({ servedBy }) => servedBy === down.id);
  expect([0, flows.length]).not.toContain(ofDown.length);
  region.world.terminateInstance(down);
  region.world.terminateInstance(gone, undefined, { skipOsShutdown: true });
  await expect.poll(() => flows.filter(({ isBroken }) => isBroken)).toEqual(ofDown);
  await region.clock.advance(10_000);
  expect(flows.filter(({ isBroken }) => isBroken)).toEqual(ofDown);
});

test("stopping an instance ends its process, and once it is started and runs it has another", async () => {
  const { region, node, carried, urls } = await oneOfEach();
  const first = carried.processes.get(node.id);
  if (first === undefined) throw new Error("no process");
  const exited = once(first, "exit");
  region.world.stopInstance(node);
  expect(await exited).toEqual([null, "SIGKILL"]);
  region.world.startInstance(node);
  // It runs, and has passed its first check.
  await region.clock.advance(5_000 + 30_000);
  const answered = (url: string) =>
    fetch(url, { signal: AbortSignal.timeout(500) }).then(({ status }) => status, String);
  for (const url of urls) await expect.poll(() => answered(url)).toBe(200);
});

test("a machine that is launched serves once it runs, where it is registered", async () => {
  const { region, node, urls } = await oneOfEach();
  const [url = ""] = urls;
  const [group] = region.world.targetGroups.values();
  if (group === undefined) throw new Error("no group");
  const launched = region.world.launchInstance({ id: "i-0000000000000000f", vpcId: VPC, privateIp: "10.0.9.9" });
  region.world.registerTarget(group, { id: launched.id }, { settled: true });
  region.world.terminateInstance(node);
  await region.clock.advance(60_000);
  // A request that comes before the load balancer knows of the machine waits for time that does not pass.
  const servedBy = () =>
    fetch(url, { signal: AbortSignal.timeout(500) }).then(({ headers }) => headers.get("x-served-by"), String);
  await expect.poll(servedBy).toBe(launched.id);
});

test("rebooting an instance ends its process, and once it is up it has another", async () => {
  const { region, node, carried, urls } = await oneOfEach();
  const first = carried.processes.get(node.id);
  if (first === undefined) throw new Error("no process");
  const exited = once(first, "exit");
  region.world.rebootInstance(node);
  expect(await exited).toEqual([null, "SIGKILL"]);
  // The classic load balancer wants ten good checks.
  await region.clock.advance(120_000 + 10 * 30_000);
  const answered = (url: string) =>
    fetch(url, { signal: AbortSignal.timeout(500) }).then(({ status }) => status, String);
  for (const url of urls) await expect.poll(() => answered(url)).toBe(200);
});

test("an instance that is terminated before or while the data plane opens has no process left", async () => {
  const region = new SimulatedRegion();
  const [before, meanwhile, running] = [region.node(), region.node(), region.node()];
  region.world.terminateInstance(before);
  const opening = carry(region.world);
  region.world.terminateInstance(meanwhile);
  const { processes } = await opening;
  const isAlive = (id: string) => processes.get(id)?.exitCode === null && processes.get(id)?.signalCode === null;
  await expect.poll(() => [before, meanwhile, running].map(({ id }) => isAlive(id))).toEqual([false, false, true]);
});

test("closing the data plane leaves no process and no listener behind, and waits for no request", async () => {
  const { carried, urls } = await oneOfEach();
  const held = (await Promise.all(urls.map((url) => holdMany(`${url}/?delay=600000`, 2)))).flat();
  const idle = await Promise.all(urls.map((url) => Connection.open(url)));
  const processes = [...carried.processes.values()];
  const exits = processes.map((process) => once(process, "exit"));

  carried.plane.close();
  await Promise.all(exits);
  for (const { pid } of processes) expect(() => process.kill(pid ?? 0, 0)).toThrow("ESRCH");
  for (const { answer } of held) expect((await answer).status).toBe("broken");
  await expect.poll(() => idle.filter(({ isBroken }) => !isBroken)).toEqual([]);
  for (const url of urls) expect(await send(url)).toMatchObject({ status: "broken", error: "ECONNREFUSED" });
});

test("what becomes due after the data plane was closed does no harm", async () => {
  const { region, node, carried } = await oneOfEach();
  const { world, clock } = region;
  const [group] = world.targetGroups.values();
  const [classic] = world.classics.values();
  if (group === undefined || classic === undefined) throw new Error("no group");
  world.deregisterTarget(group, { id: node.id });
  carried.plane.close();
  carried.plane.close();
  world.deregisterClassic(classic, node.id);
  world.terminateInstance(node);
  await clock.advance(3_600_000);
});

test("a process ends with the one that started it, even when that one is killed", async () => {
  const program = `
    import { TargetProcess } from ${JSON.stringify(TARGET_PROCESS.href)};
    const target = await TargetProcess.start("i-0123456789abcdef0");
    process.stdout.write(target.port + "\\n", () => process.kill(process.pid, "SIGKILL"));
  `;
  const stdout = await new Promise<string>((resolve) =>
    execFile(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], (_, out) => resolve(out)),
  );
  const port = Number(stdout);
  expect(port).toBeGreaterThan(0);
  const refused = () =>
    new Promise((resolve) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy();
        resolve(false);
      }).once("error", () => resolve(true));
    });
  await expect.poll(refused).toBe(true);
});
