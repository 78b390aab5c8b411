import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener, type HttpBindings, RequestError } from "@hono/node-server";
import type { Hono } from "hono";
import { problem, send } from "./problem.ts";
import { answerUnreadable } from "./unreadable.ts";

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
}

export interface WebServer {
  /** The port it really listens on. */
  readonly port: number;
  /** Takes no more connections, and resolves when every answer has been sent; at `untilFlushed` it cuts what is left. */
  close(untilFlushed: Promise<void>): Promise<void>;
}

const NO_PATH = "send the path alone, as in POST /drain";
const MALFORMED = "the path or the Host header is malformed";

/** Throws what the operating system says when it can't listen: `EADDRINUSE` and so on. */
export async function listen(app: Hono, { host, port }: ListenOptions): Promise<WebServer> {
  const server = createServer(
    getRequestListener((request, env) => (isOriginForm(env) ? app.fetch(request, env) : refusal(400, NO_PATH)), {
      // HTTP/1.0 needs no Host, and some load balancers ask for /health without one.
      hostname: "localhost",
      // A RequestError has not reached the app: no URL could be made of it.
      errorHandler: (error) =>
        error instanceof RequestError ? refusal(400, MALFORMED) : refusal(500, "a fault of the service"),
    }),
  );
  answerUnreadable(server);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve());
  });
  return {
    port: (server.address() as AddressInfo).port,
    async close(untilFlushed) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      await Promise.race([closed, untilFlushed]);
      // Whoever has sent nothing, or half a request, would keep us for ever.
      server.closeAllConnections();
      await closed;
    },
  };
}

/** `/drain?…`, as clients of a server send it; `http://user@host/drain` is for proxies. */
function isOriginForm(env: unknown): boolean {
  return (env as HttpBindings).incoming.url?.startsWith("/") === true;
}

function refusal(status: number, detail: string): Response {
  return send(problem(status, detail));
}
