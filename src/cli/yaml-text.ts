import { stringify } from "yaml";

/** Data as YAML. Loaded with its library where that is asked for. */
export function yamlText(data: object): string {
  // As JSON has it: no field is `undefined` then. No line is folded.
  return stringify(JSON.parse(JSON.stringify(data)), { lineWidth: 0, aliasDuplicateObjects: false });
}
