import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { Agent, createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { Authority } from "../../support/certificates.ts";
import type { KubernetesCluster } from "./kubernetes-cluster.ts";

/** An API server's front that shows kwok's nodes as nodes of AWS. */
export interface ProviderIdProxy {
  readonly url: string;
  readonly ca: string;
  /** Path of a kubeconfig for the administrator. */
  readonly kubeconfig: string;
  kubeconfigFor(user: string, token: string): string;
  stop(): Promise<void>;
}

/**
 * Passes all calls on to the API server, and in what it answers replaces the provider id `kwok://NAME` by what
 * `providerIdOf` returns for the name. Karpenter's kwok provider finds its nodes by their ids, and the API server lets
 * nobody change one: only what a client sees can be another one.
 */
export async function startProviderIdProxy(
  cluster: KubernetesCluster,
  providerIdOf: (nodeName: string) => string | undefined,
): Promise<ProviderIdProxy> {
  const agent = new Agent({ ca: cluster.ca, keepAlive: true });
  const authority = new Authority("a proxy's authority");
  const server = createServer(authority.sign("proxy"), (incoming, outgoing) => {
    forward(incoming, outgoing, { to: cluster.url, agent, providerIdOf }).catch(() => outgoing.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const kubeconfigFor = (user: string, token: string) =>
    cluster.kubeconfigFor(`${user}-by-proxy`, token, { url, ca: authority.cert });
  return {
    url,
    ca: authority.cert,
    kubeconfigFor,
    kubeconfig: kubeconfigFor("admin", cluster.adminToken),
    async stop() {
      server.closeAllConnections();
      server.close();
      agent.destroy();
      await once(server, "close");
    },
  };
}

interface Forwarding {
  readonly to: string;
  readonly agent: Agent;
  readonly providerIdOf: (nodeName: string) => string | undefined;
}

async function forward(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { to, agent, providerIdOf }: Forwarding,
): Promise<void> {
  // Compressed answers could not be read here.
  const { host: _, "accept-encoding": __, ...headers } = incoming.headers;
  const sent = request(to + incoming.url, { method: incoming.method, agent, headers });
  outgoing.once("close", () => sent.destroy());
  incoming.pipe(sent);
  const [response]: IncomingMessage[] = await once(sent, "response");
  if (response === undefined) return;
  const { "content-length": ___, ...answered } = response.headers;
  outgoing.writeHead(response.statusCode ?? 502, answered);
  outgoing.flushHeaders();
  // A watch is a line for each event, and every other answer in JSON one line.
  for await (const line of createInterface(response)) {
    const shown = line.replaceAll(/kwok:\/\/([a-z0-9.-]+)/g, (id, name) => providerIdOf(name) ?? id);
    outgoing.write(`${shown}\n`);
  }
  outgoing.end();
}
