import { invalidArn, loadBalancerNotFound, targetGroupNotFound } from "../aws-error.ts";
import type { Clock } from "../clock.ts";
import { AWS_TIMING, type Timing } from "../timing.ts";
import { arnOf, isArnOf } from "./arn.ts";
import { AutoScalingGroup } from "./auto-scaling-group.ts";
import { ClassicLoadBalancer } from "./classic-load-balancer.ts";
import type { NewClassic, NewLoadBalancer, NewScalingGroup, NewTargetGroup, WorldOptions } from "./creation.ts";
import { Ids } from "./ids.ts";
import { Instance, type InstanceInput } from "./instance.ts";
import { type Action, type Condition, type Listener, LoadBalancer, type Rule } from "./load-balancer.ts";
import type { ScaleIn } from "./scale-in.ts";
import { type LoadBalancerType, type TargetDescription, TargetGroup } from "./target-group.ts";
import type { WorldChange } from "./world-change.ts";

/** CreateTargetGroup's defaults. */
const DEFAULT_HEALTH_CHECK = { intervalMs: 30_000, healthyThreshold: 5, unhealthyThreshold: 2 };
const ARN_TYPES: Readonly<Record<LoadBalancerType, string>> = { application: "app", network: "net", gateway: "gwy" };

/** One region of one account: what exists, and every change to it. Time comes from its clock alone. */
export class World {
  readonly clock: Clock;
  readonly region: string;
  readonly accountId: string;
  readonly instances = new Map<string, Instance>();
  readonly loadBalancers = new Map<string, LoadBalancer>();
  readonly targetGroups = new Map<string, TargetGroup>();
  readonly classics = new Map<string, ClassicLoadBalancer>();
  readonly autoScalingGroups = new Map<string, AutoScalingGroup>();
  /**
   * Ids of the instances whose node carries the label node.kubernetes.io/exclude-from-external-load-balancers:
   * controllers leave them alone.
   */
  readonly excluded = new Set<string>();
  readonly #watchers: ((change: WorldChange) => void)[] = [];
  /** By group. It may have let go of the group since, or be gone. */
  readonly #lastUserOf = new Map<string, LoadBalancer>();
  readonly #ids = new Ids();
  #timing: Timing;

  constructor({ clock, region = "eu-west-1", accountId = "123456789012", timing = {} }: WorldOptions) {
    this.clock = clock;
    this.region = region;
    this.accountId = accountId;
    this.#timing = { ...AWS_TIMING, ...timing };
  }

  get timing(): Timing {
    return this.#timing;
  }

  /** Registrations and deregistrations show in `read` so much later than they would by `timing`. */
  staleBy<T>(ms: number, read: () => T): T {
    const timing = this.#timing;
    this.#timing = { ...timing, apiPropagationMs: timing.apiPropagationMs + ms };
    try {
      return read();
    } finally {
      this.#timing = timing;
    }
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
  terminateInstance(instance: Instance, at = this.clock.now()): void {
    if (instance.terminatedAt !== undefined) return;
    this.#settleHealth(at);
    instance.terminate(at);
    this.#tell({ type: "instance-terminated", instance });
  }

  /** As a scale-in does, or TerminateInstanceInAutoScalingGroup. The instance is a member, and on no way out yet. */
  beginScaleIn(group: AutoScalingGroup, instance: Instance): ScaleIn {
    const scaleIn = group.beginScaleIn(instance.id, this.clock.now());
    this.scaleInChanged(scaleIn);
    return scaleIn;
  }

  /** To be called when a lifecycle action was completed or has got a heartbeat. */
  scaleInChanged({ dueAt }: ScaleIn): void {
    this.#tell({ type: "scale-in-changed", dueAt });
    this.settle();
  }

  /**
   * Brings about what is due by now in Auto Scaling groups: hooks begin, machines are switched off, each at its moment.
   * Nothing runs in the background, so whoever looks at the world from outside calls it first.
   */
  settle(): void {
    const now = this.clock.now();
    const scaleIns = [...this.autoScalingGroups.values()].flatMap((group) => group.scaleIns);
    for (const scaleIn of scaleIns) {
      if (scaleIn.settle(now)) this.#tell({ type: "scale-in-changed", dueAt: scaleIn.dueAt });
    }
    const due = scaleIns
      .map(({ instanceId, endsAt }) => ({
        instance: this.instance(instanceId),
        at: endsAt ?? Number.POSITIVE_INFINITY,
      }))
      .filter(({ at }) => at <= now)
      .sort((a, b) => a.at - b.at);
    for (const { instance, at } of due) if (instance !== undefined) this.terminateInstance(instance, at);
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
    const arn = this.arn("elasticloadbalancing", `targetgroup/${input.name}/${this.#ids.next()}`);
    const group = new TargetGroup({ healthCheck: DEFAULT_HEALTH_CHECK, ...input, arn }, this);
    this.targetGroups.set(arn, group);
    return group;
  }

  /** As RegisterTargets, for one target. `settled`: as if long ago, healthy and known to every machine. */
  registerTarget(group: TargetGroup, target: TargetDescription, options: { readonly settled?: boolean } = {}): void {
    const zone = group.targetType === "ip" ? (target.zone ?? this.machineOf(target.id)?.zone) : undefined;
    const { zone: _, ...described } = target;
    group.register({ ...described, ...(zone === undefined ? {} : { zone }) }, this.clock.now(), options);
  }

  deregisterTarget(group: TargetGroup, description: TargetDescription): void {
    const target = group.deregister(description, this.clock.now());
    if (target !== undefined) this.#tell({ type: "target-deregistered", group, target });
  }

  addLoadBalancer(input: NewLoadBalancer): LoadBalancer {
    const arn = this.arn(
      "elasticloadbalancing",
      `loadbalancer/${ARN_TYPES[input.type]}/${input.name}/${this.#ids.next()}`,
    );
    const zones = input.zones ?? this.defaultZones;
    const loadBalancer = new LoadBalancer({ ...input, arn, zones, createdAt: this.clock.now() });
    this.loadBalancers.set(arn, loadBalancer);
    return loadBalancer;
  }

  addListener(
    loadBalancer: LoadBalancer,
    input: { readonly protocol: string; readonly port: number; readonly defaultActions: readonly Action[] },
  ): Listener {
    const arn = `${loadBalancer.arn.replace(":loadbalancer/", ":listener/")}/${this.#ids.next()}`;
    const listener: Listener = { ...input, arn, defaultRuleArn: this.#ruleArn(arn), rules: [] };
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
    const rule: Rule = {
      ...input,
      arn: `${listener.arn.replace(":listener/", ":listener-rule/")}/${this.#ids.next()}`,
    };
    listener.rules.push(rule);
    return rule;
  }

  addClassic(input: NewClassic): ClassicLoadBalancer {
    const zones = input.zones ?? this.defaultZones;
    const loadBalancer = new ClassicLoadBalancer({ ...input, zones, createdAt: this.clock.now() }, this);
    this.classics.set(loadBalancer.name, loadBalancer);
    return loadBalancer;
  }

  /** By default it may grow and shrink at will, and wants as many instances as it has. */
  addAutoScalingGroup(input: NewScalingGroup): AutoScalingGroup {
    const { name, instanceIds } = input;
    const count = instanceIds.length;
    const defaults = { zones: this.defaultZones, minSize: 0, maxSize: count, desiredCapacity: count };
    const arn = `arn:aws:autoscaling:${this.region}:${this.accountId}:autoScalingGroup:${this.newUuid()}:autoScalingGroupName/${name}`;
    const group = new AutoScalingGroup(
      { targetGroups: [], classics: [], hooks: [], ...defaults, ...input, arn, createdAt: this.clock.now() },
      this,
    );
    this.autoScalingGroups.set(name, group);
    for (const id of instanceIds) this.instance(id)?.tags.set("aws:autoscaling:groupName", name);
    return group;
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
    if (group === undefined)
      throw isArnOf("targetgroup", arn, this) ? targetGroupNotFound() : invalidArn(arn, "target group");
    return group;
  }

  loadBalancer(arn: string): LoadBalancer {
    const loadBalancer = this.loadBalancers.get(arn);
    if (loadBalancer === undefined)
      throw isArnOf("loadbalancer", arn, this) ? loadBalancerNotFound() : invalidArn(arn, "load balancer");
    return loadBalancer;
  }

  /** The ARN of something of this account, in this region. */
  arn(service: "ec2" | "elasticloadbalancing" | "iam", resource: string): string {
    return arnOf({ service, region: this.region, accountId: this.accountId, resource });
  }

  #settleHealth(now = this.clock.now()): void {
    for (const group of this.targetGroups.values()) group.settleHealth(now);
    for (const classic of this.classics.values()) classic.settleHealth(now);
  }

  #tell(change: WorldChange): void {
    for (const watcher of this.#watchers) watcher(change);
  }

  #ruleArn(listenerArn: string): string {
    return `${listenerArn.replace(":listener/", ":listener-rule/")}/${this.#ids.next()}`;
  }

  newUuid(): string {
    return this.#ids.nextUuid();
  }
}
