import type { Clock } from "../clock.ts";
import { Controller } from "../controller.ts";
import type { HealthCheck } from "../world/health.ts";
import type { LifecycleHook } from "../world/lifecycle-action.ts";
import type { Action } from "../world/load-balancer.ts";
import type { Condition } from "../world/rule-conditions.ts";
import type { TargetDescription, TargetGroup } from "../world/target-group.ts";
import { World } from "../world/world.ts";
import { DEFAULT_REGION, DEFAULT_VPC, machinesOf } from "./machines.ts";
import type { Scenario } from "./schema.ts";

type Entry<L> = NonNullable<L> extends readonly (infer E)[] ? E : never;
type ScenarioGroup = Entry<Scenario["targetGroups"]>;
type ScenarioLoadBalancer = Entry<Scenario["loadBalancers"]>;
type ScenarioListener = Entry<ScenarioLoadBalancer["listeners"]>;
type ScenarioRule = Entry<ScenarioListener["rules"]>;

export interface BuiltWorld {
  readonly world: World;
  /** Instance ids, by the name in the scenario. */
  readonly instanceIds: ReadonlyMap<string, string>;
  /**
   * The ids for names of the scenario. The name of an entry stands for all of its machines. An id stands for itself.
   */
  idsOf(names: readonly string[]): readonly string[];
  /** They are not running yet. */
  readonly controllers: readonly Controller[];
}

/** Builds the world that a scenario describes. The scenario must be consistent, as `readScenario` returns it. */
export function buildWorld(scenario: Scenario, clock: Clock): BuiltWorld {
  const { region = DEFAULT_REGION, accountId, timing, seed } = scenario;
  const world = new World({
    clock,
    region,
    ...(accountId && { accountId }),
    ...(timing && { timing }),
    ...(seed === undefined ? {} : { seed }),
  });
  return new Building(scenario, world).build();
}

class Building {
  readonly #scenario: Scenario;
  readonly #world: World;
  readonly #vpc: string;
  /** Ids, by the name of a machine or of an entry. */
  readonly #ids = new Map<string, readonly string[]>();
  readonly #groups = new Map<string, { readonly group: TargetGroup; readonly targets: readonly TargetDescription[] }>();

  constructor(scenario: Scenario, world: World) {
    this.#scenario = scenario;
    this.#world = world;
    this.#vpc = scenario.vpcs?.[0]?.id ?? DEFAULT_VPC;
  }

  build(): BuiltWorld {
    const instanceIds = this.#addInstances();
    for (const input of this.#scenario.targetGroups ?? []) this.#addGroup(input);
    for (const input of this.#scenario.loadBalancers ?? []) this.#addLoadBalancer(input);
    for (const input of this.#scenario.classicLoadBalancers ?? []) this.#addClassic(input);
    for (const input of this.#scenario.autoScalingGroups ?? []) this.#addScalingGroup(input);
    const controllers = (this.#scenario.controllers ?? []).map((input) => this.#controller(input));
    return { world: this.#world, instanceIds, idsOf: (names) => this.#idsOf(names), controllers };
  }

  #addInstances(): ReadonlyMap<string, string> {
    const { clock, timing, excluded } = this.#world;
    const machines = machinesOf(this.#scenario);
    for (const { input, isStopped, isExcluded } of machines) {
      const instance = this.#world.addInstance(input);
      if (isStopped) instance.stop(clock.now() - timing.stoppingMs, {});
      if (isExcluded) excluded.add(instance.id);
    }
    let next = 0;
    for (const { name, count = 1 } of this.#scenario.instances ?? []) {
      const own = machines.slice(next, next + count);
      for (const machine of own) this.#ids.set(machine.name, [machine.input.id]);
      this.#ids.set(
        name,
        own.map(({ input }) => input.id),
      );
      next += count;
    }
    return new Map(machines.map(({ name, input }) => [name, input.id]));
  }

  #addGroup(input: ScenarioGroup): void {
    const { name, protocol, port, targetType = "instance", vpc: vpcId = this.#vpc } = input;
    const group = this.#world.addTargetGroup({
      name,
      protocol,
      port,
      targetType,
      vpcId,
      healthCheck: healthCheck(input.healthCheck, { intervalSeconds: 30, healthyThreshold: 5, unhealthyThreshold: 2 }),
    });
    for (const [key, value] of Object.entries(input.attributes ?? {})) group.attributes.set(key, String(value));
    setTags(group.tags, input.tags);
    const targets = (input.targets ?? []).flatMap(({ instances = [], addresses = [], ports, zone, settled = true }) => {
      const ids = [...this.#idsOf(instances).map((id) => this.#targetId(id, group)), ...addresses];
      const inZone = zone === undefined ? {} : { zone };
      const described = ids.flatMap((id) =>
        ports === undefined ? [{ id, ...inZone }] : ports.map((each) => ({ id, port: each, ...inZone })),
      );
      for (const target of described) this.#world.registerTarget(group, target, { settled });
      return described;
    });
    this.#groups.set(name, { group, targets });
  }

  #addLoadBalancer(input: ScenarioLoadBalancer): void {
    const { name, type, vpc: vpcId = this.#vpc, zones, listeners } = input;
    const loadBalancer = this.#world.addLoadBalancer({ name, type, vpcId, ...(zones && { zones }) });
    setTags(loadBalancer.tags, input.tags);
    for (const [key, value] of Object.entries(input.attributes ?? {})) loadBalancer.attributes.set(key, String(value));
    for (const shifted of input.shiftedZones ?? []) loadBalancer.zonalShifts.begin(shifted);
    for (const { protocol, port, action, rules = [], idleTimeoutSeconds } of listeners) {
      const listener = this.#world.addListener(loadBalancer, {
        protocol,
        port,
        defaultActions: [this.#action(action)],
        ...(idleTimeoutSeconds === undefined ? {} : { idleTimeoutSeconds }),
      });
      for (const rule of rules) {
        const { priority } = rule;
        this.#world.addRule(listener, { priority, conditions: conditions(rule), actions: [this.#action(rule.action)] });
      }
    }
  }

  #addClassic(input: Entry<Scenario["classicLoadBalancers"]>): void {
    const { name, vpc: vpcId = this.#vpc, zones, tags, connectionDrainingSeconds, instances = [] } = input;
    const listeners = input.listeners.map((listener) => ({ instanceProtocol: listener.protocol, ...listener }));
    const classic = this.#world.addClassic({ name, vpcId, listeners, ...(zones && { zones }) });
    setTags(classic.tags, tags);
    if (connectionDrainingSeconds !== undefined) {
      classic.draining = { enabled: true, timeoutSeconds: connectionDrainingSeconds };
    }
    const defaults = { intervalSeconds: 30, healthyThreshold: 10, unhealthyThreshold: 2 };
    classic.healthCheck = healthCheck(input.healthCheck, defaults);
    for (const id of this.#idsOf(instances)) this.#world.registerClassic(classic, id, { settled: true });
  }

  #addScalingGroup(input: Entry<Scenario["autoScalingGroups"]>): void {
    const { name, tags, minSize = 0 } = input;
    const instanceIds = this.#idsOf(input.instances ?? []);
    const { desiredCapacity = instanceIds.length, maxSize = desiredCapacity } = input;
    const targetGroups = (input.targetGroups ?? []).map((each) => this.#groups.get(each)?.group).filter(isPresent);
    const classics = (input.classicLoadBalancers ?? []).map((each) => this.#world.classics.get(each)).filter(isPresent);
    const zones = [...new Set(instanceIds.map((id) => this.#world.instance(id)?.zone).filter(isPresent))];
    const group = this.#world.addAutoScalingGroup({
      name,
      instanceIds,
      minSize,
      maxSize,
      desiredCapacity,
      targetGroups,
      classics,
      hooks: (input.hooks ?? []).map(lifecycleHook),
      retainsAbandoned: input.terminateHookAbandon === "retain",
      ...(input.launchSeconds === undefined ? {} : { launchMs: input.launchSeconds * 1_000 }),
      ...(zones.length > 0 && { zones }),
    });
    setTags(group.tags, tags);
  }

  /** A controller that registers what the scenario registers, in the pools that it controls. */
  #controller({
    intervalSeconds,
    targetGroups = [],
    classicLoadBalancers = [],
    autoScalingGroups = [],
  }: Entry<Scenario["controllers"]>): Controller {
    const groups = targetGroups.map((name) => this.#groups.get(name)).filter((group) => group !== undefined);
    const inputs = (this.#scenario.classicLoadBalancers ?? []).filter(({ name }) =>
      classicLoadBalancers.includes(name),
    );
    const classics = inputs.flatMap(({ name, instances = [] }) => {
      const loadBalancer = this.#world.classics.get(name);
      return loadBalancer === undefined ? [] : [{ loadBalancer, instanceIds: this.#idsOf(instances) }];
    });
    const scaled = autoScalingGroups.map((name) => this.#world.autoScalingGroups.get(name)).filter(isPresent);
    const intervalMs = intervalSeconds * 1_000;
    return new Controller(this.#world, { intervalMs, targetGroups: groups, classics, autoScalingGroups: scaled });
  }

  #action({ forward, fixedResponse, redirect }: ScenarioListener["action"]): Action {
    if (fixedResponse !== undefined) return { type: "fixed-response", body: "", ...fixedResponse };
    if (redirect !== undefined) return { type: "redirect", ...redirect };
    const groups = (forward ?? []).map(({ group, weight = 1 }) => ({
      arn: this.#groups.get(group)?.group.arn ?? "",
      weight,
    }));
    return { type: "forward", groups };
  }

  #idsOf(names: readonly string[]): readonly string[] {
    return [...new Set(names.flatMap((name) => this.#ids.get(name) ?? this.#knownId(name)))];
  }

  /** The id of a machine that has no name in the scenario, because it was launched later. */
  #knownId(id: string): readonly string[] {
    return this.#world.instance(id) === undefined ? [] : [id];
  }

  #targetId(instanceId: string, { targetType }: TargetGroup): string {
    return targetType === "ip" ? (this.#world.instance(instanceId)?.privateIp ?? instanceId) : instanceId;
  }
}

function conditions({ paths, hosts }: ScenarioRule): readonly Condition[] {
  return [
    ...(paths === undefined ? [] : [{ field: "path-pattern", values: paths } as const]),
    ...(hosts === undefined ? [] : [{ field: "host-header", values: hosts } as const]),
  ];
}

function lifecycleHook(given: Entry<Entry<Scenario["autoScalingGroups"]>["hooks"]>): LifecycleHook {
  const { name, transition = "terminating", heartbeatTimeoutSeconds = 3_600, defaultResult = "ABANDON" } = given;
  const { notificationMetadata } = given;
  return {
    name,
    transition:
      transition === "launching" ? "autoscaling:EC2_INSTANCE_LAUNCHING" : "autoscaling:EC2_INSTANCE_TERMINATING",
    heartbeatTimeoutSeconds,
    defaultResult,
    ...(notificationMetadata === undefined ? {} : { notificationMetadata }),
  };
}

function isPresent<T>(value: T | undefined): value is T {
  return value !== undefined;
}

type ScenarioHealthCheck = NonNullable<ScenarioGroup["healthCheck"]>;

function healthCheck(given: ScenarioHealthCheck = {}, defaults: Required<ScenarioHealthCheck>): HealthCheck {
  const { intervalSeconds, healthyThreshold, unhealthyThreshold } = { ...defaults, ...given };
  return { intervalMs: intervalSeconds * 1_000, healthyThreshold, unhealthyThreshold };
}

function setTags(tags: Map<string, string>, given: Readonly<Record<string, string>> = {}): void {
  for (const [key, value] of Object.entries(given)) tags.set(key, value);
}
