import { AwsError, missingParameter } from "../aws-error.ts";
import type { World } from "../world/world.ts";
import { type Params, requiredText, structures, text } from "./params.ts";
import type { XmlFields } from "./xml.ts";

/** The signer of a call. */
export interface Caller {
  /** Absent: the call is not signed. */
  readonly accessKeyId?: string | undefined;
  /** The name of the IAM user. Absent: the access key's id. */
  readonly user?: string | undefined;
}

/**
 * One AWS action: reads its parameters, reads or changes the world, and returns the fields of its result, or throws
 * `AwsError`. Undefined: AWS's model has no result for it, not even an empty one.
 */
type ApiAction = (params: Params, world: World, caller: Caller) => XmlFields | undefined;
export type ApiActions = Readonly<Record<string, ApiAction>>;

export function tagList(tags: ReadonlyMap<string, string>): XmlFields {
  return { member: [...tags].map(([Key, Value]) => ({ Key, Value })) };
}

/** Reads the tags of a request. A key that comes twice is refused, as AWS does. */
export function readTags(params: Params): ReadonlyMap<string, string> {
  const tags = new Map<string, string>();
  for (const tag of structures(params, "Tags") ?? []) {
    const key = requiredText(tag, "Key");
    if (tags.has(key)) throw new AwsError("DuplicateTagKeys", "A tag key was specified more than once");
    tags.set(key, text(tag, "Value") ?? "");
  }
  return tags;
}

/** As `readTags`, for an action that is only about tags. */
export function requiredTags(params: Params): ReadonlyMap<string, string> {
  const tags = readTags(params);
  if (tags.size === 0) throw missingParameter("Tags");
  return tags;
}

export function addTags(to: Map<string, string>, tags: ReadonlyMap<string, string>): void {
  for (const [key, value] of tags) to.set(key, value);
}

/** Whether a resource has these settings already. Creating it again succeeds then, on AWS as here. */
export function hasSettings<T extends object>(existing: T, settings: { readonly [K in keyof T]?: unknown }): boolean {
  return Object.entries(settings).every(
    ([name, value]) => JSON.stringify(existing[name as keyof T]) === JSON.stringify(value),
  );
}

export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}
