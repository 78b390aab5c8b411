import type { Config } from "../config/config.ts";
import { newAbort } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import type { Cluster, ClusterNode, NodeChange } from "../drain/cluster.ts";
import type { Drainer } from "../drain/drainer.ts";
import { type DrainObserver, notify } from "../drain/events.ts";
import type { Leadership } from "../drain/leadership.ts";
import type { Ledger } from "../drain/ledger.ts";
import { ServerTime } from "../drain/server-time.ts";
import type { ApiServer } from "../kubernetes/api-server.ts";
import { DeletionDelays } from "../kubernetes/deletion-delays.ts";
import { KubernetesCluster } from "../kubernetes/kubernetes-cluster.ts";
import { NodePods } from "../kubernetes/node-pods.ts";
import { NodeReports } from "../kubernetes/node-reports.ts";
import { clusterNode, NODES_PATH, terminationTime } from "../kubernetes/nodes.ts";
import type { Node } from "../kubernetes/objects.ts";
import { Watch, type WatchState } from "../kubernetes/watch.ts";
import { type Log, writeLine } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { ClusterNodes, type NodeEvent } from "../sources/cluster-nodes.ts";
import { undoWithdrawn } from "../sources/recommendations.ts";
import { nodeLine } from "../sources/source-event-text.ts";
import { openApiServer } from "./cluster-access.ts";
import type { GateParts, OpenedGate } from "./eviction-gate.ts";

interface ClusterParts {
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly metrics: Metrics;
  readonly log: Log;
  /** Absent: no other process acts on the same nodes. */
  readonly leadership?: Pick<Leadership, "check"> | undefined;
}

interface SourceParts {
  readonly ledger: Ledger;
  readonly drainer: Pick<Drainer, "cancel">;
  readonly abandon: AbortSignal;
}

/** The cluster of a service: what its drains need, and the requests that come from its Node objects. */
export interface WatchedCluster {
  readonly cluster: Cluster;
  /** Reports each drain as Events and annotations of its Node object. */
  readonly observe: DrainObserver;
  /** Judges evictions by other programs. Absent: the configuration has no gate. */
  readonly judge?: OpenedGate["judge"];
  /** The Node objects that have these labels. Throws `DrainError`. */
  nodesWith(this: void, labelSelector: string, signal: AbortSignal): Promise<readonly ClusterNode[]>;
  source(parts: SourceParts): ClusterNodes;
  /**
   * Watches the Node objects until `end` aborts. It watches pods too, as soon as there may be targets that are pods.
   */
  run(mayHavePodTargets: () => boolean, end: AbortSignal): Promise<void>;
  /**
   * The EC2 instance of the Node object of this name. Undefined: there is none, or the API server does not answer in
   * time.
   */
  instanceOf(this: void, name: string): Promise<string | undefined>;
  /** Resolves when all reports were sent, or after a moment. */
  flushed(): Promise<void>;
}

/** The cluster that a configuration names. Throws `ConfigError`. Import this file only if one is configured. */
export async function watchCluster(config: Config, parts: ClusterParts): Promise<WatchedCluster | undefined> {
  const { clock, log, metrics } = parts;
  const time = new ServerTime(clock);
  const server = await openApiServer(config, { ...parts, time });
  if (server === undefined) return undefined;
  const nodes = new Watch<Node, ClusterNode>({
    server,
    clock,
    path: NODES_PATH,
    project: clusterNode,
    onState: (state) => logState(log, ["node watch failed", "node watch recovered"], state),
  });
  const pods = new NodePods({
    server,
    clock,
    onState: (state) => logState(log, ["pod watch failed", "pod watch recovered"], state),
  });
  if (config.evict === "always") pods.needed();
  const isUpToDate = () => nodes.isListed && nodes.failure === undefined;
  metrics.gauges.watchNodes({ count: () => nodes.size, isUpToDate });
  const delays = delaysOf(config, { server, nodes, ...parts });
  const known = {
    get isListed() {
      return nodes.isListed;
    },
    byInstance: (instanceId: string) => {
      for (const [, node] of nodes.entries()) if (node.instanceId === instanceId) return node;
      return undefined;
    },
  };
  const gate = await gateOf(config, { time, nodes, ...parts });
  const reports = new NodeReports({
    server,
    clock,
    nodes: known,
    instance: parts.environment["HOSTNAME"] ?? "hasta-la-vista",
    onTrouble: ({ message }) => log("node report failed", { error: message }),
  });
  const cluster = new KubernetesCluster({ server, clock, nodes: known, pods, ...(delays && { delays }) });
  return {
    cluster,
    observe: (event) => notify([...(config.dryRun ? [] : [reports.observe]), ...(gate ? [gate.observe] : [])], event),
    ...(gate && { judge: gate.judge }),
    instanceOf: async (name) => {
      // A service that has just started has not listed them yet. The request continues when its caller disconnects.
      const node = nodes.isListed ? nodes.get(name) : await cluster.named(name, newAbort().signal);
      return node?.instanceId;
    },
    nodesWith: (labelSelector, signal) => cluster.nodesWith(labelSelector, signal),
    source: (sourceParts) => sourceOf(config, { ...sourceParts, ...parts, time, server, nodes }),
    run: async (mayHavePodTargets, end) => {
      // A dry run does not call the cluster.
      const watchingPods = config.dryRun
        ? []
        : [pods.run(end), untilSo(mayHavePodTargets, clock, end).then(() => pods.needed())];
      try {
        await Promise.all([nodes.run(end), ...watchingPods, delays?.run(end), reports.run(end)]);
      } catch (error) {
        if (!end.aborted) throw error;
      } finally {
        server.close();
        gate?.close();
      }
    },
    flushed: async () => {
      for (let waited = 0; !reports.isIdle && waited < FLUSH_MS; waited += FLUSH_INTERVAL_MS)
        await clock.sleep(FLUSH_INTERVAL_MS, newAbort().signal);
    },
  };
}

/** The cluster of a command that drains and ends. */
export interface OpenedCluster {
  readonly cluster: Cluster;
  /** The EC2 instance of the Node object of this name. Undefined: there is no such object, or it names none. */
  instanceOf(name: string, signal: AbortSignal): Promise<string | undefined>;
  /** The Node objects that have these labels. Throws `DrainError`. */
  nodesWith(labelSelector: string, signal: AbortSignal): Promise<readonly ClusterNode[]>;
  close(): void;
}

/** The same for a command that drains and ends. It reads each node when it needs it. */
export async function openCluster(
  config: Config,
  parts: Pick<ClusterParts, "clock" | "environment">,
): Promise<OpenedCluster | undefined> {
  const server = await openApiServer(config, parts);
  if (server === undefined) return undefined;
  const cluster = new KubernetesCluster({ server, clock: parts.clock });
  return {
    cluster,
    instanceOf: async (name, signal) => (await cluster.named(name, signal))?.instanceId,
    nodesWith: (labelSelector, signal) => cluster.nodesWith(labelSelector, signal),
    close: () => server.close(),
  };
}

/** How often the target groups in memory are checked for targets that may be pods. */
const LOOK_MS = 5_000;
const FLUSH_MS = 2_000;
const FLUSH_INTERVAL_MS = 100;

type Watching = ClusterParts & { readonly server: ApiServer; readonly nodes: Watch<Node, ClusterNode> };

function delaysOf({ autoscalerHold, dryRun }: Config, { log, ...parts }: Watching): DeletionDelays | undefined {
  if (!autoscalerHold || dryRun) return undefined;
  return new DeletionDelays({
    ...parts,
    onTrouble: ({ node: name, error }) => log("deletion delay failed", { name, error: error.message }),
  });
}

/** Its server is loaded only if it is configured. */
async function gateOf(config: Config, parts: GateParts): Promise<OpenedGate | undefined> {
  if (!config.evictionGate) return undefined;
  const { openGate } = await import("./eviction-gate.ts");
  return openGate(config, parts);
}

function sourceOf(
  { nodeTriggers, autoscalerDelayMs, dryRun }: Config,
  { clock, time, log, server, nodes, ledger, drainer, abandon }: Watching & SourceParts & { readonly time: ServerTime },
): ClusterNodes {
  const { triggers, taints } = nodeTriggers;
  return new ClusterNodes({
    changes: (signal) => nodeChanges(nodes, signal),
    clock,
    time,
    triggers,
    taints,
    autoscalerDelayMs,
    deadlineOf: (node, signal) =>
      terminationTime(server, node, signal).catch((error: Error) => {
        if (!signal.aborted) log("node deadline unknown", { name: node.name, error: error.message });
        return undefined;
      }),
    dryRun,
    withdraw: (instanceId) => (dryRun ? Promise.resolve(0) : undoWithdrawn(instanceId, { ledger, drainer }, abandon)),
    onEvent: (event: NodeEvent) => writeLine(log, nodeLine(event)),
  });
}

async function* nodeChanges(
  nodes: Watch<Node, ClusterNode>,
  signal: AbortSignal,
): AsyncGenerator<readonly NodeChange[], void> {
  for await (const change of nodes.changes(signal))
    yield [change.kind === "deleted" ? { gone: change.value.uid } : { node: change.value }];
}

async function untilSo(isSo: () => boolean, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!isSo()) await clock.sleep(LOOK_MS, signal);
}

function logState(
  log: Log,
  [failed, recovered]:
    | readonly ["node watch failed", "node watch recovered"]
    | readonly ["pod watch failed", "pod watch recovered"],
  state: WatchState,
): void {
  if (state.kind === "failing") log(failed, { error: state.error.message });
  else log(recovered, { failedSeconds: Math.round(state.failedForMs / 1_000) });
}
