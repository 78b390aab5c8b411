import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type ApiAnswer, type ApiRequest, answer } from "./api/answer.ts";
import type { World } from "./world/world.ts";

/** Far above any call's; a bigger body is not an AWS client's. */
const BODY_BYTES_MAX = 1_000_000;

/** AWS's control plane on one loopback port, for any AWS client: classic ELB, ELBv2 and EC2 of one region. */
export class Simulator {
  readonly world: World;
  readonly #calls = new Map<string, number>();
  #server: Server | undefined;

  constructor(world: World) {
    this.world = world;
  }

  /** Answers one call without a socket. */
  answer(request: ApiRequest): ApiAnswer {
    const answered = answer(request, this.world, randomUUID());
    const { action } = answered;
    if (action !== undefined) this.#calls.set(action, (this.#calls.get(action) ?? 0) + 1);
    return answered;
  }

  /** How often each action was called: `ec2:DescribeInstances` and so on. */
  get calls(): ReadonlyMap<string, number> {
    return this.#calls;
  }

  /** Listens on 127.0.0.1 and returns the URL to give to clients as AWS_ENDPOINT_URL. Port 0: any free one. */
  async listen(port = 0): Promise<string> {
    const server = createServer((request, response) => this.#serve(request, response));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
    this.#server = server;
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > BODY_BYTES_MAX) request.destroy();
      else chunks.push(chunk);
    });
    request.on("end", () => {
      const { status, headers, body } = this.answer({ body: Buffer.concat(chunks).toString("utf8") });
      response.writeHead(status, headers).end(body);
    });
    request.on("error", () => response.destroy());
  }
}
