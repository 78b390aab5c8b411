import { isIPv4, isIPv6 } from "node:net";

/** One end of a connection. */
export interface End {
  /** In the form of `comparable`. */
  readonly address: string;
  readonly port: number;
}

/** A line of the kernel's tables: a TCP connection, or a socket that waits for connections. */
export interface Connection {
  /** The address of the connection before any translation. For a socket: its own end, whichever end has begun. */
  readonly to: End;
  readonly from: End;
  /**
   * `open`: data may still arrive on it. `closed`: both ends have closed it, or one has reset it. `listening`: not a
   * connection, but a socket that accepts connections.
   */
  readonly state: "open" | "closed" | "listening";
}

/** A table can't be read, or its content is not what the kernel's documents describe. */
export class Unreadable extends Error {
  /** The name of the system's error, if there is one. */
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    super(message);
    this.name = "Unreadable";
    this.code = code;
  }
}

/** The connection of a line. Undefined: it is not about TCP. Throws `Unreadable`. */
export type LineReader = (line: string) => Connection | undefined;

/**
 * An address in the one form in which addresses are compared: IPv4 unchanged, IPv6 with all its digits. An IPv4 address
 * in IPv6 notation is the IPv4 address. Undefined: it is not an address.
 */
export function comparable(address: string): string | undefined {
  if (isIPv4(address)) return address;
  if (!isIPv6(address)) return undefined;
  const [text = ""] = address.split("%");
  const groups = text.split("::").map((part) => (part === "" ? [] : part.split(":").flatMap(asGroups)));
  const [first = [], last = []] = groups;
  const zeros = Array<string>(Math.max(0, 8 - first.length - last.length)).fill("0000");
  return withoutMapping([...first, ...zeros, ...last].join(":"));
}

const MAPPED = "0000:0000:0000:0000:0000:ffff:";

/** For all the digits of an IPv6 address: the IPv4 address that it stands for, or the address itself. */
export function withoutMapping(full: string): string {
  if (!full.startsWith(MAPPED)) return full;
  const digits = full.slice(MAPPED.length).replace(":", "");
  return [0, 2, 4, 6].map((at) => Number.parseInt(digits.slice(at, at + 2), 16)).join(".");
}

/** `1.2.3.4` may end an IPv6 address, instead of two groups. */
function asGroups(part: string): readonly string[] {
  if (!part.includes(".")) return [part.toLowerCase().padStart(4, "0")];
  const [a = 0, b = 0, c = 0, d = 0] = part.split(".").map(Number);
  return [a * 256 + b, c * 256 + d].map((group) => group.toString(16).padStart(4, "0"));
}
