import type { Clock } from "../clock.ts";
import type { Announcement } from "./announcement.ts";
import { AutoScalingGroup, type ScalingSurroundings } from "./auto-scaling-group.ts";
import type { NewScalingGroup } from "./creation.ts";
import type { Instance } from "./instance.ts";
import type { ScaleIn } from "./scale-in.ts";

/** What Auto Scaling needs to know of the world around it, and does to it. */
interface Surroundings extends ScalingSurroundings {
  readonly clock: Clock;
  readonly defaultZones: readonly string[];
  arn(service: "autoscaling", resource: string): string;
  announce(announcement: Announcement): void;
  /** Something will be due at `moment`, or before. */
  dueAt(moment: number): void;
  terminateInstance(instance: Instance, at: number): void;
}

/** The Auto Scaling groups of a region, and the ways of their members out of them. */
export class AutoScaling {
  readonly groups = new Map<string, AutoScalingGroup>();
  readonly #world: Surroundings;

  constructor(world: Surroundings) {
    this.#world = world;
  }

  /** By default a group may grow and shrink at will, and wants as many instances as it has. */
  add(input: NewScalingGroup): AutoScalingGroup {
    const { name, instanceIds } = input;
    const count = instanceIds.length;
    const defaults = { zones: this.#world.defaultZones, minSize: 0, maxSize: count, desiredCapacity: count };
    const arn = this.#world.arn(
      "autoscaling",
      `autoScalingGroup:${this.#world.newUuid()}:autoScalingGroupName/${name}`,
    );
    const createdAt = this.#world.clock.now();
    const group = new AutoScalingGroup(
      { targetGroups: [], classics: [], hooks: [], ...defaults, ...input, arn, createdAt },
      this.#world,
    );
    this.groups.set(name, group);
    for (const id of instanceIds) this.#world.instance(id)?.tags.set("aws:autoscaling:groupName", name);
    return group;
  }

  /** When anything is due in a group. */
  get times(): readonly number[] {
    return this.#leaving().map(({ scaleIn }) => scaleIn.dueAt);
  }

  /** Brings about what is due by `until`: hooks begin, machines are switched off. Answers whether anything was. */
  settle(until: number): boolean {
    const begun = this.#leaving().filter(({ group, scaleIn }) => this.#beginHooks(group, scaleIn, until));
    const due = this.#leaving()
      .map(({ scaleIn: { instanceId, endsAt } }) => ({
        instance: this.#world.instance(instanceId),
        at: endsAt ?? Number.POSITIVE_INFINITY,
      }))
      .filter(({ instance, at }) => at <= until && instance?.terminatedAt === undefined)
      .sort((a, b) => a.at - b.at);
    for (const { instance, at } of due) if (instance !== undefined) this.#world.terminateInstance(instance, at);
    return begun.length > 0 || due.some(({ instance }) => instance !== undefined);
  }

  #beginHooks(group: AutoScalingGroup, scaleIn: ScaleIn, until: number): boolean {
    const { instanceId } = scaleIn;
    const actions = scaleIn.settle(until);
    if (actions === undefined) return false;
    for (const action of actions) {
      this.#world.announce({ type: "lifecycle-action", group, instanceId, action, at: action.startedAt });
    }
    this.#world.dueAt(scaleIn.dueAt);
    return true;
  }

  #leaving(): readonly { readonly group: AutoScalingGroup; readonly scaleIn: ScaleIn }[] {
    return [...this.groups.values()].flatMap((group) => group.scaleIns.map((scaleIn) => ({ group, scaleIn })));
  }
}
