import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { createInterface } from "node:readline";
import type { Clock } from "../clock.ts";
import { type ClusterNode, type NodeObject, readNode } from "./cluster-node.ts";

export interface ApiServerAddress {
  readonly url: string;
  /** The certificate of the server's authority, in PEM. */
  readonly ca: string;
  /** The token of an account that may list and watch nodes. */
  readonly token: string;
}

const RETRY_MS = 1_000;
const PATH = "/api/v1/nodes";

interface Watched {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: NodeObject;
}

/**
 * All nodes of a cluster, first as they are and then after each change, until `signal` aborts. If the API server does
 * not answer or ends the watch, it lists them again.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
export async function* watchNodes(
  address: ApiServerAddress,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<readonly ClusterNode[]> {
  const agent = new Agent({ ca: address.ca, keepAlive: true });
  try {
    while (!signal.aborted) {
      try {
        yield* nodesUntilTheWatchEnds((query) => get(address, agent, query, signal));
      } catch {
        // The API server can't be reached or refuses, so the nodes are listed again.
      }
      await clock.sleep(RETRY_MS, signal).catch(() => {}); // Aborted: the loop ends.
    }
  } finally {
    agent.destroy();
  }
}

async function* nodesUntilTheWatchEnds(
  ask: (query: string) => Promise<IncomingMessage>,
): AsyncGenerator<readonly ClusterNode[]> {
  const list = await wholeOf(await ask(""));
  const nodes = new Map(list.items.map((item) => [item.metadata.name, readNode(item)]));
  yield [...nodes.values()];
  for await (const line of createInterface(await ask(`?watch=true&resourceVersion=${list.metadata.resourceVersion}`))) {
    const { type, object }: Watched = JSON.parse(line);
    if (type === "ERROR") return;
    if (type === "BOOKMARK") continue;
    if (type === "DELETED") nodes.delete(object.metadata.name);
    else nodes.set(object.metadata.name, readNode(object));
    yield [...nodes.values()];
  }
}

interface NodeList {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly NodeObject[];
}

async function wholeOf(response: IncomingMessage): Promise<NodeList> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}

async function get(
  { url, token }: ApiServerAddress,
  agent: Agent,
  query: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const sent = request(`${url}${PATH}${query}`, { agent, signal, headers: { authorization: `Bearer ${token}` } }).end();
  const [response]: readonly IncomingMessage[] = await once(sent, "response");
  if (response?.statusCode === 200) return response;
  response?.resume();
  throw new Error(`the API server answers ${response?.statusCode} to a list of its nodes`);
}
