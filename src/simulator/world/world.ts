import { createHash } from "node:crypto";
import { loadBalancerNotFound, targetGroupNotFound } from "../aws-error.ts";
import type { Clock } from "../clock.ts";
import { AWS_TIMING, type Timing } from "../timing.ts";
import { ClassicLoadBalancer, type ClassicLoadBalancerInput } from "./classic-load-balancer.ts";
import { Instance, type InstanceInput } from "./instance.ts";
import {
  type Action,
  type Condition,
  type Listener,
  LoadBalancer,
  type LoadBalancerInput,
  type Rule,
} from "./load-balancer.ts";
import {
  type LoadBalancerType,
  type Target,
  type TargetDescription,
  TargetGroup,
  type TargetGroupInput,
} from "./target-group.ts";

export interface WorldOptions {
  readonly clock: Clock;
  readonly region?: string;
  readonly accountId?: string;
  readonly timing?: Partial<Timing>;
}

export type WorldChange =
  | {
      readonly type: "instance-added" | "instance-stopped" | "instance-started" | "instance-terminated";
      readonly instance: Instance;
    }
  | { readonly type: "target-deregistered"; readonly group: TargetGroup; readonly target: Target }
  | { readonly type: "classic-deregistered"; readonly loadBalancer: ClassicLoadBalancer; readonly instanceId: string };

type NewTargetGroup = Omit<TargetGroupInput, "arn" | "healthCheck"> & Partial<Pick<TargetGroupInput, "healthCheck">>;
type NewLoadBalancer = Omit<LoadBalancerInput, "arn" | "createdAt" | "zones"> & { readonly zones?: readonly string[] };
type NewClassic = Omit<ClassicLoadBalancerInput, "createdAt" | "zones"> & { readonly zones?: readonly string[] };

/** CreateTargetGroup's defaults. */
const DEFAULT_HEALTH_CHECK = { intervalMs: 30_000, healthyThreshold: 5, unhealthyThreshold: 2 };
const ARN_TYPES: Readonly<Record<LoadBalancerType, string>> = { application: "app", network: "net", gateway: "gwy" };

/** One region of one account: what exists, and every change to it. Time comes from its clock alone. */
export class World {
  readonly clock: Clock;
  readonly region: string;
  readonly accountId: string;
  readonly timing: Timing;
  readonly instances = new Map<string, Instance>();
  readonly loadBalancers = new Map<string, LoadBalancer>();
  readonly targetGroups = new Map<string, TargetGroup>();
  readonly classics = new Map<string, ClassicLoadBalancer>();
  /**
   * Ids of the instances whose node carries the label node.kubernetes.io/exclude-from-external-load-balancers:
   * controllers leave them alone.
   */
  readonly excluded = new Set<string>();
  readonly #watchers: ((change: WorldChange) => void)[] = [];
  /** By group. It may have let go of the group since, or be gone. */
  readonly #lastUserOf = new Map<string, LoadBalancer>();
  #created = 0;

  constructor({ clock, region = "eu-west-1", accountId = "123456789012", timing = {} }: WorldOptions) {
    this.clock = clock;
    this.region = region;
    this.accountId = accountId;
    this.timing = { ...AWS_TIMING, ...timing };
  }

  /** The data plane learns of changes this way. Nothing else does. */
  watch(watcher: (change: WorldChange) => void): void {
    this.#watchers.push(watcher);
  }

  addInstance(input: InstanceInput): Instance {
    const instance = new Instance(input, this.region, this.clock.now());
    this.instances.set(instance.id, instance);
    this.#tell({ type: "instance-added", instance });
    return instance;
  }

  /** The machine stops answering at once, whoever still sends it traffic. */
  terminateInstance(instance: Instance): void {
    if (instance.terminatedAt !== undefined) return;
    this.#settleHealth();
    instance.terminate(this.clock.now());
    this.#tell({ type: "instance-terminated", instance });
  }

  /** As StopInstances: the machine stops answering at once. One that is stopped or terminated stays so. */
  stopInstance(instance: Instance): void {
    if (instance.stoppedAt !== undefined || instance.terminatedAt !== undefined) return;
    this.#settleHealth();
    instance.stop(this.clock.now());
    this.#tell({ type: "instance-stopped", instance });
  }

  /** As StartInstances: a stopped machine answers again once it runs. One that was not stopped stays as it is. */
  startInstance(instance: Instance): void {
    if (instance.stoppedAt === undefined || instance.terminatedAt !== undefined) return;
    this.#settleHealth();
    instance.start(this.clock.now(), this.timing);
    this.#tell({ type: "instance-started", instance });
  }

  isRunning(id: string): boolean {
    return this.instances.get(id)?.state(this.clock.now(), this.timing) === "running";
  }

  /** Whether the instance's processes answer health checks. */
  setAnswering(instance: Instance, up: boolean): void {
    this.#settleHealth();
    instance.setAnswering(up, this.clock.now());
  }

  addTargetGroup(input: NewTargetGroup): TargetGroup {
    const arn = this.#arn(`targetgroup/${input.name}/${this.#newId()}`);
    const group = new TargetGroup({ healthCheck: DEFAULT_HEALTH_CHECK, ...input, arn }, this);
    this.targetGroups.set(arn, group);
    return group;
  }

  /** As RegisterTargets, for one target. `settled`: as if long ago, healthy and known to every machine. */
  registerTarget(group: TargetGroup, target: TargetDescription, options: { readonly settled?: boolean } = {}): void {
    const zone = group.targetType === "ip" ? (target.zone ?? this.machineOf(target.id)?.zone) : undefined;
    const { id, port } = target;
    group.register(
      { id, ...(port === undefined ? {} : { port }), ...(zone === undefined ? {} : { zone }) },
      this.clock.now(),
      options,
    );
  }

  deregisterTarget(group: TargetGroup, description: TargetDescription): void {
    const target = group.deregister(description, this.clock.now());
    if (target !== undefined) this.#tell({ type: "target-deregistered", group, target });
  }

  addLoadBalancer(input: NewLoadBalancer): LoadBalancer {
    const arn = this.#arn(`loadbalancer/${ARN_TYPES[input.type]}/${input.name}/${this.#newId()}`);
    const zones = input.zones ?? this.defaultZones;
    const loadBalancer = new LoadBalancer({ ...input, arn, zones, createdAt: this.clock.now() });
    this.loadBalancers.set(arn, loadBalancer);
    return loadBalancer;
  }

  addListener(
    loadBalancer: LoadBalancer,
    input: { readonly protocol: string; readonly port: number; readonly defaultActions: readonly Action[] },
  ): Listener {
    const arn = `${loadBalancer.arn.replace(":loadbalancer/", ":listener/")}/${this.#newId()}`;
    const listener: Listener = { ...input, arn, rules: [] };
    loadBalancer.listeners.push(listener);
    return listener;
  }

  addRule(
    listener: Listener,
    input: {
      readonly priority: number;
      readonly conditions: readonly Condition[];
      readonly actions: readonly Action[];
    },
  ): Rule {
    const rule: Rule = { ...input, arn: `${listener.arn.replace(":listener/", ":listener-rule/")}/${this.#newId()}` };
    listener.rules.push(rule);
    return rule;
  }

  addClassic(input: NewClassic): ClassicLoadBalancer {
    const zones = input.zones ?? this.defaultZones;
    const loadBalancer = new ClassicLoadBalancer({ ...input, zones, createdAt: this.clock.now() }, this);
    this.classics.set(loadBalancer.name, loadBalancer);
    return loadBalancer;
  }

  /** As RegisterInstancesWithLoadBalancer, for one instance. `settled`: as if long ago, and in service. */
  registerClassic(
    loadBalancer: ClassicLoadBalancer,
    instanceId: string,
    options: { readonly settled?: boolean } = {},
  ): void {
    loadBalancer.register(instanceId, this.clock.now(), options);
  }

  deregisterClassic(loadBalancer: ClassicLoadBalancer, instanceId: string): void {
    if (loadBalancer.deregister(instanceId, this.clock.now())) {
      this.#tell({ type: "classic-deregistered", loadBalancer, instanceId });
    }
  }

  get defaultZones(): readonly string[] {
    return [`${this.region}a`, `${this.region}b`];
  }

  instance(id: string): Instance | undefined {
    return this.instances.get(id);
  }

  /** By id or address. An address is reused once its instance is gone: it belongs to the newest. */
  machineOf(targetId: string): Instance | undefined {
    return this.instances.get(targetId) ?? [...this.instances.values()].findLast((instance) => instance.owns(targetId));
  }

  /** The load balancer that uses a group: AWS allows one at most. */
  loadBalancerOf(groupArn: string): LoadBalancer | undefined {
    // Asked once a target: the answer of last time is checked before hundreds of load balancers are searched.
    const last = this.#lastUserOf.get(groupArn);
    if (last !== undefined && this.loadBalancers.get(last.arn) === last && last.uses(groupArn)) return last;
    const found = [...this.loadBalancers.values()].find((loadBalancer) => loadBalancer.uses(groupArn));
    if (found !== undefined) this.#lastUserOf.set(groupArn, found);
    return found;
  }

  usedBy(groupArn: string): LoadBalancerType | undefined {
    return this.loadBalancerOf(groupArn)?.type;
  }

  targetGroup(arn: string): TargetGroup {
    const group = this.targetGroups.get(arn);
    if (group === undefined) throw targetGroupNotFound();
    return group;
  }

  loadBalancer(arn: string): LoadBalancer {
    const loadBalancer = this.loadBalancers.get(arn);
    if (loadBalancer === undefined) throw loadBalancerNotFound();
    return loadBalancer;
  }

  #settleHealth(): void {
    const now = this.clock.now();
    for (const group of this.targetGroups.values()) group.settleHealth(now);
    for (const classic of this.classics.values()) classic.settleHealth(now);
  }

  #tell(change: WorldChange): void {
    for (const watcher of this.#watchers) watcher(change);
  }

  #arn(resource: string): string {
    return `arn:aws:elasticloadbalancing:${this.region}:${this.accountId}:${resource}`;
  }

  /** 16 hexadecimal digits, the same ones in every run. */
  #newId(): string {
    this.#created += 1;
    return createHash("sha256").update(String(this.#created)).digest("hex").slice(0, 16);
  }
}
