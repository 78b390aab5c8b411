import { BlockList, isIP, isIPv6 } from "node:net";

/** A key and value of a query string. Without a key, the value is looked for with any key. */
export interface QueryPair {
  readonly key?: string;
  readonly value: string;
}

/** A condition of a rule. It is true if one of its values matches. */
export type Condition =
  | {
      readonly field: "path-pattern" | "host-header" | "http-request-method" | "source-ip";
      readonly values: readonly string[];
    }
  | { readonly field: "http-header"; readonly name: string; readonly values: readonly string[] }
  | { readonly field: "query-string"; readonly pairs: readonly QueryPair[] };

/** The parts of a request that the conditions of rules check. */
export interface RuleRequest {
  readonly host: string;
  readonly path: string;
  /** Without the question mark, as the client has sent it. */
  readonly query?: string;
  readonly method?: string;
  /** The values of each header, by its name in small letters. */
  readonly headers?: Readonly<Record<string, readonly string[] | undefined>>;
  /** The address from which the connection came. */
  readonly address?: string | undefined;
}

/** https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html */
export function holds(condition: Condition, request: RuleRequest): boolean {
  switch (condition.field) {
    case "path-pattern":
      return condition.values.some((value) => matchesWildcard(value, request.path));
    case "host-header":
      return condition.values.some((value) => matchesAnyCase(value, request.host));
    case "http-request-method":
      return condition.values.includes(request.method ?? "");
    case "http-header": {
      const sent = request.headers?.[condition.name.toLowerCase()] ?? [];
      return sent.some((each) => condition.values.some((value) => matchesAnyCase(value, each)));
    }
    case "query-string": {
      const sent = pairsIn(request.query ?? "");
      return condition.pairs.some((pair) => sent.some((each) => matchesPair(pair, each)));
    }
    case "source-ip":
      return isWithin(condition.values, request.address);
    default:
      return condition satisfies never;
  }
}

/** Whether `text` is a block of addresses, such as `10.0.0.0/8`. */
export function isCidr(text: string): boolean {
  const [address = "", bits = "", ...rest] = text.split("/");
  const most = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  return rest.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= most;
}

/** AWS's wildcards: `*` for any characters, `?` for exactly one. `\` before one of them makes it an ordinary character. */
export function matchesWildcard(pattern: string, text: string): boolean {
  // Most patterns have no wildcard, and are compared a hundred thousand times.
  if (!pattern.includes("*") && !pattern.includes("?") && !pattern.includes("\\")) return pattern === text;
  const source = pattern.replace(/\\([*?\\])|[.+^${}()|[\]\\*?]/g, (found, escaped: string | undefined) => {
    if (found === "*") return ".*";
    return found === "?" ? "." : `\\${escaped ?? found}`;
  });
  return new RegExp(`^${source}$`, "s").test(text);
}

function matchesAnyCase(pattern: string, text: string): boolean {
  return matchesWildcard(pattern.toLowerCase(), text.toLowerCase());
}

function pairsIn(query: string): readonly Required<QueryPair>[] {
  return query.split("&").map((pair) => {
    const [key = "", ...value] = pair.split("=");
    return { key, value: value.join("=") };
  });
}

function matchesPair({ key, value }: QueryPair, sent: Required<QueryPair>): boolean {
  return (key === undefined || matchesAnyCase(key, sent.key)) && matchesAnyCase(value, sent.value);
}

function isWithin(blocks: readonly string[], address: string | undefined): boolean {
  if (address === undefined) return false;
  const list = new BlockList();
  for (const block of blocks) {
    const [network = "", bits] = block.split("/");
    list.addSubnet(network, Number(bits), familyOf(network));
  }
  return list.check(address, familyOf(address));
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv6(address) ? "ipv6" : "ipv4";
}
