import { validationError } from "../aws-error.ts";
import type { LaunchConfiguration, LaunchSetting } from "../world/instance-refresh.ts";
import type { Params } from "./params.ts";

const KINDS = ["LaunchTemplate", "MixedInstancesPolicy"];

/** The launch configuration of a call: one of the two kinds. Undefined if the call has none. */
export function readConfiguration(params: Params | undefined): LaunchConfiguration | undefined {
  const given = KINDS.filter((kind) => params?.[kind] !== undefined);
  if (given.length === 0) return undefined;
  if (given.length > 1) throw validationError("Specify either a LaunchTemplate or a MixedInstancesPolicy, not both");
  const configuration = Object.fromEntries(given.map((kind) => [kind, settingOf(params?.[kind])]));
  const template = templateOf(configuration);
  if ((template?.["LaunchTemplateId"] === undefined) === (template?.["LaunchTemplateName"] === undefined))
    throw validationError("Valid requests must contain either LaunchTemplateId or LaunchTemplateName");
  return configuration;
}

/** The launch template of instances. */
export function templateOf(configuration: LaunchConfiguration | undefined): LaunchConfiguration | undefined {
  const inside = (of: LaunchConfiguration | undefined, name: string) => of?.[name] as LaunchConfiguration | undefined;
  const policy = inside(configuration, "MixedInstancesPolicy");
  return policy === undefined
    ? inside(configuration, "LaunchTemplate")
    : inside(inside(policy, "LaunchTemplate"), "LaunchTemplateSpecification");
}

/** Parameters in the form of an answer, in which numbered members of a list are repeated elements. */
function settingOf(value: string | Params | undefined): LaunchSetting {
  if (typeof value !== "object") return value;
  const names = Object.keys(value);
  if (names.length > 0 && names.every((name) => /^\d+$/.test(name)))
    return names.sort((a, b) => Number(a) - Number(b)).map((name) => settingOf(value[name]));
  return Object.fromEntries(names.map((name) => [name, settingOf(value[name])]));
}
