import { type Config, ConfigError } from "../config/config.ts";
import { OptionFileError } from "../config/files.ts";
import { readTlsIdentity, type TlsIdentity, validUntil } from "../config/tls.ts";
import type { Clock } from "../drain/clock.ts";
import type { ClusterNode } from "../drain/cluster.ts";
import type { Drainer } from "../drain/drainer.ts";
import type { DrainObserver } from "../drain/events.ts";
import { EvictionGate, type GateEvent, type GateVerdict } from "../drain/eviction-gate.ts";
import type { ServerTime } from "../drain/server-time.ts";
import { KubernetesGate } from "../kubernetes/gated-cluster.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { departureOf } from "../sources/cluster-nodes.ts";
import { createEvictionReviewApp, type EvictionReviewOptions } from "../web/eviction-review.ts";
import { reread } from "../web/reread.ts";
import { listen } from "../web/server.ts";
import { openApiServer } from "./cluster-access.ts";
import { faultOf, listenProblem, REPLACED_MAX } from "./web.ts";

/** API servers, each of which sends the reviews of many callers over few connections. */
const LIMITS = { connectionsMax: 1_000, probesMin: 0, requestsPerAddressMax: 500 };

export interface GateParts {
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The cluster's clock. */
  readonly time: ServerTime;
  readonly log: Log;
  readonly metrics: Pick<Metrics, "countReview">;
  /** The Node objects as they were read last, by their names. */
  readonly nodes: { get(name: string): ClusterNode | undefined };
}

/** Whether an eviction may be made now. See `EvictionGate.judge`. */
export type Judge = EvictionReviewOptions["judge"];

/** The eviction gate of a service. It gets the events of drains from the beginning. */
export interface OpenedGate {
  readonly observe: DrainObserver;
  judge(drainer: Pick<Drainer, "running">): Judge;
  close(): void;
}

/** The configured gate. Throws `ConfigError`. Import this file only if one is configured. */
export async function openGate(config: Config, parts: GateParts): Promise<OpenedGate | undefined> {
  const { clock, log, metrics, nodes } = parts;
  // With its own pace, so that reviews and drains do not wait for each other.
  const server = await openApiServer(config, parts);
  if (server === undefined) return undefined;
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
    judge: (drainer) => {
      drains = drainer;
      return (asked, signal) => gate.judge(asked, signal);
    },
    close: () => server.close(),
  };
}

export interface GateServerParts extends Pick<EvictionReviewOptions, "judge" | "replicas"> {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, "gauges" | "countFileFailure">;
}

/** The server of the gate while it runs. */
export interface ServedGate {
  readonly port: number;
  /** The certificates that it presents now, and has presented before. */
  readonly identities: () => readonly TlsIdentity[];
  /** See `StartedWeb`. */
  rereadFiles(stop: AbortSignal): Promise<void>;
  close(untilFlushed: Promise<void>): Promise<void>;
}

/** Listens for reviews as configured. Throws `ConfigError` if it can't. */
export async function serveGate(config: Config, parts: GateServerParts): Promise<ServedGate> {
  const { clock, log, metrics } = parts;
  const { host, evictionGatePort: port, givenBy } = config;
  const tls = await readIdentity(config).catch((error) => {
    throw error instanceof OptionFileError ? new ConfigError([error.message]) : error;
  });
  const app = createEvictionReviewApp({ ...parts, onError: (error) => log("internal error", faultOf(error)) });
  const listening = await listen(app, { host, port, limits: LIMITS, tls }).catch((error) => {
    const at = { host, port, givenBy: { ...givenBy, port: givenBy.evictionGatePort } };
    throw new ConfigError([listenProblem(error as NodeJS.ErrnoException, at)]);
  });
  let identities = [tls];
  metrics.gauges.watchGate({ validUntil: () => validUntil(identities[0] ?? tls) });
  log("eviction gate listening", { host, port: listening.port });
  return {
    port: listening.port,
    identities: () => identities,
    rereadFiles: (stop) =>
      reread(
        {
          clock,
          first: tls,
          read: () => readIdentity(config),
          onChange: (changed) => {
            listening.useTls(changed);
            identities = [changed, ...identities].slice(0, 1 + REPLACED_MAX);
            log("certificates reloaded", {});
          },
          onFailure: ({ message }) => {
            metrics.countFileFailure();
            log("file reload failed", { error: message });
          },
        },
        stop,
      ),
    close: (untilFlushed) => listening.close(untilFlushed),
  };
}

/** A configuration with the gate has both files. */
async function readIdentity(config: Config): Promise<TlsIdentity> {
  const { evictionGateCertFile: tlsCertFile, evictionGateKeyFile: tlsKeyFile, givenBy } = config;
  const names = { tlsCertFile: givenBy.evictionGateCertFile, tlsKeyFile: givenBy.evictionGateKeyFile };
  const identity = await readTlsIdentity({ tlsCertFile, tlsKeyFile, givenBy: { ...givenBy, ...names } });
  if (identity === undefined) throw new TypeError("the eviction gate has no certificate");
  return identity;
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
