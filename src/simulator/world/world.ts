import { invalidArn, targetGroupNotFound } from "../aws-error.ts";
import type { Clock } from "../clock.ts";
import { Random } from "../random.ts";
import { AWS_TIMING, type Timing } from "../timing.ts";
import type { Announcement, WorldChange } from "./announcement.ts";
import { arnOf, isArnOf } from "./arn.ts";
import { AutoScaling } from "./auto-scaling.ts";
import type { AutoScalingGroup } from "./auto-scaling-group.ts";
import { ClassicLoadBalancer } from "./classic-load-balancer.ts";
import {
  Ids,
  type NewClassic,
  type NewListener,
  type NewLoadBalancer,
  type NewRule,
  type NewScalingGroup,
  type NewTargetGroup,
  type WorldOptions,
} from "./ids.ts";
import { Instance, type InstanceInput, type NotAnswering, type SwitchingOff } from "./instance.ts";
import { InstancePower } from "./instance-power.ts";
import { Interruptions } from "./interruptions.ts";
import type { Listener, LoadBalancer, LoadBalancerType, Rule } from "./load-balancer.ts";
import { LoadBalancers } from "./load-balancers.ts";
import { Networks } from "./networks.ts";
import type { ScaleIn } from "./scale-in.ts";
import { ScheduledEvents } from "./scheduled-events.ts";
import { SecurityGroups } from "./security-groups.ts";
import { type TargetDescription, TargetGroup } from "./target-group.ts";
import { defaultProbe, isQuic } from "./target-group-attributes.ts";

/** CreateTargetGroup's defaults. */
export const DEFAULT_HEALTH_CHECK = { intervalMs: 30_000, healthyThreshold: 5, unhealthyThreshold: 2 };

/** One region of one account: its resources, and every change to them. Time comes from its clock only. */
export class World {
  readonly clock: Clock;
  readonly region: string;
  readonly accountId: string;
  readonly random: Random;
  readonly instances = new Map<string, Instance>();
  readonly targetGroups = new Map<string, TargetGroup>();
  readonly classics = new Map<string, ClassicLoadBalancer>();
  readonly interruptions = new Interruptions(this);
  readonly scheduledEvents = new ScheduledEvents(this);
  readonly networks = new Networks(this);
  readonly securityGroups = new SecurityGroups(this);
  /**
   * Ids of instances that controllers ignore: their node has the label
   * node.kubernetes.io/exclude-from-external-load-balancers.
   */
  readonly excluded = new Set<string>();
  readonly #watchers: ((change: WorldChange) => void)[] = [];
  readonly #ids: Ids;
  readonly #loadBalancers: LoadBalancers;
  readonly #schedule = new Schedule();
  readonly #power = new InstancePower(this);
  /** It watches the world, so it must be initialized after the watchers. */
  readonly scaling = new AutoScaling(this);
  #timing: Timing;

  constructor({ clock, region = "eu-west-1", accountId = "123456789012", timing = {}, seed }: WorldOptions) {
    this.clock = clock;
    this.region = region;
    this.accountId = accountId;
    this.#timing = { ...AWS_TIMING, ...timing };
    this.random = new Random(seed);
    this.#ids = new Ids(this.random);
    this.#loadBalancers = new LoadBalancers(this, this.#ids);
  }

  get timing(): Timing {
    return this.#timing;
  }

  /** In `read`, registrations and deregistrations show `ms` milliseconds later than by `timing` alone. */
  staleBy<T>(ms: number, read: () => T): T {
    const timing = this.#timing;
    this.#timing = { ...timing, apiPropagationMs: timing.apiPropagationMs + ms };
    try {
      return read();
    } finally {
      this.#timing = timing;
    }
  }

  /** The data plane and the event delivery learn of changes this way. */
  watch(watcher: (change: WorldChange) => void): void {
    this.#watchers.push(watcher);
  }

  /** Adds an instance as if it had been running for a long time. */
  addInstance(input: InstanceInput, at = this.clock.now()): Instance {
    const instance = new Instance(input, this.region, at);
    this.instances.set(instance.id, instance);
    this.notify({ type: "instance-added", instance });
    return instance;
  }

  /** Launches a new machine. It answers as soon as it runs. */
  launchInstance(input: InstanceInput, at = this.clock.now()): Instance {
    const instance = this.addInstance(input, at);
    this.#power.launch(instance, at);
    return instance;
  }

  /** The machine stops answering at once, even if it still gets traffic. */
  terminateInstance(instance: Instance, at = this.clock.now(), how: SwitchingOff = {}): void {
    this.#power.terminate(instance, at, how);
  }

  /** Like StopInstances: the machine stops answering at once. A stopped or terminated machine stays as it is. */
  stopInstance(instance: Instance, at = this.clock.now(), how: SwitchingOff = {}): void {
    this.#power.stop(instance, at, how);
  }

  /** Like StartInstances: a stopped machine answers again as soon as it runs. Other machines stay as they are. */
  startInstance(instance: Instance): void {
    this.#power.start(instance, this.clock.now());
  }

  /** Its processes end now, and answer again after the reboot. Its state is `running` all the time. */
  rebootInstance(instance: Instance, at = this.clock.now()): void {
    this.#power.reboot(instance, at);
  }

  get autoScalingGroups(): ReadonlyMap<string, AutoScalingGroup> {
    return this.scaling.groups;
  }

  /**
   * By default, the desired capacity and the maximum size are the number of its instances, and the minimum size is 0.
   */
  addAutoScalingGroup(input: NewScalingGroup): AutoScalingGroup {
    return this.scaling.add(input);
  }

  /**
   * Like a scale-in, or TerminateInstanceInAutoScalingGroup. The instance must be a member that is not leaving yet.
   * `reason`: the end of the sentence in which the group's activity gives the reason.
   */
  beginScaleIn(group: AutoScalingGroup, instance: Instance, reason?: string): ScaleIn {
    const scaleIn = this.scaling.beginScaleIn(group, instance, this.clock.now(), reason);
    this.catchUp();
    return scaleIn;
  }

  /** Auto Scaling gives a member a new root volume. See `AutoScaling.beginRootVolumeReplacement`. */
  beginRootVolumeReplacement(group: AutoScalingGroup, instance: Instance, at = this.clock.now()): ScaleIn {
    const scaleIn = this.scaling.beginRootVolumeReplacement(group, instance, at);
    this.catchUp();
    return scaleIn;
  }

  /** Must be called when a lifecycle action was completed or got a heartbeat. */
  scaleInChanged({ dueAt }: ScaleIn): void {
    this.dueAt(dueAt);
    this.catchUp();
  }

  /** Schedules a change at `moment`, in milliseconds since the epoch. */
  at(moment: number, happen: (at: number) => void): void {
    this.#schedule.add(moment, happen);
    this.dueAt(moment);
  }

  /** Must be called if `catchUp` will have a change to apply at `moment`. */
  dueAt(moment: number): void {
    this.notify({ type: "due", at: moment });
  }

  /** When changes are due, as far as is known now. */
  get dueTimes(): readonly number[] {
    return [...this.#schedule.times, ...this.scaling.times];
  }

  /**
   * Applies all due changes, each at its own time: those of Auto Scaling, and those that EC2 has announced. Nothing
   * runs in the background, so code that reads the world from outside calls this first.
   */
  catchUp(): void {
    const now = this.clock.now();
    for (;;) {
      const next = this.#schedule.nextAt ?? Number.POSITIVE_INFINITY;
      if (this.scaling.catchUp(Math.min(next, now))) continue;
      if (next > now) return;
      this.#schedule.run();
    }
  }

  /** Passes an announcement of AWS to the event delivery. */
  announce(announcement: Announcement): void {
    this.notify({ type: "announced", announcement });
  }

  isRunning(id: string): boolean {
    return this.instances.get(id)?.state(this.clock.now(), this.timing) === "running";
  }

  /** Sets whether the instance's processes answer health checks. */
  setAnswering(instance: Instance, up: boolean, how?: NotAnswering): void {
    this.#power.setAnswering(instance, up, this.clock.now(), how);
  }

  /** Sets whether the instance's kube-proxy reports that the node may get traffic. */
  setEligible(instance: Instance, up: boolean): void {
    this.#power.setEligible(instance, up, this.clock.now());
  }

  addTargetGroup(input: NewTargetGroup): TargetGroup {
    const arn = this.arn("elasticloadbalancing", `targetgroup/${input.name}/${this.#ids.next()}`);
    const defaults = { healthCheck: DEFAULT_HEALTH_CHECK, probe: defaultProbe(input) };
    const group = new TargetGroup({ ...defaults, ...input, arn }, this);
    this.targetGroups.set(arn, group);
    return group;
  }

  /** Like RegisterTargets, for one target. `settled`: as if registered long ago, healthy and known to every machine. */
  registerTarget(group: TargetGroup, target: TargetDescription, options: { readonly settled?: boolean } = {}): void {
    const zone = group.targetType === "ip" ? (target.zone ?? this.#zoneOf(target.id, group)) : undefined;
    const { zone: _, ...described } = target;
    const quicServerId = target.quicServerId ?? (isQuic(group.protocol) ? `0x${this.newHexDigits()}` : undefined);
    const known = { ...(zone === undefined ? {} : { zone }), ...(quicServerId === undefined ? {} : { quicServerId }) };
    group.register({ ...described, ...known }, this.clock.now(), options);
  }

  deregisterTarget(group: TargetGroup, description: TargetDescription): void {
    const target = group.deregister(description, this.clock.now());
    if (target !== undefined) this.notify({ type: "target-deregistered", group, target });
  }

  get loadBalancers(): Map<string, LoadBalancer> {
    return this.#loadBalancers.byArn;
  }

  addLoadBalancer(input: NewLoadBalancer): LoadBalancer {
    return this.#loadBalancers.add(input);
  }

  /**
   * Changes the groups that load balancers use. The targets of a group that comes into use are checked from then on.
   */
  changeUses<T>(change: () => T): T {
    const before = this.#loadBalancers.usedGroups();
    const result = change();
    for (const arn of this.#loadBalancers.usedGroups()) {
      const group = before.has(arn) ? undefined : this.targetGroups.get(arn);
      if (group !== undefined) group.usedFrom = Math.max(this.clock.now(), this.loadBalancerOf(arn)?.activeAt ?? 0);
    }
    return result;
  }

  addListener(loadBalancer: LoadBalancer, input: NewListener): Listener {
    return this.#loadBalancers.addListener(loadBalancer, input);
  }

  addRule(listener: Listener, input: NewRule): Rule {
    return this.#loadBalancers.addRule(listener, input);
  }

  addClassic(input: NewClassic): ClassicLoadBalancer {
    const zones = input.zones ?? this.defaultZones;
    const loadBalancer = new ClassicLoadBalancer({ ...input, zones, createdAt: this.clock.now() }, this);
    this.classics.set(loadBalancer.name, loadBalancer);
    return loadBalancer;
  }

  /** Like RegisterInstancesWithLoadBalancer, for one instance. `settled`: as if registered long ago, and in service. */
  registerClassic(
    loadBalancer: ClassicLoadBalancer,
    instanceId: string,
    options: { readonly settled?: boolean } = {},
  ): void {
    loadBalancer.register(instanceId, this.clock.now(), options);
  }

  deregisterClassic(loadBalancer: ClassicLoadBalancer, instanceId: string): void {
    if (loadBalancer.deregister(instanceId, this.clock.now())) {
      this.notify({ type: "classic-deregistered", loadBalancer, instanceId });
    }
  }

  get defaultZones(): readonly string[] {
    return ["a", "b", "c"].map((letter) => this.region + letter);
  }

  instance(id: string): Instance | undefined {
    return this.instances.get(id);
  }

  /**
   * Finds a machine by id or address. An address is reused after its instance is gone, so the newest instance with the
   * address is found. With `vpcId`, machines in this VPC take precedence over others.
   */
  machineOf(targetId: string, vpcId?: string): Instance | undefined {
    const byId = this.instances.get(targetId);
    if (byId !== undefined) return byId;
    const all = [...this.instances.values()];
    const inside = vpcId === undefined ? undefined : all.findLast((instance) => instance.owns(targetId, vpcId));
    return inside ?? all.findLast((instance) => instance.owns(targetId));
  }

  /**
   * AWS sets the zone of an address in the group's VPC. The zone of any other address is `all`.
   * https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetDescription.html
   */
  #zoneOf(address: string, { vpcId }: TargetGroup): string | undefined {
    const machine = this.machineOf(address, vpcId);
    return machine === undefined || machine.owns(address, vpcId) ? machine?.zone : "all";
  }

  /** The load balancer that uses a group. AWS allows at most one. */
  loadBalancerOf(groupArn: string): LoadBalancer | undefined {
    return this.#loadBalancers.userOf(groupArn);
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
    return this.#loadBalancers.get(arn);
  }

  /** The ARN of a resource of this account in this region. */
  arn(service: "autoscaling" | "ec2" | "elasticloadbalancing" | "iam", resource: string): string {
    return arnOf({ service, region: this.region, accountId: this.accountId, resource });
  }

  /** Updates the health of every target. Must be called before processes begin or stop answering. */
  catchUpHealth(now: number): void {
    for (const group of this.targetGroups.values()) group.catchUpHealth(now);
    for (const classic of this.classics.values()) classic.catchUpHealth(now);
  }

  notify(change: WorldChange): void {
    for (const watcher of this.#watchers) watcher(change);
  }

  newHexDigits(): string {
    return this.#ids.next();
  }

  newUuid(): string {
    return this.#ids.nextUuid();
  }
}

/** One scheduled change. `at`: its planned time, which may have passed. */
type Happening = (at: number) => void;

/** Scheduled changes, each with its planned time in milliseconds since the epoch. */
class Schedule {
  readonly #entries: { readonly at: number; readonly happen: Happening }[] = [];

  /** Changes at the same time are applied in the order in which they were added. */
  add(at: number, happen: Happening): void {
    const before = this.#entries.findLastIndex((entry) => entry.at <= at);
    this.#entries.splice(before + 1, 0, { at, happen });
  }

  /** When the next change is due. */
  get nextAt(): number | undefined {
    return this.#entries[0]?.at;
  }

  /** When each change is due. */
  get times(): readonly number[] {
    return this.#entries.map(({ at }) => at);
  }

  /** Applies the next change. */
  run(): void {
    const next = this.#entries.shift();
    next?.happen(next.at);
  }
}

/** Applies every change of the world at its time, even without calls or requests, until `signal` aborts. */
export function catchUpOnTime(world: World, signal: AbortSignal): void {
  const catchUpAt = (at: number) => {
    world.clock.sleep(at - world.clock.now(), signal).then(
      () => world.catchUp(),
      () => {}, // Aborted.
    );
  };
  for (const at of world.dueTimes) catchUpAt(at);
  world.watch((change) => {
    if (change.type === "due") catchUpAt(change.at);
  });
}
