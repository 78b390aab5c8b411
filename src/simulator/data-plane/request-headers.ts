import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Random } from "../random.ts";

/** How clients reach a listener, as its targets learn it. */
export interface Front {
  readonly protocol: "http" | "https";
  readonly port: number;
}

/**
 * What an Application Load Balancer does with `X-Forwarded-For`. A classic one appends.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
 */
export type ForwardedForMode = "append" | "preserve" | "remove";

/** One request line or header, and all of them. https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html */
const LINE_BYTES_MAX = 16 * 1_024;
export const HEAD_BYTES_MAX = 64 * 1_024;
/** Addresses in `X-Forwarded-For`. */
const FORWARDED_MAX = 30;

/** The status with which an Application Load Balancer refuses a request. Undefined: it forwards the request. */
export function refusalOf({ method, url = "", rawHeaders, headers }: IncomingMessage): number | undefined {
  if (method === "TRACE") return 405;
  if (url.length > LINE_BYTES_MAX) return 414;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if ((rawHeaders[at]?.length ?? 0) + (rawHeaders[at + 1]?.length ?? 0) > LINE_BYTES_MAX) return 400;
  }
  const forwarded = headers["x-forwarded-for"];
  if (forwarded !== undefined && String(forwarded).split(",").length > FORWARDED_MAX) return 463;
  return undefined;
}

/** Without the headers that apply to one connection only. https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1 */
export function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { connection, "keep-alive": keepAlive, "proxy-connection": proxyConnection, upgrade, ...rest } = headers;
  return rest;
}

/** The headers for the target: the client's, and those about the client and its connection. */
export function forwardedHeaders(
  request: IncomingMessage,
  { front, mode, trace }: { readonly front: Front; readonly mode: ForwardedForMode; readonly trace?: string },
): IncomingHttpHeaders {
  const { "x-forwarded-for": known, ...headers } = endToEnd(request.headers);
  headers["x-forwarded-proto"] = front.protocol;
  headers["x-forwarded-port"] = String(front.port);
  const client = request.socket.remoteAddress ?? "";
  const forwardedFor = mode === "append" ? [known, client].flat().filter(Boolean).join(", ") : known;
  if (forwardedFor !== undefined && mode !== "remove") headers["x-forwarded-for"] = forwardedFor;
  if (trace !== undefined) headers["x-amzn-trace-id"] = trace;
  return headers;
}

/**
 * The id by which a request is found in logs. A client's own root stays, and the load balancer's part goes before it.
 * https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html
 */
export function traceOf(given: string | undefined, now: number, random: Random): string {
  const seconds = Math.floor(now / 1_000)
    .toString(16)
    .padStart(8, "0");
  const fresh = `1-${seconds}-${random.digits("trace").slice(0, 24)}`;
  if (given === undefined) return `Root=${fresh}`;
  const fields = given.split(";").filter((field) => field !== "" && !field.startsWith("Self="));
  const hasRoot = fields.some((field) => field.startsWith("Root="));
  return hasRoot ? [`Self=${fresh}`, ...fields].join(";") : [`Root=${fresh}`, ...fields].join(";");
}
