import { type AwsError, notSimulated } from "../aws-error.ts";
import type { Params } from "./params.ts";

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
