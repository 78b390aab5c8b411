import { AwsError } from "../aws-error.ts";
import type { NewRule, RuleSource, SecurityGroup, SecurityGroupRule } from "../world/security-groups.ts";
import type { World } from "../world/world.ts";
import type { ApiActions } from "./action.ts";
import { ec2Page, filtersOn, matches, readFilters, type Shows } from "./ec2-filters.ts";
import { ec2TagSet, readTagSpecifications } from "./ec2-tags.ts";
import { type Params, structures, text, texts } from "./params.ts";
import type { XmlFields } from "./xml.ts";

/** Security groups, as far as controllers create them for load balancers. */
export const ec2SecurityGroupActions: ApiActions = {
  /** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeSecurityGroups.html */
  DescribeSecurityGroups(params, world) {
    const ids = texts(params, "GroupId");
    const names = texts(params, "GroupName");
    const { all } = world.securityGroups;
    const unknown = names?.find((wanted) => !all.some(({ name }) => name === wanted));
    if (unknown !== undefined) throw unknownName(unknown);
    const chosen = ids?.map((id) => world.securityGroups.get(id)) ?? all;
    const wanted = readFilters(params, FILTERS, ({ tags }) => tags);
    const matching = chosen
      .filter(({ name }) => names?.includes(name) ?? true)
      .filter((group) => wanted.every((filter) => matches(group, filter, world)));
    const { items, nextToken } = ec2Page(matching, params);
    return { securityGroupInfo: { item: items.map((group) => groupXml(group, world)) }, nextToken };
  },

  /** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html */
  CreateSecurityGroup(params, world) {
    const name = required(params, "GroupName");
    const description = required(params, "GroupDescription");
    const vpcId = required(params, "VpcId");
    if (name.startsWith("sg-"))
      throw new AwsError("InvalidParameterValue", `Value (${name}) for parameter groupName is invalid.`);
    if (!world.networks.vpcIds.includes(vpcId))
      throw new AwsError("InvalidVpcID.NotFound", `The vpc ID '${vpcId}' does not exist`);
    const tags = readTagSpecifications(params, "security-group");
    const group = world.securityGroups.create({ name, description, vpcId });
    for (const [key, value] of tags) group.tags.set(key, value);
    return { groupId: group.id, securityGroupArn: arnOf(group, world), tagSet: ec2TagSet(tags) };
  },

  /** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteSecurityGroup.html */
  DeleteSecurityGroup(params, world) {
    const group = named(params, world);
    world.securityGroups.delete(group);
    return { return: true, groupId: group.id };
  },

  /** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html */
  AuthorizeSecurityGroupIngress(params, world) {
    const group = named(params, world);
    const tags = readTagSpecifications(params, "security-group-rule");
    const added = world.securityGroups.authorize(group, readRules(params, world), tags);
    return { return: true, securityGroupRuleSet: { item: added.map((rule) => ruleXml(rule, group, world)) } };
  },

  /**
   * By the ids of rules, or by what they allow.
   * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupIngress.html
   */
  RevokeSecurityGroupIngress(params, world) {
    const { securityGroups } = world;
    const group = named(params, world);
    const ids = texts(params, "SecurityGroupRuleId");
    const rules =
      ids === undefined ? securityGroups.find(group, readRules(params, world)) : securityGroups.findByIds(group, ids);
    securityGroups.revoke(group, rules);
    return { return: true, revokedSecurityGroupRuleSet: { item: rules.map((rule) => revokedXml(rule, group)) } };
  },
};

const INGRESS = "ipPermissions";
const EGRESS = "ipPermissionsEgress";

/** Where in the description each filter by rule looks. */
const rulePaths = (permissions: typeof INGRESS | typeof EGRESS, prefix = "") =>
  Object.fromEntries(
    [
      ["cidr", "ipRanges.cidrIp"],
      ["from-port", "fromPort"],
      ["group-id", "groups.groupId"],
      ["ipv6-cidr", "ipv6Ranges.cidrIpv6"],
      ["prefix-list-id", "prefixListIds.prefixListId"],
      ["protocol", "ipProtocol"],
      ["to-port", "toPort"],
      ["user-id", "groups.userId"],
    ].map(([name, path]) => [`${prefix}ip-permission.${name}`, `${permissions}.${path}`]),
  );

const FILTERS: ReadonlyMap<string, Shows<SecurityGroup>> = new Map<string, Shows<SecurityGroup>>([
  ["group-id", ({ id }) => [id]],
  ["group-name", ({ name }) => [name]],
  ["description", ({ description }) => [description]],
  ["vpc-id", ({ vpcId }) => [vpcId]],
  ["owner-id", (_, { accountId }) => [accountId]],
  [
    "ip-permission.group-name",
    ({ ingress }, { securityGroups }) =>
      ingress.flatMap(({ groupId }) => (groupId === undefined ? [] : [securityGroups.nameOf(groupId)])),
  ],
  // The only rule for outbound traffic allows all of it.
  ["egress.ip-permission.group-name", () => []],
  ...filtersOn({ ...rulePaths(INGRESS), ...rulePaths(EGRESS, "egress.") }, groupXml),
]);

function required(params: Params, name: string): string {
  const value = text(params, name);
  if (value !== undefined && value !== "") return value;
  throw new AwsError("MissingParameter", `The request must contain the parameter ${name}`);
}

/** By its id. Names are valid only in default VPCs, which the simulator does not have. */
function named(params: Params, world: World): SecurityGroup {
  const id = text(params, "GroupId");
  if (id !== undefined) return world.securityGroups.get(id);
  throw unknownName(required(params, "GroupName"));
}

function unknownName(name: string): AwsError {
  return new AwsError("InvalidGroup.NotFound", `The security group '${name}' does not exist in default VPC`);
}

/**
 * From `IpPermissions`, or from the flat parameters for one of them. One permission is a rule for each of its sources.
 */
function readRules(params: Params, world: World): readonly NewRule[] {
  // A group by its name is one of the default VPC.
  const sourceName = text(params, "SourceSecurityGroupName");
  if (sourceName !== undefined) throw unknownName(sourceName);
  const flat = text(params, "IpProtocol") === undefined ? undefined : [{ ...params, IpRanges: { 1: params } }];
  const permissions = structures(params, "IpPermissions") ?? flat;
  if (permissions === undefined)
    throw new AwsError("MissingParameter", "The request must contain the parameter ipPermissions");
  return permissions.flatMap((permission) => {
    const protocol = required(permission, "IpProtocol");
    const ports =
      protocol === "-1" ? {} : { fromPort: port(permission, "FromPort"), toPort: port(permission, "ToPort") };
    const sources = readSources(permission, world);
    if (sources.length === 0)
      throw new AwsError("InvalidParameterValue", "Invalid value for portRange. Must specify a source.");
    return sources.map((source) => ({ protocol, ...ports, ...source }));
  });
}

type Source = RuleSource & Pick<SecurityGroupRule, "description">;

function readSources(permission: Params, world: World): readonly Source[] {
  const read = (list: string, key: string, as: keyof RuleSource) =>
    (structures(permission, list) ?? []).map((entry): Source => {
      const description = text(entry, "Description");
      return { [as]: required(entry, key), ...(description === undefined ? {} : { description }) };
    });
  const groups = read("Groups", "GroupId", "groupId");
  for (const { groupId } of groups) world.securityGroups.get(groupId ?? "");
  return [
    ...read("IpRanges", "CidrIp", "cidrIp").map(checkedCidr),
    ...read("Ipv6Ranges", "CidrIpv6", "cidrIpv6"),
    ...read("PrefixListIds", "PrefixListId", "prefixListId"),
    ...groups,
  ];
}

function checkedCidr<T extends RuleSource>(source: T): T {
  if (/^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}$/.test(source.cidrIp ?? "")) return source;
  throw new AwsError("InvalidParameterValue", `CIDR block ${source.cidrIp} is malformed`);
}

function port(permission: Params, name: string): number {
  const value = required(permission, name);
  if (!/^-?\d+$/.test(value) || Number(value) < -1 || Number(value) > 65_535)
    throw new AwsError("InvalidParameterValue", `Invalid value '${value}' for ${name}. Must be a valid port number.`);
  return Number(value);
}

function arnOf({ id }: SecurityGroup, world: World): string {
  return world.arn("ec2", `security-group/${id}`);
}

function groupXml(group: SecurityGroup, world: World): XmlFields {
  const all = { ipProtocol: "-1", groups: {}, ipRanges: { item: [{ cidrIp: "0.0.0.0/0" }] }, ...NO_OTHERS };
  return {
    ownerId: world.accountId,
    groupId: group.id,
    groupName: group.name,
    groupDescription: group.description,
    vpcId: group.vpcId,
    securityGroupArn: arnOf(group, world),
    [INGRESS]: { item: permissionsXml(group.ingress, world) },
    [EGRESS]: { item: [all] },
    tagSet: ec2TagSet(group.tags),
  };
}

const NO_OTHERS = { ipv6Ranges: {}, prefixListIds: {} };

/** EC2 shows the rules of the same protocol and ports as one permission. */
function permissionsXml(rules: readonly SecurityGroupRule[], world: World): readonly XmlFields[] {
  const byPorts = new Map<string, SecurityGroupRule[]>();
  for (const rule of rules) {
    const key = `${rule.protocol} ${rule.fromPort} ${rule.toPort}`;
    byPorts.set(key, [...(byPorts.get(key) ?? []), rule]);
  }
  return [...byPorts.values()].map((same) => {
    const sources = (of: keyof RuleSource) =>
      same.flatMap(({ description, [of]: source }) => (source === undefined ? [] : [{ [of]: source, description }]));
    return {
      ipProtocol: same[0]?.protocol,
      fromPort: same[0]?.fromPort,
      toPort: same[0]?.toPort,
      groups: { item: sources("groupId").map((source) => ({ userId: world.accountId, ...source })) },
      ipRanges: { item: sources("cidrIp") },
      ipv6Ranges: { item: sources("cidrIpv6") },
      prefixListIds: { item: sources("prefixListId") },
    };
  });
}

function ruleXml(rule: SecurityGroupRule, group: SecurityGroup, world: World): XmlFields {
  const { groupId } = rule;
  return {
    ...ruleFields(rule, group),
    securityGroupRuleArn: world.arn("ec2", `security-group-rule/${rule.id}`),
    groupOwnerId: world.accountId,
    referencedGroupInfo: groupId === undefined ? undefined : { groupId, userId: world.accountId },
    tagSet: ec2TagSet(rule.tags),
  };
}

function revokedXml(rule: SecurityGroupRule, group: SecurityGroup): XmlFields {
  return { ...ruleFields(rule, group), referencedGroupId: rule.groupId };
}

function ruleFields(rule: SecurityGroupRule, group: SecurityGroup): XmlFields {
  return {
    securityGroupRuleId: rule.id,
    groupId: group.id,
    isEgress: false,
    ipProtocol: rule.protocol,
    fromPort: rule.fromPort ?? -1,
    toPort: rule.toPort ?? -1,
    cidrIpv4: rule.cidrIp,
    cidrIpv6: rule.cidrIpv6,
    prefixListId: rule.prefixListId,
    description: rule.description,
  };
}
