import type { World } from "../world/world.ts";
import type { Params } from "./params.ts";
import type { XmlFields } from "./xml.ts";

/** One AWS action: reads its parameters, asks or changes the world, and answers its result's fields, or throws `AwsError`. */
export type ApiAction = (params: Params, world: World) => XmlFields;
export type ApiActions = Readonly<Record<string, ApiAction>>;

export function tagList(tags: ReadonlyMap<string, string>): XmlFields {
  return { member: [...tags].map(([Key, Value]) => ({ Key, Value })) };
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
