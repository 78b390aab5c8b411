import { type Config, ConfigError } from "../config/config.ts";
import { OptionFileError } from "../config/files.ts";
import { readTlsIdentity, type TlsIdentity, validUntil } from "../config/tls.ts";
import type { Clock } from "../drain/clock.ts";
import type { ClusterNode } from "../drain/cluster.ts";
import type { Drainer } from "../drain/drainer.ts";
import type { DrainObserver } from "../drain/events.ts";
import { EvictionGate, type GateEvent, type GateVerdict } from "../drain/eviction-gate.ts";
import type { ServerTime } from "../drain/server-time.ts";
import type { ApiServer } from "../kubernetes/api-server.ts";
import { KubernetesGate } from "../kubernetes/gated-cluster.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { departureOf } from "../sources/cluster-nodes.ts";
import { createEvictionReviewApp } from "../web/eviction-review.ts";
import { reread } from "../web/reread.ts";
import { listen } from "../web/server.ts";
import { openApiServer } from "./cluster-access.ts";
import { faultOf, listenProblem } from "./web.ts";

/** API servers, each of which sends the reviews of many callers over few connections. */
const LIMITS = { connectionsMax: 1_000, probesMin: 0, requestsPerAddressMax: 500 };

export interface GateParts {
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The cluster's clock. */
  readonly time: ServerTime;
  readonly log: Log;
  readonly metrics: Pick<Metrics, "countReview" | "watchGate">;
  /** The Node objects as they were last seen, by their names. */
  readonly nodes: { get(name: string): ClusterNode | undefined };
}

/** The server of the gate while it runs. */
export interface ServedGate {
  /** See `StartedWeb`. */
  rereadFiles(stop: AbortSignal): Promise<void>;
  close(untilFlushed: Promise<void>): Promise<void>;
}

/** The eviction gate of a service, which hears of its drains from the beginning. */
export interface OpenedGate {
  readonly observe: DrainObserver;
  /** Listens. Throws `ConfigError` when it can't. */
  serve(drainer: Pick<Drainer, "running">): Promise<ServedGate>;
}

/** The gate that a configuration has. Throws `ConfigError`. Load it only where one is configured. */
export async function openGate(config: Config, parts: GateParts): Promise<OpenedGate | undefined> {
  const { clock, log, metrics, nodes } = parts;
  const tls = await readIdentity(config).catch((error) => {
    throw error instanceof OptionFileError ? new ConfigError([error.message]) : error;
  });
  // With a pace of its own, so that reviews and drains do not wait for each other.
  const server = await openApiServer(config, parts);
  if (server === undefined || tls === undefined) return undefined;
  const { nodeTriggers, autoscalerDelayMs, dryRun } = config;
  const cluster = new KubernetesGate({
    server,
    nodes,
    time: parts.time,
    departureOf: (node) => departureOf(node, { ...nodeTriggers, autoscalerDelayMs }),
  });
  let drains: Pick<Drainer, "running"> | undefined;
  const gate = new EvictionGate({
    clock,
    cluster,
    dryRun,
    running: (drainId) => drains?.running(drainId),
    onEvent: (event) => report(event, { log, metrics }),
  });
  return {
    observe: gate.observe,
    serve: (drainer) => {
      drains = drainer;
      return serve(config, parts, { gate, server, tls });
    },
  };
}

async function serve(
  config: Config,
  { clock, log, metrics }: GateParts,
  { gate, server, tls }: { readonly gate: EvictionGate; readonly server: ApiServer; readonly tls: TlsIdentity },
): Promise<ServedGate> {
  const { host, evictionGatePort: port, givenBy } = config;
  const app = createEvictionReviewApp({
    judge: (asked, signal) => gate.judge(asked, signal),
    onError: (error) => log("internal error", faultOf(error)),
  });
  const listening = await listen(app, { host, port, limits: LIMITS, tls }).catch((error) => {
    const at = { host, port, givenBy: { ...givenBy, port: givenBy.evictionGatePort } };
    throw new ConfigError([listenProblem(error as NodeJS.ErrnoException, at)]);
  });
  let certificate = tls;
  metrics.watchGate({ validUntil: () => validUntil(certificate) });
  log("eviction gate listening", { host, port: listening.port });
  return {
    rereadFiles: (stop) =>
      reread(
        {
          clock,
          first: tls,
          read: () => readIdentity(config),
          onChange: (changed) => {
            if (changed === undefined) return;
            listening.useTls(changed);
            certificate = changed;
            log("certificates reloaded", {});
          },
          onFailure: ({ message }) => log("file reload failed", { error: message }),
        },
        stop,
      ),
    close: async (untilFlushed) => {
      await listening.close(untilFlushed);
      server.close();
    },
  };
}

function readIdentity(config: Config): Promise<TlsIdentity | undefined> {
  const { evictionGateCertFile: tlsCertFile, evictionGateKeyFile: tlsKeyFile, givenBy } = config;
  const names = { tlsCertFile: givenBy.evictionGateCertFile, tlsKeyFile: givenBy.evictionGateKeyFile };
  return readTlsIdentity({ tlsCertFile, tlsKeyFile, givenBy: { ...givenBy, ...names } });
}

function report(event: GateEvent, { log, metrics }: Pick<GateParts, "log" | "metrics">): void {
  if (event.type === "eviction-reviewed") {
    metrics.countReview(resultOf(event.verdict));
  } else if (event.type === "gate-failed") {
    const { code, message } = event.error;
    log("eviction review failed", { code, error: message });
  } else if (event.type === "eviction-held") {
    const { pod, instanceId: node, drainId } = event;
    log("eviction held", { pod, node, ...(drainId !== undefined && { drain: drainId }) });
  } else {
    const { pod, instanceId: node, because, heldMs } = event satisfies { readonly type: "held-eviction-passed" };
    log("held eviction allowed", { pod, node, because, heldSeconds: Math.round(heldMs / 1_000) });
  }
}

function resultOf(verdict: GateVerdict): "held" | "allowed" | "failed-open" {
  if (verdict.isHeld) return "held";
  return verdict.because === "unknown" ? "failed-open" : "allowed";
}
