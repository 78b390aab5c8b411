import { isIPv6 } from "node:net";
import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import { printable } from "../drain/errors.ts";
import { type Asker, type DrainRequest, HTTP } from "../drain/request.ts";
import type { SecretMask } from "./secret-mask.ts";

const AGENT_CHARACTERS_MAX = 200;
const USER_CHARACTERS_MAX = 300;

/** The caller whose token was accepted. */
interface TokenCaller {
  /** The name that the API server has confirmed. */
  readonly username: string;
  readonly token: string;
  /** The node of its pod, as the API server has confirmed it. Absent: not known. */
  readonly nodeName?: string;
}

declare module "hono" {
  interface ContextVariableMap {
    /** Absent: the secret was accepted. */
    caller?: TokenCaller;
  }
}

/** The secrets that must not be shown, including the caller's own token. */
export function secretsOf(context: Context, secrets: SecretMask): SecretMask {
  const caller = context.get("caller");
  return caller === undefined ? secrets : secrets.and(caller.token);
}

/** The user of the caller's token. Undefined: the caller has sent the secret, or nothing valid. */
export function userOf(context: Context): string | undefined {
  const caller = context.get("caller");
  return caller && printable(caller.username, USER_CHARACTERS_MAX);
}

/** The sender of a request: its connection and its `User-Agent`, which prove nothing, and the user of its token. */
export function askerOf(context: Context, secrets: SecretMask): Asker {
  // Absent if the app is called as a function.
  const connected = (context.env as Partial<HttpBindings> | undefined)?.incoming?.socket.remoteAddress;
  const address = context.get("ofReplica")?.client ?? connected;
  const agent = context.req.header("user-agent");
  const user = userOf(context);
  return {
    via: HTTP,
    ...(address === undefined ? {} : { address }),
    ...(agent === undefined ? {} : { agent: printable(secrets.masked(agent), AGENT_CHARACTERS_MAX) }),
    ...(user === undefined ? {} : { user }),
    ...traceOf(context, secrets),
  };
}

/** https://www.w3.org/TR/trace-context/#traceparent-header */
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const TRACESTATE = /^[ -~]{1,512}$/;

/** The trace of the caller. An invalid header is ignored, as the standard requires. */
function traceOf(context: Context, secrets: SecretMask): Pick<Asker, "traceparent" | "tracestate"> {
  const given = (name: string, form: RegExp) => {
    const value = context.req.header(name) ?? "";
    return form.test(value) && secrets.masked(value) === value ? value : undefined;
  };
  const traceparent = given("traceparent", TRACEPARENT);
  const tracestate = traceparent && given("tracestate", TRACESTATE);
  return { ...(traceparent === undefined ? {} : { traceparent }), ...(tracestate === undefined ? {} : { tracestate }) };
}

/** The reason is stored, and a caller may have written the secret into it. */
export function withoutSecret(request: DrainRequest, secrets: SecretMask): DrainRequest {
  return request.reason === undefined ? request : { ...request, reason: secrets.masked(request.reason) };
}

/** The groups of an IPv6 address that identify a network. The owner of the network can choose the others. */
const NETWORK_GROUPS = 4;

/**
 * The client of a request's connection: an IPv4 address, or an IPv6 network of 64 bits, because a client with one
 * address has all of them. It does not come from a header, which a client can forge, except a header of another
 * replica. Behind a proxy it is the proxy's.
 */
export function clientAddress(context: Context): string {
  const { client } = context.get("ofReplica") ?? {};
  if (client !== undefined) return client;
  const { incoming } = (context.env ?? {}) as Partial<HttpBindings>;
  return clientAt(incoming?.socket.remoteAddress);
}

/** The same for the other end of a connection. */
export function clientAt(address = "unknown"): string {
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
