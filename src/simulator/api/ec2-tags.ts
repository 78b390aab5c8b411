import { AwsError, notSimulated } from "../aws-error.ts";
import { routeTableIdOf } from "../world/networks.ts";
import type { SecurityGroupRule } from "../world/security-groups.ts";
import type { World } from "../world/world.ts";
import type { ApiActions } from "./action.ts";
import { ec2Page, matches, readFilters, type Shows } from "./ec2-filters.ts";
import { type Params, requiredText, structures, text, texts } from "./params.ts";
import type { XmlFields } from "./xml.ts";

export const ec2TagActions: ApiActions = {
  /** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeTags.html */
  DescribeTags(params, world) {
    const wanted = readFilters(params, TAG_FILTERS, ({ key, value }) => new Map([[key, value]]));
    const matching = allTags(world).filter((tag) => wanted.every((filter) => matches(tag, filter, world)));
    const { items, nextToken } = ec2Page(matching, params);
    return { tagSet: { item: items.map((tag) => ({ ...tag })) }, nextToken };
  },

  /** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html */
  CreateTags(params, world) {
    const tags = structures(params, "Tag")?.map((tag) => [requiredText(tag, "Key"), text(tag, "Value") ?? ""] as const);
    if (tags === undefined) throw missing("tagSet");
    for (const resource of resources(params, world)) for (const [key, value] of tags) resource.set(key, value);
    return { return: true };
  },

  /**
   * A tag with a value is removed only if it has that value.
   * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteTags.html
   */
  DeleteTags(params, world) {
    const tags = structures(params, "Tag")?.map((tag) => ({
      key: requiredText(tag, "Key"),
      value: text(tag, "Value"),
    }));
    for (const resource of resources(params, world)) {
      if (tags === undefined) resource.clear();
      for (const { key, value } of tags ?? [])
        if (value === undefined || resource.get(key) === value) resource.delete(key);
    }
    return { return: true };
  },
};

/** The prefixes of ids of the resources that have tags here. */
const WITH_TAGS: ReadonlySet<string> = new Set(["i", "sg", "sgr", "vpc", "rtb", "subnet", "eni"]);

interface Tag {
  readonly resourceId: string;
  readonly resourceType: string;
  readonly key: string;
  readonly value: string;
}

const TAG_FILTERS: ReadonlyMap<string, Shows<Tag>> = new Map<string, Shows<Tag>>([
  ["key", ({ key }) => [key]],
  ["resource-id", ({ resourceId }) => [resourceId]],
  ["resource-type", ({ resourceType }) => [resourceType]],
  ["value", ({ value }) => [value]],
]);

interface Tagged {
  readonly type: string;
  readonly id: string;
  readonly tags: ReadonlyMap<string, string>;
}

/** Everything of EC2 that can have tags here, but for the tags that EKS gives to the interfaces of pods. */
export function allEc2Tagged(world: World): readonly Tagged[] {
  const { instances, securityGroups, networks } = world;
  const ofNetworks = (type: string, ids: readonly string[]) =>
    ids.map((id) => ({ type, id, tags: networks.tagsOf(id) }));
  const subnetIds = networks.subnets.map(({ id }) => id);
  return [
    ...[...instances.values()].map(({ id, tags }) => ({ type: "instance", id, tags })),
    ...securityGroups.all.map(({ id, tags }) => ({ type: "security-group", id, tags })),
    ...rulesIn(world).map(({ id, tags }) => ({ type: "security-group-rule", id, tags })),
    ...ofNetworks("network-interface", interfaceIdsIn(world)),
    ...ofNetworks("vpc", networks.vpcIds),
    ...ofNetworks("subnet", subnetIds),
    ...ofNetworks("route-table", networks.vpcIds.map(routeTableIdOf)),
  ];
}

function rulesIn({ securityGroups }: World): readonly SecurityGroupRule[] {
  return securityGroups.all.flatMap(({ ingress }) => ingress);
}

/** Interfaces end with their instance. */
function interfaceIdsIn({ instances, clock, timing }: World): readonly string[] {
  return [...instances.values()]
    .filter((instance) => instance.state(clock.now(), timing) !== "terminated")
    .flatMap(({ interfaces }) => interfaces.map(({ id }) => id));
}

function allTags(world: World): readonly Tag[] {
  return allEc2Tagged(world).flatMap(({ type, id, tags }) =>
    [...tags].map(([key, value]) => ({ resourceId: id, resourceType: type, key, value })),
  );
}

export function ec2TagSet(tags: ReadonlyMap<string, string>): XmlFields {
  return { item: [...tags].map(([key, value]) => ({ key, value })) };
}

/** The tags for what a call creates, of this type. */
export function readTagSpecifications(params: Params, type: string): ReadonlyMap<string, string> {
  const tags = new Map<string, string>();
  for (const specification of structures(params, "TagSpecification") ?? []) {
    if (text(specification, "ResourceType") !== type)
      throw new AwsError(
        "InvalidParameterValue",
        `'${text(specification, "ResourceType")}' is not a valid taggable resource type for this operation.`,
      );
    for (const tag of structures(specification, "Tag") ?? [])
      tags.set(requiredText(tag, "Key"), text(tag, "Value") ?? "");
  }
  return tags;
}

function missing(parameter: string): AwsError {
  return new AwsError("MissingParameter", `The request must contain the parameter ${parameter}`);
}

function resources(params: Params, world: World): readonly Map<string, string>[] {
  const ids = texts(params, "ResourceId");
  if (ids === undefined) throw missing("resourceIdSet");
  return ids.map((id) => tagsOf(id, world));
}

function tagsOf(id: string, world: World): Map<string, string> {
  const instance = world.instance(id);
  if (instance !== undefined) return instance.tags;
  if (id.startsWith("i-")) throw new AwsError("InvalidInstanceID.NotFound", `The instance ID '${id}' does not exist`);
  if (id.startsWith("sg-")) return world.securityGroups.get(id).tags;
  const rule = rulesIn(world).find((one) => one.id === id);
  if (rule !== undefined) return rule.tags;
  const { networks } = world;
  const ofNetworks = [networks.vpcIds, networks.vpcIds.map(routeTableIdOf), networks.subnets.map((one) => one.id)];
  if ([...ofNetworks, interfaceIdsIn(world)].some((ids) => ids.includes(id))) return networks.tagsOf(id);
  const kind = /^([a-z-]+)-(?:[0-9a-f]{8}|[0-9a-f]{17})$/.exec(id)?.[1];
  if (kind !== undefined && !WITH_TAGS.has(kind))
    throw notSimulated(`Tags of resources with ids like '${kind}-…' are not simulated`);
  throw new AwsError("InvalidID", `The ID '${id}' is not valid`);
}
