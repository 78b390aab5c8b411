import { isIP } from "node:net";
import { AwsError, constraintError, missingParameter, notSimulated, validationError } from "../aws-error.ts";
import type { TargetDescription, TargetGroup } from "../world/target-group.ts";

/** Parameters of the query protocol, nested: `Targets.member.1.Id=x` is `{ Targets: { member: { 1: { Id: "x" } } } }`. */
export interface Params {
  readonly [name: string]: string | Params | undefined;
}

type Mutable = { [name: string]: string | Mutable };

export function parseParams(body: string): Params {
  const root: Mutable = Object.create(null);
  for (const [path, value] of new URLSearchParams(body)) {
    const names = path.split(".");
    const last = names.pop() ?? "";
    let inner = root;
    for (const name of names) {
      const known = inner[name];
      const next: Mutable = typeof known === "object" ? known : Object.create(null);
      inner[name] = next;
      inner = next;
    }
    if (typeof inner[last] !== "object") inner[last] = value;
  }
  return root;
}

export function text(params: Params, name: string): string | undefined {
  const value = params[name];
  return typeof value === "string" ? value : undefined;
}

export function requiredText(params: Params, name: string): string {
  const value = text(params, name);
  if (value === undefined || value === "") throw missingParameter(name);
  return value;
}

/** The least and the greatest value that AWS's model allows. */
export type Bounds = readonly [min: number, max: number];
const UNBOUNDED: Bounds = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];

export function integer(params: Params, name: string, bounds: Bounds = UNBOUNDED): number | undefined {
  const [min, max] = bounds;
  const value = text(params, name);
  if (value === undefined) return undefined;
  if (!/^-?\d+$/.test(value)) throw validationError(`Value '${value}' at '${name}' is not a whole number`);
  const parameter = name.charAt(0).toLowerCase() + name.slice(1);
  if (Number(value) < min) {
    throw constraintError(`'${value}'`, parameter, `Member must have value greater than or equal to ${min}`);
  }
  if (Number(value) > max) {
    throw constraintError(`'${value}'`, parameter, `Member must have value less than or equal to ${max}`);
  }
  return Number(value);
}

export function requiredInteger(params: Params, name: string, bounds: Bounds): number {
  const value = integer(params, name, bounds);
  if (value === undefined) throw missingParameter(name);
  return value;
}

/** A list of strings: `Name.member.N` (query), or `Name.N` (ec2), in order of N. Undefined if none was sent. */
export function texts(params: Params, name: string): readonly string[] | undefined {
  return entries(params, name)?.map((entry) => (typeof entry === "string" ? entry : malformed(name)));
}

/** A list of structures. Undefined if none was sent. */
export function structures(params: Params, name: string): readonly Params[] | undefined {
  return entries(params, name)?.map((entry) => (typeof entry === "object" ? entry : malformed(name)));
}

export function structure(params: Params, name: string): Params | undefined {
  const value = params[name];
  return typeof value === "object" ? value : undefined;
}

/** Throws AWS's error if a list is longer than a call may have. */
export function atMost<T>(list: readonly T[], max: number, parameter: string): readonly T[] {
  if (list.length > max) {
    throw constraintError(`'[${list.join(", ")}]'`, parameter, `Member must have length less than or equal to ${max}`);
  }
  return list;
}

/** The SDK sends an empty list as `Name=`, which AWS takes for no list: in a Describe call it means everything. */
function entries(params: Params, name: string): (string | Params)[] | undefined {
  const value = params[name];
  if (value === undefined || value === "") return undefined;
  const list = typeof value === "string" ? value : (value["member"] ?? value);
  if (typeof list === "string") return malformed(name);
  const keys = Object.keys(list);
  if (keys.some((key) => !/^\d+$/.test(key))) return malformed(name);
  return keys.sort((a, b) => Number(a) - Number(b)).map((key) => list[key] as string | Params);
}

function malformed(name: string): never {
  throw new AwsError("MalformedInput", `'${name}' is not a list of what this action takes`);
}

/** Settings that are not simulated, each with the values with which it changes nothing. */
export type NotSimulated = Readonly<Record<string, readonly string[]>>;

/** Refuses a call that has one of these settings, unless with a value that changes nothing. `of`: as in `an Auto Scaling group`. */
export function checkSettings(params: Params, settings: NotSimulated, of: string): void {
  for (const [name, harmless] of Object.entries(settings)) {
    const values = valuesIn(params[name]).filter((value) => value !== "");
    if (values.some((value) => !harmless.includes(value))) throw settingNotSimulated(`The setting ${name}`, of);
  }
}

export function settingNotSimulated(what: string, of: string): AwsError {
  return notSimulated(`${what} of ${of} is not simulated`);
}

/** All texts in a parameter, which may be a structure or a list. */
function valuesIn(parameter: string | Params | undefined): readonly string[] {
  if (parameter === undefined) return [];
  return typeof parameter === "string" ? [parameter] : Object.values(parameter).flatMap(valuesIn);
}

export const PORT: Bounds = [1, 65_535];
const INSTANCE_ID = /^i-[0-9a-f]{8,17}$/;
/** https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetDescription.html */
const QUIC_SERVER_ID = /^0x[0-9a-f]{16}$/;

/** Reads one entry of `Targets`, checked against what the group takes. */
export function targetDescription(params: Params, group: TargetGroup): TargetDescription {
  const id = requiredText(params, "Id");
  const port = integer(params, "Port", PORT);
  const zone = text(params, "AvailabilityZone");
  const quicServerId = text(params, "QuicServerId");
  if (group.targetType === "instance" && !INSTANCE_ID.test(id)) {
    throw validationError(`Instance ID '${id}' is not valid`);
  }
  if (group.targetType === "ip" && isIP(id) === 0) {
    const kind = group.ipAddressType === "ipv6" ? 6 : 4;
    throw validationError(`The IP address '${id}' is not a valid IPv${kind} address`);
  }
  if (quicServerId !== undefined && !QUIC_SERVER_ID.test(quicServerId)) {
    throw validationError(`QUIC server ID '${quicServerId}' is not valid`);
  }
  return {
    id,
    ...(port === undefined ? {} : { port }),
    ...(zone === undefined ? {} : { zone }),
    ...(quicServerId === undefined ? {} : { quicServerId }),
  };
}
