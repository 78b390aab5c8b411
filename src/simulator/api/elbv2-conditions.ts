import { notSimulated, validationError } from "../aws-error.ts";
import { type Condition, isCidr, type QueryPair } from "../world/rule-conditions.ts";
import { oneOf } from "./elbv2-params.ts";
import { type Params, requiredText, structure, structures, text, texts } from "./params.ts";
import type { XmlFields } from "./xml.ts";

/** By field: the structure that has its values. */
const CONFIGS = {
  "path-pattern": "PathPatternConfig",
  "host-header": "HostHeaderConfig",
  "http-header": "HttpHeaderConfig",
  "http-request-method": "HttpRequestMethodConfig",
  "query-string": "QueryStringConfig",
  "source-ip": "SourceIpConfig",
} as const satisfies Record<Condition["field"], string>;
const FIELDS = Object.keys(CONFIGS) as Condition["field"][];

/** Reads one entry of `Conditions`. https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RuleCondition.html */
export function condition(params: Params): Condition {
  const field = oneOf(requiredText(params, "Field"), FIELDS, "field");
  const config = structure(params, CONFIGS[field]) ?? {};
  if ((texts(params, "RegexValues") ?? texts(config, "RegexValues")) !== undefined)
    throw notSimulated("Regular expressions in the conditions of rules are not simulated");
  if (text(config, "IpAddressType") !== undefined)
    throw notSimulated("Conditions for the type of IP addresses are not simulated");
  switch (field) {
    case "path-pattern":
    case "host-header":
      return { field, values: atLeastOne(texts(params, "Values") ?? texts(config, "Values")) };
    case "http-header":
      return { field, name: requiredText(config, "HttpHeaderName"), values: atLeastOne(texts(config, "Values")) };
    case "http-request-method":
      return { field, values: atLeastOne(texts(config, "Values")) };
    case "query-string":
      return { field, pairs: atLeastOne(structures(config, "Values")?.map(queryPair)) };
    case "source-ip": {
      const values = atLeastOne(texts(config, "Values"));
      const wrong = values.find((value) => !isCidr(value));
      if (wrong !== undefined) throw validationError(`The value '${wrong}' is not a valid CIDR block`);
      return { field, values };
    }
    default:
      return field satisfies never;
  }
}

/** AWS describes the values of paths and hosts in both forms that a call may use. */
export function conditionXml(of: Condition): XmlFields {
  const config = CONFIGS[of.field];
  switch (of.field) {
    case "path-pattern":
    case "host-header": {
      const values = { Values: { member: of.values } };
      return { Field: of.field, ...values, [config]: values };
    }
    case "http-header":
      return { Field: of.field, [config]: { HttpHeaderName: of.name, Values: { member: of.values } } };
    case "query-string": {
      const member = of.pairs.map(({ key, value }) => ({ Key: key, Value: value }));
      return { Field: of.field, [config]: { Values: { member } } };
    }
    default:
      return { Field: of.field, [config]: { Values: { member: of.values } } };
  }
}

function queryPair(params: Params): QueryPair {
  const key = text(params, "Key");
  return { ...(key === undefined ? {} : { key }), value: requiredText(params, "Value") };
}

function atLeastOne<T>(values: readonly T[] | undefined): readonly T[] {
  if (values === undefined || values.length === 0) throw validationError("A condition must specify at least one value");
  return values;
}
