import { ScaledClock } from "../clock.ts";
import type { DataPlane } from "../data-plane/data-plane.ts";
import { MACHINES } from "../data-plane/passages.ts";
import { sumOf, type Traffic, TrafficCount } from "../data-plane/traffic.ts";
import type { ClassicLoadBalancer } from "../world/classic-load-balancer.ts";
import type { TargetGroup } from "../world/target-group.ts";
import type { ControlledRegion } from "./controlled-region.ts";
import type { RegionState } from "./state-schema.ts";
import { nameOf, type Recorded } from "./target-record.ts";

const NONE = new TrafficCount().report();
const EACH_MACHINE = Array.from({ length: MACHINES }, (_, machine) => machine);

/** The current state. Reading it is not a call of AWS, and changes nothing. */
export function regionState(region: ControlledRegion): RegionState {
  const { world, simulator } = region;
  world.catchUp();
  const { clock, loadBalancers, classics } = world;
  const own = [...loadBalancers.values()].map(({ name, type, zones, zonalShifts, listeners }) => ({
    name,
    type,
    zones: [...zones],
    shiftedZones: [...zonalShifts.zonesAt(clock.now())],
    listeners: listeners.map((listener) => listenerState(region, name, listener)),
  }));
  const classic = [...classics.values()].map((each) => classicState(region, each));
  return {
    now: new Date(clock.now()).toISOString(),
    ...(clock instanceof ScaledClock && { speed: clock.speed }),
    seed: world.random.seed,
    region: world.region,
    traffic: sumOf([...own, ...classic].flatMap(({ listeners }) => listeners.map(({ traffic }) => traffic ?? NONE))),
    loadBalancers: own,
    targetGroups: [...world.targetGroups.values()].map((group) => groupState(region, group)),
    classicLoadBalancers: classic,
    autoScalingGroups: [...world.autoScalingGroups.values()].map((group) => ({
      name: group.name,
      desiredCapacity: group.desiredCapacity,
      instances: group.members(clock.now()).map(({ instance: { id }, lifecycleState }) => ({ id, lifecycleState })),
    })),
    instances: instanceStates(region),
    calls: Object.fromEntries([...simulator.calls].sort()),
  };
}

function listenerState(
  { plane }: ControlledRegion,
  name: string,
  { port, protocol }: { readonly port: number; readonly protocol: string },
) {
  const traffic = plane?.trafficAt(name, port);
  const urls = [...(plane?.urls(name, port) ?? [])];
  return { port, protocol, ...(traffic !== undefined && { url: urls[0], urls, traffic }) };
}

function groupState({ world, plane, targets }: ControlledRegion, group: TargetGroup) {
  const now = world.clock.now();
  const receiving = new Set(EACH_MACHINE.flatMap((machine) => group.routable(now, machine, MACHINES).map(nameOf)));
  const carried = carriedBy(group.arn, plane);
  const listed = group.listed(now).map((target) => {
    const { state, reason } = group.apiHealth(target, now);
    const { id, port, zone } = target;
    return { id, port, ...(zone !== undefined && { zone }), state, ...(reason !== undefined && { reason }) };
  });
  const gone = unlisted(targets.of(group.arn), listed).map(({ id, port = 0 }) => ({
    id,
    port,
    state: "not-registered",
  }));
  const loadBalancer = world.loadBalancerOf(group.arn)?.name;
  return {
    name: group.name,
    arn: group.arn,
    ...(loadBalancer !== undefined && { loadBalancer }),
    targets: [...listed, ...gone].map((target) => ({
      ...target,
      receivesNew: receiving.has(nameOf(target)),
      traffic: carried.get(nameOf(target)) ?? NONE,
    })),
  };
}

function classicState(region: ControlledRegion, classic: ClassicLoadBalancer) {
  const { world, plane, targets } = region;
  const now = world.clock.now();
  const receiving = new Set(EACH_MACHINE.flatMap((machine) => classic.routable(now, machine, MACHINES)));
  const carried = carriedBy(classic.name, plane);
  const listed = classic.registered(now).map((id) => ({ id }));
  const gone = unlisted(targets.of(classic.name), listed);
  const registered = new Set(listed.map(({ id }) => id));
  const instances = [...listed, ...gone].map(({ id }) => {
    const said = classic.apiState(id, now);
    // While its connections drain, AWS calls it InService; later it answers OutOfService, as of any unknown instance.
    const isGone = !registered.has(id) && said?.state !== "InService";
    return {
      id,
      state: isGone ? "not-registered" : (said?.state ?? "not-registered"),
      ...(said !== undefined && { description: said.description }),
      receivesNew: receiving.has(id),
      traffic: carried.get(nameOf({ id })) ?? NONE,
    };
  });
  return {
    name: classic.name,
    zones: [...classic.zones],
    listeners: classic.listeners.map((listener) => listenerState(region, classic.name, listener)),
    instances,
  };
}

function instanceStates({ world, instanceIds, metadata }: ControlledRegion) {
  const names = new Map([...instanceIds].map(([name, id]) => [id, name]));
  const metadataUrls = new Map(metadata.map(({ instanceId, url }) => [instanceId, url]));
  return [...world.instances.values()].map((instance) => {
    const { id, zone, privateIp, answering } = instance;
    const [name, metadataUrl] = [names.get(id), metadataUrls.get(id)];
    return {
      id,
      ...(name !== undefined && { name }),
      state: instance.state(world.clock.now(), world.timing),
      answering: answering.up,
      zone,
      privateIp,
      ...(metadataUrl !== undefined && { metadataUrl }),
    };
  });
}

/** The traffic of each target of a pool, by its name, for all of its zones together. */
function carriedBy(pool: string, plane: DataPlane | undefined): ReadonlyMap<string, Traffic> {
  const carried = new Map<string, Traffic>();
  for (const { traffic, ...target } of plane?.passages.trafficOf(pool) ?? [])
    carried.set(nameOf(target), sumOf([traffic, carried.get(nameOf(target)) ?? NONE]));
  return carried;
}

/** Those of `known` that are not listed any more. */
function unlisted(known: readonly Recorded[], listed: readonly Recorded[]): readonly Recorded[] {
  const names = new Set(listed.map(nameOf));
  return known.filter((one) => !names.has(nameOf(one)));
}
