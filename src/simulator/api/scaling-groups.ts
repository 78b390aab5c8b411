import { validationError } from "../aws-error.ts";
import type { AutoScalingGroup, Member } from "../world/auto-scaling-group.ts";
import type { World } from "../world/world.ts";
import { type Params, requiredText, text } from "./params.ts";

/** By name or ARN. */
export function namedGroup(params: Params, world: World): AutoScalingGroup {
  const name = requiredText(params, "AutoScalingGroupName");
  const group = [...world.autoScalingGroups.values()].find((each) => each.name === name || each.arn === name);
  if (group === undefined) {
    throw validationError(`AutoScalingGroup name not found - AutoScalingGroup '${name}' not found`);
  }
  return group;
}

/** Undefined if the call does not have it. */
export function oneOf<const T extends string>(params: Params, name: string, allowed: readonly T[]): T | undefined {
  const value = text(params, name);
  if (value === undefined) return undefined;
  const found = allowed.find((one) => one === value);
  if (found === undefined) throw validationError(`${name} '${value}' is not valid: use ${allowed.join(" or ")}`);
  return found;
}

/** Throws if the desired capacity would be below the minimum with `count` members less. */
export function checkShrinking({ desiredCapacity, minSize }: AutoScalingGroup, count: number): void {
  if (desiredCapacity - count >= minSize) return;
  throw validationError(
    `Currently, desiredSize equals minSize (${minSize}). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.`,
  );
}

/** Throws if the desired capacity would be above the maximum with `count` members more. */
export function checkGrowing({ name, desiredCapacity, maxSize }: AutoScalingGroup, count: number): void {
  if (desiredCapacity + count <= maxSize) return;
  throw validationError(
    `AutoScalingGroup ${name} has max-size=${maxSize} and desired-size=${desiredCapacity}: ${count} more instances would exceed its max-size`,
  );
}

export interface MemberOf {
  readonly group: AutoScalingGroup;
  readonly member: Member;
}

/** `only`: the only group of which it may be a member. */
export function memberNamed(id: string, world: World, only?: AutoScalingGroup): MemberOf {
  for (const group of only === undefined ? world.autoScalingGroups.values() : [only]) {
    const member = group.members(world.clock.now()).find(({ instance }) => instance.id === id);
    if (member !== undefined) return { group, member };
  }
  throw validationError(`Instance Id not found - No managed instance found for instance ID: ${id}`);
}
