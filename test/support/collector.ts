import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import type { AtEnd } from "./real-queue.ts";

/** What was posted to it. */
export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Protobuf, whose texts stand in it as they are. */
  readonly body: string;
}

/** A collector that answers as it is told. `hangs`: not at all. */
export class Collector {
  readonly received: Received[] = [];
  status: number | "hangs" = 200;
  readonly #server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const { url: path = "", headers } = request;
      this.received.push({ path, headers, body: Buffer.concat(chunks).toString("latin1") });
      if (this.status === "hangs") return;
      // What a careless one says of the request.
      response.writeHead(this.status, { "content-type": "text/plain" });
      response.end(this.status === 200 ? "" : `refused: ${JSON.stringify(headers)}`);
    });
  });

  /** Its URL. `atEnd`: when it is closed, by default after the test. */
  async listen(atEnd: AtEnd = onTestFinished): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await new Promise((resolve) => this.#server.once("listening", resolve));
    atEnd(async () => {
      this.#server.closeAllConnections();
      await new Promise((resolve) => this.#server.close(resolve));
    });
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
}
