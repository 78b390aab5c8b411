import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { printable } from "../drain/errors.ts";
import { type KubernetesError, localError } from "./errors.ts";
import type { Identity } from "./kubeconfig.ts";

export interface Exchange {
  readonly method: string;
  /** From the root of the API, with its query. */
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
}

/** With this, the operating system notices within about half a minute that a peer has vanished. */
const TCP_KEEP_ALIVE_MS = 15_000;

/**
 * Sends one request, and resolves with the head of its answer. Throws `KubernetesError` with the reason `Unreachable`,
 * or the signal's reason. If the server has closed a kept connection meanwhile, the request is sent again: an API server
 * that restarts closes all of them, so the next kept connection may be closed too. Each failure removes one, and a new
 * connection is the last attempt. `check` is called before each attempt, and may throw.
 */
export async function exchange(
  identity: Identity,
  sent: Exchange,
  signal: AbortSignal,
  check: () => void = () => {},
): Promise<IncomingMessage> {
  for (;;) {
    check();
    const { outcome, isReused } = await once(identity, sent, signal);
    if (!(outcome instanceof Error)) return outcome;
    signal.throwIfAborted();
    if (isReused && (outcome.code === "ECONNRESET" || outcome.code === "EPIPE")) continue;
    throw unreachable(`${sent.method} ${pathAlone(sent.path)}`, identity, outcome);
  }
}

interface Outcome {
  readonly outcome: IncomingMessage | NodeJS.ErrnoException;
  readonly isReused: boolean;
}

function once({ server, agent, headers }: Identity, sent: Exchange, signal: AbortSignal): Promise<Outcome> {
  return new Promise((resolve) => {
    const { method, path, body, contentType } = sent;
    const url = new URL(server.pathname.replace(/\/+$/, "") + path, server);
    const options = {
      method,
      agent,
      signal,
      headers: {
        ...headers,
        Accept: "application/json",
        "User-Agent": "hasta-la-vista",
        ...(body === undefined ? {} : { "Content-Type": contentType, "Content-Length": Buffer.byteLength(body) }),
      },
    };
    let request: ClientRequest;
    try {
      request = (url.protocol === "http:" ? requestHttp : requestHttps)(url, options);
    } catch (error) {
      // The token has characters that a header may not contain.
      return resolve({ outcome: error as Error, isReused: false });
    }
    request.once("socket", (socket) => socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS));
    request.once("response", (outcome) => resolve({ outcome, isReused: request.reusedSocket }));
    request.once("error", (outcome) => resolve({ outcome, isReused: request.reusedSocket }));
    // After the answer has begun, its stream reports errors of the connection.
    request.on("error", () => {});
    request.end(body);
  });
}

/** Without the query, which may have a continue token of several kilobytes. */
export function pathAlone(path: string): string {
  return printable(path.split("?", 1)[0] ?? "", 200);
}

/** Node's names for failures of TLS: https://nodejs.org/docs/latest-v20.x/api/tls.html#x509-certificate-error-codes */
const UNTRUSTED =
  /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|ERR_TLS_CERT|INVALID_CA|HOSTNAME_MISMATCH|INVALID_PURPOSE)/;
const TLS_FAILED = /^(ERR_SSL_|ERR_TLS_|EPROTO|ERR_OSSL_)/;

function unreachable(what: string, { server }: Identity, error: NodeJS.ErrnoException): KubernetesError {
  const { code = "" } = error;
  const where = printable(server.host);
  if (code === "ERR_INVALID_CHAR") {
    return localError(
      "Credentials",
      `${what}: the token has characters that a header can't carry: check the token file`,
    );
  }
  if (UNTRUSTED.test(code)) {
    const why = `${what}: the certificate of ${where} is not trusted (${code}): check the certificate authority and the server's name`;
    return localError("Unreachable", why, error);
  }
  if (TLS_FAILED.test(code)) {
    return localError(
      "Unreachable",
      `${what}: TLS with ${where} failed (${code}): check that it is the API server's port`,
      error,
    );
  }
  const named = code === "" ? printable(error.message) : code;
  return localError("Unreachable", `${what}: ${where} could not be reached (${named})`, error);
}

/** Whether a replaced certificate or authority could be the cause. */
export function isTlsFailure({ reason, cause }: KubernetesError): boolean {
  const { code = "" } = (cause ?? {}) as NodeJS.ErrnoException;
  return reason === "Unreachable" && (UNTRUSTED.test(code) || TLS_FAILED.test(code));
}

/**
 * The whole body as text, at most `bytesMax`. Throws `KubernetesError`: `TooLarge`, or `Unreachable` if the connection
 * ends before the body does.
 */
export async function bodyOf(answer: IncomingMessage, what: string, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > bytesMax) break;
    }
  } catch (error) {
    throw localError("Unreachable", `${what}: the connection ended in the middle of the answer`, error);
  }
  if (bytes > bytesMax) throw localError("TooLarge", `${what}: the answer is larger than ${bytesMax} bytes`);
  return Buffer.concat(chunks).toString("utf8");
}

const LINE_END = 0x0a;

/**
 * The lines of a stream, each without its end. Throws `KubernetesError` for a line of more than `bytesMax`, and keeps
 * no more of it than that. A last line without an end was cut off, and is skipped.
 */
export async function* linesOf(source: AsyncIterable<Buffer>, bytesMax: number): AsyncGenerator<string, void> {
  let parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    let from = 0;
    for (let end = chunk.indexOf(LINE_END); end >= 0; end = chunk.indexOf(LINE_END, from)) {
      parts.push(chunk.subarray(from, end));
      yield Buffer.concat(parts).toString("utf8");
      parts = [];
      bytes = 0;
      from = end + 1;
    }
    const rest = chunk.subarray(from);
    bytes += rest.length;
    if (bytes > bytesMax) {
      throw localError("TooLarge", `the API server sent a line of more than ${bytesMax} bytes`);
    }
    if (rest.length > 0) parts.push(rest);
  }
}
