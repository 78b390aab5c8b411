import { AwsError } from "../aws-error.ts";
import { digitsOf } from "./networks.ts";

/** The source of the traffic that a rule allows. Exactly one of these is set. */
export interface RuleSource {
  readonly cidrIp?: string;
  readonly cidrIpv6?: string;
  readonly prefixListId?: string;
  readonly groupId?: string;
}

export interface SecurityGroupRule extends RuleSource {
  readonly id: string;
  /** `tcp`, `udp`, `icmp`, `-1` for all, or a protocol's number. */
  readonly protocol: string;
  /** Absent if the protocol has no ports. */
  readonly fromPort?: number;
  readonly toPort?: number;
  readonly description?: string;
  readonly tags: Map<string, string>;
}

/** A rule in a call, before it has an id. */
export type NewRule = Omit<SecurityGroupRule, "id" | "tags">;

export interface SecurityGroup {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly vpcId: string;
  readonly tags: Map<string, string>;
  readonly ingress: SecurityGroupRule[];
}

interface Surroundings {
  readonly networks: { readonly vpcIds: readonly string[] };
  readonly loadBalancers: ReadonlyMap<string, { readonly securityGroups: readonly string[] }>;
  readonly classics: ReadonlyMap<string, { readonly securityGroups: readonly string[] }>;
}

/** The security groups. They have rules and can be used, but do not filter traffic. */
export class SecurityGroups {
  readonly #byId = new Map<string, SecurityGroup>();
  readonly #world: Surroundings;
  #made = 0;

  constructor(world: Surroundings) {
    this.#world = world;
  }

  /** Each VPC has a group with the name `default`. */
  get all(): readonly SecurityGroup[] {
    for (const vpcId of this.#world.networks.vpcIds) this.defaultOf(vpcId);
    return [...this.#byId.values()];
  }

  defaultOf(vpcId: string): SecurityGroup {
    const id = defaultIdOf(vpcId);
    const known = this.#byId.get(id);
    if (known !== undefined) return known;
    // It allows traffic from its own members.
    // https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html
    const within = { id: this.#newRuleId(), protocol: "-1", groupId: id, tags: new Map<string, string>() };
    return this.#add({ id, name: "default", description: "default VPC security group", vpcId, ingress: [within] });
  }

  create(input: Pick<SecurityGroup, "name" | "description" | "vpcId">): SecurityGroup {
    const { name, vpcId } = input;
    if (this.all.some((group) => group.name === name && group.vpcId === vpcId))
      throw new AwsError("InvalidGroup.Duplicate", `The security group '${name}' already exists for VPC '${vpcId}'`);
    this.#made += 1;
    return this.#add({ ...input, id: `sg-${digitsOf(`security group ${this.#made}`)}`, ingress: [] });
  }

  /** Throws AWS's error if there is none. */
  get(id: string): SecurityGroup {
    const found = this.all.find((group) => group.id === id);
    if (found !== undefined) return found;
    if (!/^sg-([0-9a-f]{8}|[0-9a-f]{17})$/.test(id))
      throw new AwsError("InvalidGroupId.Malformed", `Invalid id: "${id}"`);
    throw new AwsError("InvalidGroup.NotFound", `The security group '${id}' does not exist`);
  }

  /** The name of a group. Every group that was not created by a call is the default group of a VPC. */
  nameOf(id: string | undefined): string {
    return this.#byId.get(id ?? "")?.name ?? "default";
  }

  delete(group: SecurityGroup): void {
    if (group.name === "default")
      throw new AwsError(
        "CannotDelete",
        `the specified group: "${group.id}" name: "default" cannot be deleted by a user`,
      );
    const { loadBalancers, classics } = this.#world;
    const users = [...loadBalancers.values(), ...classics.values()].map(({ securityGroups }) => securityGroups);
    const named = this.all
      .filter((other) => other !== group)
      .map(({ ingress }) => ingress.map(({ groupId }) => groupId));
    if ([...users, ...named].some((ids) => ids.includes(group.id)))
      throw new AwsError("DependencyViolation", `resource ${group.id} has a dependent object`);
    this.#byId.delete(group.id);
  }

  /** Adds all rules, each with these tags. If one exists already, adds none and throws AWS's error. */
  authorize(
    group: SecurityGroup,
    rules: readonly NewRule[],
    tags: ReadonlyMap<string, string>,
  ): readonly SecurityGroupRule[] {
    for (const rule of rules) {
      if (group.ingress.some((known) => isSameRule(known, rule)))
        throw new AwsError("InvalidPermission.Duplicate", `the specified rule "${textOf(rule)}" already exists`);
    }
    const added = rules.map((rule) => ({ ...rule, id: this.#newRuleId(), tags: new Map(tags) }));
    group.ingress.push(...added);
    return added;
  }

  /** Throws AWS's error if one of the rules is not there. */
  find(group: SecurityGroup, rules: readonly NewRule[]): readonly SecurityGroupRule[] {
    return rules.map((rule) => {
      const known = group.ingress.find((one) => isSameRule(one, rule));
      if (known !== undefined) return known;
      throw new AwsError("InvalidPermission.NotFound", "The specified rule does not exist in this security group.");
    });
  }

  /** As `find`, by the ids of rules. */
  findByIds(group: SecurityGroup, ids: readonly string[]): readonly SecurityGroupRule[] {
    return ids.map((id) => {
      const known = group.ingress.find((one) => one.id === id);
      if (known !== undefined) return known;
      const message = `The security group rule ID '${id}' does not exist`;
      throw new AwsError("InvalidSecurityGroupRuleId.NotFound", message);
    });
  }

  revoke(group: SecurityGroup, rules: readonly SecurityGroupRule[]): void {
    for (const rule of new Set(rules)) group.ingress.splice(group.ingress.indexOf(rule), 1);
  }

  #add(input: Omit<SecurityGroup, "tags">): SecurityGroup {
    const group = { ...input, tags: new Map<string, string>() };
    this.#byId.set(group.id, group);
    return group;
  }

  #newRuleId(): string {
    this.#made += 1;
    return `sgr-${digitsOf(`rule ${this.#made}`)}`;
  }
}

export function defaultIdOf(vpcId: string): string {
  return `sg-${digitsOf(`default security group of ${vpcId}`)}`;
}

/** Whether two rules allow the same traffic. The descriptions may differ. */
function isSameRule(one: NewRule, other: NewRule): boolean {
  const parts = ["protocol", "fromPort", "toPort", "cidrIp", "cidrIpv6", "prefixListId", "groupId"] as const;
  return parts.every((part) => one[part] === other[part]);
}

function textOf({ protocol, fromPort, toPort, cidrIp, cidrIpv6, groupId }: NewRule): string {
  const ports = fromPort === undefined ? "" : `, from port: ${fromPort}, to port: ${toPort}`;
  return `peer: ${cidrIp ?? cidrIpv6 ?? groupId}, ${protocol.toUpperCase()}${ports}, ALLOW`;
}
