import { isIPv6 } from "node:net";
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";

/** Groups of an IPv6 address that name a network; the others its owner may choose. */
const NETWORK_GROUPS = 4;

/**
 * Whom a request's connection comes from: an IPv4 address, or an IPv6 network of 64 bits, of which whoever has one
 * address has them all. Not from a header, where anybody may write anything; behind a proxy it is the proxy's.
 */
export function clientAddress(context: Context): string {
  const { incoming } = (context.env ?? {}) as Partial<HttpBindings>;
  const address = incoming?.socket.remoteAddress ?? "unknown";
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  return isIPv6(address) ? networkOf(address) : address;
}

/** `2001:db8::1` is in `2001:db8:0:0::/64`. */
function networkOf(address: string): string {
  const [before = "", after] = address.split("%", 1).join("").split("::");
  const first = before === "" ? [] : before.split(":");
  const last = after === undefined || after === "" ? [] : after.split(":");
  const zeros = Array<string>(Math.max(0, 8 - first.length - last.length)).fill("0");
  return `${[...first, ...zeros, ...last].slice(0, NETWORK_GROUPS).join(":")}::/64`;
}
