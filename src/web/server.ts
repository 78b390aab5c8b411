import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { getRequestListener, type HttpBindings, RequestError } from "@hono/node-server";
import type { Hono } from "hono";
import { HEADERS_BYTES_MAX, URL_CHARACTERS_MAX, WEB_LIMITS, type WebLimits } from "./limits.ts";
import { type Answer, problem, send, unavailable } from "./problem.ts";
import { Traffic } from "./traffic.ts";
import { answerUnreadable, SECURITY_HEADERS } from "./unreadable.ts";

/** PEM: a certificate and its key, and the authority of clients' certificates if they are requested. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
}

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  /** Absent: TLS is not used. */
  readonly tls?: TlsMaterial;
  /** Limits that differ from `WEB_LIMITS`. */
  readonly limits?: Partial<WebLimits>;
  /**
   * Called with every client whose connection is refused, because there are too many and all have requests in progress.
   */
  readonly onTurnedAway?: (client: string) => void;
  /**
   * Called with every client whose connection is closed to make room: one without a request, or with an unread answer.
   */
  readonly onEvicted?: (client: string) => void;
}

export interface WebServer {
  /** The port that it listens on. */
  readonly port: number;
  /** For new connections. Throws if TLS was not used before, and the error of OpenSSL about the material. */
  useTls(tls: TlsMaterial): void;
  /**
   * Accepts no more connections, and resolves when every answer has been sent. At `untilFlushed` it closes the
   * remaining connections.
   */
  close(untilFlushed: Promise<void>): Promise<void>;
}

const NO_PATH = "the request names a host: send only the path, as in POST /drain";
const TOO_MANY = "too many requests are under way: try again later";
const MALFORMED = "the path or the Host header is malformed";

/** Throws the error of the operating system if it can't listen, such as `EADDRINUSE`. */
export async function listen(
  app: Hono,
  { host, port, tls, limits, onTurnedAway = () => {}, onEvicted = () => {} }: ListenOptions,
): Promise<WebServer> {
  const bounds = { ...WEB_LIMITS, ...limits };
  const server = createBounded(bounds, tls);
  const traffic = new Traffic(server, { bounds, onTurnedAway, onEvicted });
  answer(server, traffic, listener(app, bounds));
  answerUnreadable(server, traffic);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve());
  });
  return {
    port: (server.address() as AddressInfo).port,
    useTls: (renewed) => (server as TlsServer).setSecureContext(renewed),
    async close(untilFlushed) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      await Promise.race([closed, untilFlushed]);
      // A client that has sent nothing, or half a request, would keep the server open for ever.
      server.closeAllConnections();
      await closed;
    },
  };
}

function createBounded(limits: WebLimits, tls: TlsMaterial | undefined): Server {
  const options = {
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: limits.checkIntervalMs,
    maxHeaderSize: HEADERS_BYTES_MAX,
    // The listener answers it, in the form of this API.
    requireHostHeader: false,
  };
  if (tls === undefined) return createServer(options);
  return createTlsServer({ ...options, ...tlsOptions(tls), handshakeTimeout: limits.handshakeTimeoutMs });
}

function answer(server: Server, traffic: Traffic, listener: RequestListener): void {
  server.on("request", (incoming, outgoing) => {
    traffic.begin(incoming, outgoing, (isTooMany) => {
      if (isTooMany) refuse(outgoing, unavailable(TOO_MANY, {}, { connection: "close" }));
      else listener(incoming, outgoing);
    });
  });
  // An expectation other than 100-continue, which Node answers without a body.
  server.on("checkExpectation", (incoming: IncomingMessage, outgoing: ServerResponse) => {
    traffic.begin(incoming, outgoing, () => refuse(outgoing, problem(417, "leave out the Expect header")));
  });
}

function refuse(outgoing: ServerResponse, { status, headers, body }: Answer): void {
  setSecurityHeaders(outgoing);
  const text = `${JSON.stringify(body)}\n`;
  outgoing.writeHead(status, { ...headers, "content-length": Buffer.byteLength(text) }).end(text);
}

/**
 * Certificates are requested and verified, but not required: paths without a secret answer clients without one too.
 */
function tlsOptions(tls: TlsMaterial) {
  return { ...tls, minVersion: "TLSv1.2", requestCert: tls.ca !== undefined, rejectUnauthorized: false } as const;
}

function listener(app: Hono, { answerTimeoutMs }: WebLimits): RequestListener {
  const answer = getRequestListener(
    (request, env) => {
      const refused = refusalOf((env as HttpBindings).incoming);
      return refused === undefined ? app.fetch(request, env) : send(refused);
    },
    {
      // HTTP/1.0 needs no Host header, and some load balancers request /health without one.
      hostname: "localhost",
      // A RequestError has not reached the app, because no URL could be made of it.
      errorHandler: (error) =>
        send(error instanceof RequestError ? problem(400, MALFORMED) : problem(500, "a fault of the service")),
    },
  );
  return (incoming, outgoing) => {
    setSecurityHeaders(outgoing);
    boundReading(incoming, outgoing, answerTimeoutMs);
    void answer(incoming, outgoing);
  };
}

function refusalOf({ url = "", headersDistinct, httpVersion }: IncomingMessage): Answer | undefined {
  const hosts = headersDistinct["host"]?.length ?? 0;
  if (url.length > URL_CHARACTERS_MAX) return problem(414, `the URL is longer than ${URL_CHARACTERS_MAX} characters`);
  if (hosts > 1 || (hosts === 0 && httpVersion === "1.1")) return problem(400, "send one Host header");
  // `/drain?…`, as clients of a server send it. `http://user@host/drain` is for proxies.
  return url.startsWith("/") ? undefined : problem(400, NO_PATH);
}

function setSecurityHeaders(answer: ServerResponse): void {
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) answer.setHeader(name, value);
}

/** When an answer is complete, a client that does not read it would keep the connection for ever. */
function boundReading({ socket }: IncomingMessage, outgoing: ServerResponse, timeoutMs: number): void {
  const give = () => void socket.destroy();
  outgoing.once("prefinish", () => void socket.setTimeout(timeoutMs, give));
  outgoing.once("finish", () => void socket.off("timeout", give));
}
