import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { Authority } from "../../support/certificates.ts";

/** AWS's endpoints for programs that can't be given others. */
export interface AwsByProxy {
  /** For HTTPS_PROXY. */
  readonly url: string;
  /** Of the authority that the endpoints' certificates are signed by. In PEM. */
  readonly ca: string;
  stop(): Promise<void>;
}

/**
 * An HTTPS proxy that is the end of every connection itself, and passes what is asked of AWS's hosts on: of SQS to
 * `sqs`, of all others to `others`. Both are URLs of this machine.
 */
export async function startAwsByProxy(to: { readonly sqs: string; readonly others: string }): Promise<AwsByProxy> {
  const authority = new Authority("an authority for AWS's names");
  const endpoints = new Map<string, TlsServer>();
  const sockets = new Set<Socket>();
  const endpointOf = (host: string) => {
    const known = endpoints.get(host);
    if (known !== undefined) return known;
    const target = host.startsWith("sqs.") ? to.sqs : to.others;
    const added = createTlsServer(authority.sign(host, [host]), (incoming, outgoing) => {
      passOn(incoming, outgoing, target).catch(() => outgoing.destroy());
    });
    endpoints.set(host, added);
    return added;
  };
  const proxy = createServer();
  proxy.on("connection", (socket) => void sockets.add(socket));
  proxy.on("connect", ({ url = "" }: IncomingMessage, socket: Socket) => {
    socket.on("error", () => socket.destroy());
    socket.write("HTTP/1.1 200 Connected\r\n\r\n");
    endpointOf(url.replace(/:\d+$/, "")).emit("connection", socket);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    ca: authority.cert,
    async stop() {
      for (const endpoint of endpoints.values()) endpoint.closeAllConnections();
      for (const socket of sockets) socket.destroy();
      proxy.close();
      await once(proxy, "close");
    },
  };
}

async function passOn(incoming: IncomingMessage, outgoing: ServerResponse, target: string): Promise<void> {
  const { host: _, ...headers } = incoming.headers;
  const sent = request(target + incoming.url, { method: incoming.method, headers });
  outgoing.once("close", () => sent.destroy());
  incoming.pipe(sent);
  const [response]: IncomingMessage[] = await once(sent, "response");
  if (response === undefined) return;
  outgoing.writeHead(response.statusCode ?? 502, response.headers);
  response.pipe(outgoing);
}
