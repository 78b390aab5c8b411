import { AwsError } from "../aws-error.ts";
import type { ApiActions } from "./action.ts";
import type { Params } from "./params.ts";
import type { XmlFields } from "./xml.ts";

/** A simulated API of AWS's JSON protocol. */
export interface JsonService {
  /** The name before the action in the header X-Amz-Target. */
  readonly target: string;
  readonly actions: ApiActions;
  /** Its error code for an unusable parameter. */
  readonly invalidParameter: string;
}

/** `ResourceGroupsTaggingAPI_20170126.GetResources` */
export interface JsonTarget {
  readonly service: string;
  readonly action: string;
}

export function readTarget(target: string): JsonTarget {
  const dot = target.lastIndexOf(".");
  return { service: target.slice(0, Math.max(0, dot)), action: target.slice(dot + 1) };
}

/**
 * The members of the body, nested as in the query protocol: a list is an object with numbers as names. Throws if the
 * body is not a JSON object.
 */
export function readJson(body: string): Params {
  let value: unknown;
  try {
    value = JSON.parse(body === "" ? "{}" : body);
  } catch (cause) {
    throw malformed(String(cause));
  }
  const params = nested(value);
  if (typeof params !== "object" || Array.isArray(value)) throw malformed("the body is not an object");
  return params;
}

/** https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html */
export function errorJson({ code, message }: AwsError): string {
  return JSON.stringify({ __type: code, message });
}

/** The service's own codes for the errors that every action may throw. */
export function inWordsOf({ invalidParameter }: JsonService, error: AwsError): AwsError {
  const names: Readonly<Record<string, string>> = {
    AccessDenied: "AccessDeniedException",
    MalformedInput: "SerializationException",
    ValidationError: invalidParameter,
  };
  const name = Object.hasOwn(names, error.code) ? names[error.code] : undefined;
  return name === undefined ? error : new AwsError(name, error.message, 400);
}

export function resultJson(result: XmlFields | undefined): string {
  return JSON.stringify(result ?? {});
}

function nested(value: unknown): string | Params | undefined {
  if (value === null || value === undefined) return undefined;
  if (typeof value !== "object") return String(value);
  const entries = Array.isArray(value)
    ? value.map((item, index) => [String(index + 1), nested(item)])
    : Object.entries(value).map(([name, inner]) => [name, nested(inner)]);
  // As in the query protocol, an empty list is no list.
  if (Array.isArray(value) && entries.length === 0) return undefined;
  return Object.assign(Object.create(null), Object.fromEntries(entries.filter(([, inner]) => inner !== undefined)));
}

function malformed(message: string): AwsError {
  return new AwsError("MalformedInput", `The request could not be read: ${message}`);
}
