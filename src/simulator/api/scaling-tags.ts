import { missingParameter, validationError } from "../aws-error.ts";
import type { AutoScalingGroup } from "../world/auto-scaling-group.ts";
import type { World } from "../world/world.ts";
import type { ApiActions } from "./action.ts";
import { type Params, requiredText, structures, text } from "./params.ts";
import { namedGroup } from "./scaling-groups.ts";

const RESOURCE_TYPE = "auto-scaling-group";

/** The tags of groups. */
export const scalingTagActions: ApiActions = {
  /** https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateOrUpdateTags.html */
  CreateOrUpdateTags(params, world) {
    for (const { group, tag } of tagsOf(params, world)) setTag(group, tag);
    return undefined;
  },

  /**
   * A tag with a value is deleted only if it has that value.
   * https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DeleteTags.html
   */
  DeleteTags(params, world) {
    for (const { group, tag, key } of tagsOf(params, world)) {
      const value = text(tag, "Value");
      if (value !== undefined && value !== group.tags.get(key)) continue;
      group.tags.delete(key);
      group.ownTags.delete(key);
    }
    return undefined;
  },
};

/** Sets a tag as a call gives it. Machines that are launched get it too, unless the call says otherwise. */
export function setTag(group: AutoScalingGroup, tag: Params): void {
  const key = requiredText(tag, "Key");
  group.tags.set(key, text(tag, "Value") ?? "");
  if (text(tag, "PropagateAtLaunch") === "false") group.ownTags.add(key);
  else group.ownTags.delete(key);
}

interface TagOfGroup {
  readonly group: AutoScalingGroup;
  readonly tag: Params;
  readonly key: string;
}

/** All are checked before one is changed. */
function tagsOf(params: Params, world: World): readonly TagOfGroup[] {
  const tags = structures(params, "Tags");
  if (tags === undefined) throw missingParameter("Tags");
  return tags.map((tag) => {
    const key = requiredText(tag, "Key");
    const name = requiredText(tag, "ResourceId");
    const type = text(tag, "ResourceType") ?? RESOURCE_TYPE;
    if (type !== RESOURCE_TYPE) throw validationError(`The resource type '${type}' is not valid: use ${RESOURCE_TYPE}`);
    return { group: namedGroup({ AutoScalingGroupName: name }, world), tag, key };
  });
}
