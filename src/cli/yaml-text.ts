import { stringify } from "yaml";

/** Data as YAML. Its library is loaded only when it is requested. */
export function yamlText(data: object): string {
  // As in JSON, so that no field is `undefined`. No line is folded.
  return stringify(JSON.parse(JSON.stringify(data)), { lineWidth: 0, aliasDuplicateObjects: false });
}
