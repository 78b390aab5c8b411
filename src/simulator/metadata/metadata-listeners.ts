import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { LOOPBACK, listen } from "../listen.ts";
import type { Instance } from "../world/instance.ts";
import type { World } from "../world/world.ts";
import { type MetadataOptions, MetadataService } from "./metadata-service.ts";

/**
 * The listeners of metadata services. On AWS, every instance reaches its own service at 169.254.169.254. Here, each
 * service has its own address.
 */
export class MetadataListeners {
  readonly #world: World;
  readonly #host: string;
  readonly #servers: Server[] = [];

  constructor(world: World, host = LOOPBACK) {
    this.#world = world;
    this.#host = host;
  }

  /** Resolves to the URL that this instance uses in place of http://169.254.169.254. Port 0: any free port. */
  async open(instance: Instance, options: MetadataOptions = {}, port = 0): Promise<string> {
    const service = new MetadataService(this.#world, instance, options);
    const server = createServer((request, response) => serve(service, { request, response, world: this.#world }));
    const url = await listen(server, { host: this.#host, port });
    this.#servers.push(server);
    return url;
  }

  async close(): Promise<void> {
    await Promise.all(
      this.#servers.splice(0).map((server) => {
        server.closeAllConnections();
        return new Promise((resolve) => server.close(resolve));
      }),
    );
  }
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly world: World;
}

function serve(service: MetadataService, { request, response, world }: Exchange): void {
  // The body is not used, but must be read. Otherwise the connection could not be reused.
  request.resume();
  const { method = "", url = "", headers } = request;
  const answer = service.answer({ method, url, headers });
  if (answer === undefined) {
    request.socket.resetAndDestroy();
    return;
  }
  const { status, headers: own, body } = answer;
  const date = new Date(world.clock.now()).toUTCString();
  response.writeHead(status, { date, ...own, "content-length": Buffer.byteLength(body) });
  response.end(method === "HEAD" ? undefined : body);
}
