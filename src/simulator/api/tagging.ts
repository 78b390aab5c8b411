import { notSimulated, validationError } from "../aws-error.ts";
import type { World } from "../world/world.ts";
import type { ApiActions } from "./action.ts";
import { allEc2Tagged } from "./ec2-tags.ts";
import { readMarker, writeMarker } from "./paging.ts";
import { atMost, integer, type Params, requiredText, structures, text, texts } from "./params.ts";

const RESOURCES_PER_PAGE = { byDefault: 50, max: 100 };
const TAGS_PER_PAGE = { min: 100, max: 500 };
const LIMITS = { tagFilters: 50, values: 20, types: 100, arns: 100 };

interface Tagged {
  readonly arn: string;
  readonly tags: ReadonlyMap<string, string>;
}

/** The actions of the Resource Groups Tagging API 2017-01-26. */
export const taggingActions: ApiActions = {
  /**
   * Everything of EC2 and Elastic Load Balancing that has tags now. Auto Scaling groups are not among its resources.
   * https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
   */
  GetResources(params, world) {
    const arns = texts(params, "ResourceARNList");
    if (arns !== undefined) {
      atMost(arns, LIMITS.arns, "resourceARNList");
      checkAlone(params);
    }
    const filters = atMost(structures(params, "TagFilters") ?? [], LIMITS.tagFilters, "tagFilters").map(tagFilter);
    const types = atMost(texts(params, "ResourceTypeFilters") ?? [], LIMITS.types, "resourceTypeFilters");
    if (text(params, "ExcludeCompliantResources") === "true" || text(params, "IncludeComplianceDetails") === "true")
      throw notSimulated("Tag policies are not simulated: ask without compliance details");
    const chosen = allTagged(world)
      .filter(({ arn }) => arns?.includes(arn) ?? true)
      .filter(({ arn }) => types.length === 0 || types.some((type) => isOfType(arn, type)))
      .filter(({ tags }) => filters.every((matches) => matches(tags)));
    const { items, token } = page(chosen, params);
    return {
      PaginationToken: token,
      ResourceTagMappingList: items.map(({ arn, tags }) => ({
        ResourceARN: arn,
        Tags: [...tags].map(([Key, Value]) => ({ Key, Value })),
      })),
    };
  },
};

function allTagged(world: World): readonly Tagged[] {
  const ofEc2 = allEc2Tagged(world).map(({ type, id, tags }) => ({ arn: world.arn("ec2", `${type}/${id}`), tags }));
  const classics = [...world.classics.values()].map(({ name, tags }) => ({
    arn: world.arn("elasticloadbalancing", `loadbalancer/${name}`),
    tags,
  }));
  const balancers = [...world.loadBalancers.values()];
  const listeners = balancers.flatMap((balancer) => balancer.listeners);
  const rules = listeners.flatMap((listener) => listener.rules);
  return [...ofEc2, ...classics, ...balancers, ...listeners, ...rules, ...world.targetGroups.values()].filter(
    ({ tags }) => tags.size > 0,
  );
}

/** `ec2:instance`, or `ec2` for all of a service. */
function isOfType(arn: string, type: string): boolean {
  const [, , service = "", , , ...rest] = arn.split(":");
  const [wanted, ...kinds] = type.split(":");
  const kind = kinds.join(":");
  return service === wanted && (kind === "" || rest.join(":").startsWith(`${kind}/`));
}

/** Matches any of its values. Without values it matches the key. */
function tagFilter(params: Params): (tags: ReadonlyMap<string, string>) => boolean {
  const key = requiredText(params, "Key");
  const values = texts(params, "Values");
  if (values !== undefined) atMost(values, LIMITS.values, "values");
  return (tags) => tags.has(key) && (values?.includes(tags.get(key) ?? "") ?? true);
}

/** Resources that are requested by their names are returned in one page. */
function checkAlone(params: Params): void {
  const others = ["TagFilters", "ResourceTypeFilters", "ResourcesPerPage", "TagsPerPage", "PaginationToken"];
  const other = others.find((name) => params[name] !== undefined && params[name] !== "");
  if (other !== undefined)
    throw validationError(`ResourceARNList and ${other} cannot be specified in the same request`);
}

/** As many resources as fit, by their number and by the number of their tags. A resource is never split. */
function page(all: readonly Tagged[], params: Params): { readonly items: readonly Tagged[]; readonly token: string } {
  const most = integer(params, "ResourcesPerPage", [1, RESOURCES_PER_PAGE.max]) ?? RESOURCES_PER_PAGE.byDefault;
  const mostTags = integer(params, "TagsPerPage", [TAGS_PER_PAGE.min, TAGS_PER_PAGE.max]) ?? Number.POSITIVE_INFINITY;
  const start = readMarker(text(params, "PaginationToken"));
  if (start === undefined) throw validationError("The PaginationToken is not valid");
  let end = start;
  for (let count = 0; end < all.length && end - start < most; end++) {
    count += all[end]?.tags.size ?? 0;
    if (count > mostTags) break;
  }
  return { items: all.slice(start, end), token: end < all.length ? writeMarker(end) : "" };
}
