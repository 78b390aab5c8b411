import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer, type HttpBindings } from "@hono/node-server";
import type { Hono } from "hono";
import { problem } from "./problem.ts";

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

/** Throws what the operating system says when it can't listen: `EADDRINUSE` and so on. */
export async function listen(app: Hono, { host, port }: ListenOptions): Promise<WebServer> {
  const server = createAdaptorServer({
    fetch: (request, env) => (isOriginForm(env) ? app.fetch(request, env) : refusal()),
  }) as Server;
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

function refusal(): Response {
  const { status, headers, body } = problem(400, "send the path alone, as in POST /drain");
  return new Response(`${JSON.stringify(body)}\n`, { status, headers });
}
