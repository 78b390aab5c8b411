import type { Action, Listener, LoadBalancer, Rule } from "../../../src/simulator/world/load-balancer.ts";
import type { TargetGroup } from "../../../src/simulator/world/target-group.ts";
import type { Json, JsonObject } from "./example.ts";
import { addInstances, addSecurityGroups, nameSubnets, zonesOf } from "./network-scene.ts";
import { idsIn, objectsWith, type Scene, textsIn } from "./scene.ts";

const TYPES = { app: "application", net: "network", gwy: "gateway" } as const;

/** Load balancers, listeners, rules, target groups and targets, as far as a call needs them to be there. */
export function buildElbv2(scene: Scene): void {
  new Elbv2Scene(scene).build();
}

class Elbv2Scene {
  readonly #scene: Scene;
  /** By the example's ARN. */
  readonly #balancers = new Map<string, LoadBalancer>();
  readonly #listeners = new Map<string, Listener>();
  readonly #rules = new Map<string, Rule>();
  readonly #groups = new Map<string, TargetGroup>();
  #ports = 8_000;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  build(): void {
    const { input, output, action } = this.#scene.example;
    nameSubnets(this.#scene);
    addSecurityGroups(this.#scene);
    const arns = this.#arnsIn(this.#scene.isCreation ? input : [input, output]);
    for (const arn of arns.filter((one) => one.includes(":targetgroup/"))) this.#group(arn);
    for (const arn of arns.filter((one) => one.includes(":loadbalancer/"))) this.#balancer(arn);
    for (const arn of arns.filter((one) => one.includes(":listener/"))) this.#listener(arn);
    for (const arn of arns.filter((one) => one.includes(":listener-rule/"))) this.#rule(arn);
    this.#useGroups();
    this.#addTargets();
    this.#addTags();
    if (action.startsWith("Modify")) this.#setAttributes();
  }

  /** The resource of the example's ARN, made at the first call. */
  #once<T extends { readonly arn: string }>(known: Map<string, T>, arn: string, make: () => T): T {
    const before = known.get(arn);
    if (before !== undefined) return before;
    const made = make();
    known.set(arn, made);
    this.#scene.call(arn, made.arn);
    return made;
  }

  /** Those of other regions can be no thing of this one. */
  #arnsIn(value: Json): readonly string[] {
    const prefix = `arn:aws:elasticloadbalancing:${this.#scene.world.region}:`;
    return [...new Set(textsIn(value).filter((text) => text.startsWith(prefix)))];
  }

  #balancer(arn: string): LoadBalancer {
    return this.#once(this.#balancers, arn, () => {
      const { world, vpcId, example } = this.#scene;
      const [, type = "app", name = ""] = /:loadbalancer\/(\w+)\/([^/]+)\//.exec(arn) ?? [];
      const described = this.#shown("LoadBalancerArn", arn);
      const subnets = idsIn(described["AvailabilityZones"] ?? [], "subnet");
      const groups = idsIn(described["SecurityGroups"] ?? [], "sg").map((id) => this.#scene.nameOf(id));
      return world.addLoadBalancer({
        name,
        type: TYPES[type as keyof typeof TYPES],
        vpcId,
        ...(subnets.length > 0 ? { zones: zonesOf(this.#scene, subnets) } : {}),
        ...(example.action.startsWith("Describe") && groups.length > 0 ? { securityGroups: groups } : {}),
      });
    });
  }

  /** `arn:…:listener/app/NAME/DIGITS/DIGITS` */
  #listener(arn: string): Listener {
    return this.#once(this.#listeners, arn, () => {
      const balancer = this.#balancer(arn.replace(":listener/", ":loadbalancer/").replace(/\/[^/]+$/, ""));
      const before = this.#before("ListenerArn", arn);
      return this.#scene.world.addListener(balancer, {
        protocol: String(before["Protocol"] ?? "HTTP"),
        port: Number(before["Port"] ?? 80),
        defaultActions: this.#actions(before["DefaultActions"]),
        certificateArns: textsIn(before["Certificates"] ?? []),
        sslPolicy: typeof before["SslPolicy"] === "string" ? before["SslPolicy"] : undefined,
      });
    });
  }

  #rule(arn: string): Rule {
    return this.#once(this.#rules, arn, () => {
      const listener = this.#listener(arn.replace(":listener-rule/", ":listener/").replace(/\/[^/]+$/, ""));
      const before = this.#before("RuleArn", arn);
      const conditions = objectsWith(before["Conditions"] ?? [], "Field");
      const values = conditions.flatMap((condition) => textsIn(condition["Values"] ?? []));
      return this.#scene.world.addRule(listener, {
        priority: Number(before["Priority"] ?? 1_000),
        conditions: [{ field: "path-pattern", values: values.length > 0 ? values : ["/before"] }],
        actions: this.#actions(before["Actions"]),
      });
    });
  }

  #group(arn: string): TargetGroup {
    return this.#once(this.#groups, arn, () => {
      const { world, vpcId } = this.#scene;
      const [, name = ""] = /:targetgroup\/([^/]+)\//.exec(arn) ?? [];
      const before = this.#before("TargetGroupArn", arn);
      return world.addTargetGroup({
        name,
        vpcId,
        protocol: String(before["Protocol"] ?? "HTTP"),
        port: Number(before["Port"] ?? 80),
        targetType: "instance",
      });
    });
  }

  /** Forwards to the group of the example, or to one that was there before. */
  #actions(shown: Json | undefined): readonly Action[] {
    const [arn] = this.#arnsIn(shown ?? []);
    const forwardTo = (group: string) => [{ type: "forward", groups: [{ arn: group, weight: 1 }] }] as const;
    if (arn !== undefined) return forwardTo(this.#group(arn).arn);
    const { world, vpcId } = this.#scene;
    const about = { vpcId, protocol: "HTTP", port: 80, targetType: "instance" } as const;
    return forwardTo(world.addTargetGroup({ name: "before", ...about }).arn);
  }

  /** Puts groups behind the load balancer that the answer shows them behind, or for the health of their targets behind any. */
  #useGroups(): void {
    const { output, action } = this.#scene.example;
    for (const { TargetGroupArn, LoadBalancerArns } of objectsWith(output, "LoadBalancerArns"))
      for (const arn of textsIn(LoadBalancerArns ?? [])) this.#forward(this.#balancer(arn), String(TargetGroupArn));
    if (action !== "DescribeTargetHealth") return;
    const { world, vpcId } = this.#scene;
    for (const arn of this.#groups.keys())
      this.#forward(world.addLoadBalancer({ name: "any", type: "application", vpcId }), arn);
  }

  #forward(balancer: LoadBalancer, group: string): void {
    this.#ports += 1;
    const defaultActions = [{ type: "forward", groups: [{ arn: this.#scene.nameOf(group), weight: 1 }] }] as const;
    this.#scene.world.addListener(balancer, { protocol: "HTTP", port: this.#ports, defaultActions });
  }

  /** All instances exist. Those of an answer, and those that are deregistered, are registered, and healthy. */
  #addTargets(): void {
    const { input, output, action } = this.#scene.example;
    addInstances(this.#scene, idsIn([input, output], "i"));
    if (action === "RegisterTargets") return;
    for (const { Id, Port } of objectsWith([input, output], "Id"))
      for (const group of this.#groups.values())
        this.#scene.world.registerTarget(
          group,
          { id: String(Id), ...(typeof Port === "number" ? { port: Port } : {}) },
          { settled: true },
        );
  }

  /** Those that an answer has, and those that a call removes. */
  #addTags(): void {
    const { input, output } = this.#scene.example;
    const all = [...this.#balancers.values(), ...this.#groups.values()];
    const tags = objectsWith(output["TagDescriptions"] ?? [], "Key").map(({ Key, Value }) => [Key, Value]);
    const removed = textsIn(input["TagKeys"] ?? []).map((key) => [key, "before"]);
    for (const one of all) for (const [key, value] of [...tags, ...removed]) one.tags.set(String(key), String(value));
  }

  /** Those that the answer shows and the call does not set were set before. */
  #setAttributes(): void {
    const { input, output } = this.#scene.example;
    const changed = objectsWith(input["Attributes"] ?? [], "Key").map(({ Key }) => Key);
    const shown = objectsWith(output["Attributes"] ?? [], "Key").filter(({ Key }) => !changed.includes(Key ?? ""));
    for (const { attributes } of [...this.#balancers.values(), ...this.#groups.values()])
      for (const { Key, Value } of shown) attributes.set(String(Key), String(Value));
  }

  /** How the answer shows the thing with this ARN. */
  #shown(member: string, arn: string): JsonObject {
    const { output } = this.#scene.example;
    return objectsWith(output, member).find((one) => one[member] === arn && Object.keys(one).length > 2) ?? {};
  }

  /** How it was before the call: as the answer shows it, but for all that the call changes. */
  #before(member: string, arn: string): JsonObject {
    const { input } = this.#scene.example;
    const changed = [input, ...objectsWith(input, "RuleArn")].flatMap((one) => Object.keys(one));
    return Object.fromEntries(
      Object.entries(this.#shown(member, arn)).filter(([name]) => name === member || !changed.includes(name)),
    );
  }
}
