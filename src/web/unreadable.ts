import { type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { HEADERS_BYTES_MAX } from "./limits.ts";
import { problem } from "./problem.ts";
import type { Traffic } from "./traffic.ts";

/** By Node's codes, for bytes that are not simply something other than HTTP. */
const PROBLEMS: Readonly<Record<string, readonly [status: number, detail: string]>> = {
  HPE_HEADER_OVERFLOW: [431, `the URL and the headers are larger than ${HEADERS_BYTES_MAX / 1_024} KiB`],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "the request was not complete in time"],
};
const NOT_HTTP = [400, "the request is not HTTP/1.1, or is malformed: send a request such as POST /drain"] as const;
/** For the caller to read the answer. If the connection was closed at once, the answer could be lost. */
const LINGER_MS = 1_000;

/**
 * Answers bytes that Node's parser can't read with a problem, in the same form as all other errors, and closes the
 * connection. A valid request before them on the same connection still gets its own answer.
 */
export function answerUnreadable(server: Server, traffic: Traffic): void {
  const answers = new WeakMap<Socket, ServerResponse>();
  /** Connections whose TLS handshake has ended. The others can't get an answer. */
  const agreed = new WeakSet<TLSSocket>();
  server.on("secureConnection", (socket: TLSSocket) => agreed.add(socket));
  server.on("request", (request, answer) => answers.set(request.socket, answer));
  server.on("clientError", ({ code }: NodeJS.ErrnoException, stream) => {
    const socket = stream as Socket; // No other kind comes from a server.
    const answer = answers.get(socket);
    const isUnencrypted = socket instanceof TLSSocket && !agreed.has(socket);
    if (!socket.writable || code === "ECONNRESET" || isUnencrypted) socket.destroy();
    else if (answer === undefined || answer.writableFinished) refuse(socket, code, traffic.isHead(socket));
    else if (answer.req.complete) answer.once("finish", () => end(socket));
    else if (answer.headersSent) socket.destroy();
    else refuse(socket, code, traffic.isHead(socket));
  });
}

function refuse(socket: Socket, code = "", isHead = false): void {
  const [status, detail] = PROBLEMS[code] ?? NOT_HTTP;
  const { headers, body } = problem(status, detail);
  const text = `${JSON.stringify(body)}\n`;
  const lines = Object.entries({
    ...SECURITY_HEADERS,
    ...headers,
    "content-length": Buffer.byteLength(text),
    connection: "close",
  });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  // An answer to HEAD has no body.
  end(socket, `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${head}\r\n${isHead ? "" : text}`);
}

function end(socket: Socket, text = ""): void {
  socket.end(text);
  socket.setTimeout(LINGER_MS, () => socket.destroy());
}

/**
 * Headers of every answer for browsers, whichever site sends a request: nothing here is a page, nothing may be cached,
 * sniffed, framed, or read by another site. An answer with its own header of one of these names keeps that.
 */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};
