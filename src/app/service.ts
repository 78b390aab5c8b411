import type { Config } from "../config/config.ts";
import { newAbort, withAnyOf } from "../drain/abort.ts";
import type { SystemClock } from "../drain/clock.ts";
import { ALL_CALLS, type CloudState } from "../drain/cloud-state.ts";
import type { Cluster } from "../drain/cluster.ts";
import type { Drainer } from "../drain/drainer.ts";
import { asDrainError, DrainError } from "../drain/errors.ts";
import type { AcceptedDrain } from "../drain/event-source.ts";
import type { DrainObserver } from "../drain/events.ts";
import type { Leadership } from "../drain/leadership.ts";
import { undoNode } from "../drain/node-undo.ts";
import type { DrainRequest, NodeReference } from "../drain/request.ts";
import type { Log } from "../observe/log.ts";
import { drainLog, logWithoutDrain, lookupLog } from "../observe/logging.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { Tracing } from "../observe/tracing.ts";
import type { Cancel, CancelNode, DrainHistory } from "../web/drain-routes.ts";
import { HttpSource, NotAccepted } from "../web/http-source.ts";
import type { Overview } from "../web/overview.ts";
import { Readiness, type ReadyState, withLedger, withQueue } from "../web/readiness.ts";
import { Background, failureLog } from "./background.ts";
import type { Clocks } from "./clocks.ts";
import type { Engine, EngineOptions } from "./engine.ts";
import type { Judge } from "./eviction-gate.ts";
import type { OpenedDrains } from "./ledger.ts";
import type { Notifications } from "./notifications.ts";
import { openOverview } from "./overview.ts";
import { openEngine } from "./places.ts";
import { type PumpOptions, pump } from "./pump.ts";
import { openQueue } from "./queue.ts";
import { resumeDrains } from "./resuming.ts";
import { heardBy } from "./tracing.ts";
import type { WebParts } from "./web.ts";

/** When every drain has been settled, this is enough to send the answers. */
const FLUSH_MS = 1_000;

export interface ServiceOptions {
  readonly version: string;
  /** In a pod, the environment has the address of the API server. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: SystemClock;
  readonly log: Log;
  /** First stage of the shutdown: no more requests are accepted, and running drains continue. */
  readonly stop: AbortSignal;
  /** Second stage: running drains end as they are. */
  readonly abandon: AbortSignal;
}

/** A process of the service. */
export interface Program extends ServiceOptions {
  readonly clocks: Clocks;
  readonly metrics: Metrics;
  /** Absent: there are no traces. */
  readonly tracing?: Tracing;
  /** Absent: there are no receivers. */
  readonly notifications?: Notifications | undefined;
}

/** What answers callers while this process acts on nodes. */
export interface Answering extends Omit<WebParts, "metrics" | "clock" | "version" | "log" | "environment"> {
  /** The judge of the eviction gate. Absent: no gate is configured. */
  readonly judge?: Judge | undefined;
}

export interface Serving extends Program, Omit<OpenedDrains, "close"> {
  /** Absent: no other process acts on the same nodes. */
  readonly leadership?: Leadership;
  /** The identity of this process in the election. Absent: it is the only process. */
  readonly replica?: string;
  /** Lets callers in. Called once, when the drains of an earlier process are running again. */
  readonly answer: (parts: Answering) => Promise<{ close(untilFlushed: Promise<void>): Promise<void> }>;
  readonly observers?: readonly DrainObserver[];
  /** Called for each drain when it would survive the end of the process. */
  readonly onRecorded?: (drain: AcceptedDrain) => void;
}

/**
 * Acts on nodes until `stop`, and resolves when every caller has been answered. Throws `ConfigError` if it can't start.
 */
export async function serve(config: Config, serving: Serving): Promise<void> {
  const { log, stop, abandon, clock, clocks, metrics, notifications, ledger, ledgerTrouble } = serving;
  const { time } = clocks;
  const watched = await clusterOf(config, serving);
  const { version, replica } = serving;
  const overview = openOverview(config, {
    ...{ clock, version, log, replica },
    ready: () => ready(),
    clouds: () => engine.cloudStates(),
    runningOf: (nodeId) => drainer.runningOf(nodeId),
  });
  const observers = observersOf(serving, overview, watched);
  const options = { ...engineOptions(serving, overview), observers, cluster: watched?.cluster };
  const engine = await openEngine(config, options);
  const { drainer, checkAccess, isRunning } = engine;
  watchEngine(config, { metrics, engine });
  const running = (drainId: string) => drainer.running(drainId);
  const onFailure = failureLog(log, abandon);
  const [background, drains] = [new Background(onFailure), new Background(onFailure)];
  const resumed = resumeDrains(config, { ledger, engine, clock, abandon, log, drains });
  const source = new HttpSource();
  const queue = await openQueue(config, { ...serving, time, drainer, isRunning });
  const nodes = watched?.source({ ledger, drainer, abandon });
  const readiness = new Readiness({ clock, check: checkAccess, onChange: (state) => logReadiness(log, state) });
  const status = statusUntil(abandon, drainer);
  const ready = () => withLedger(withQueue(readiness.state, queue?.receiving), ledgerTrouble());
  const history: DrainHistory = {
    list: (max) => ledger.list(max),
    read: (drain, signal) => ledger.read(drain, signal),
    follow: (drain, onEntry) => ledger.follow(drain, onEntry),
    running,
  };
  const cancelling = cancellingFor(config, { ...serving, engine, cluster: watched?.cluster, drains });
  // Before a caller requests the same nodes.
  await resumed;
  const examine = await auditOf(config, serving, engine);
  const named = { instanceOf: watched?.instanceOf, nodesWith: watched?.nodesWith };
  const { earlyRelease } = drainer;
  const takeConnections: Answering["takeConnections"] =
    earlyRelease && ((instanceId, report) => earlyRelease.report(instanceId, report));
  const judge = watched?.judge?.(drainer);
  const nodeCallers = { ...named, takeConnections, status, examine };
  const callers = { source, history, ...cancelling, ...nodeCallers, ready, overview, judge };
  const listening = await serving.answer(callers);
  // A service that cannot start makes no AWS calls.
  background.add("index", engine.maintainIndex(stop));
  const over = newAbort();
  if (notifications !== undefined) background.add("notifications", notifications.run(running, over.signal));
  if (watched !== undefined) background.add("cluster watch", watched.run(engine.hasAddressGroups, over.signal));
  background.add("access check", readiness.run(stop));

  const pumping: PumpOptions = {
    stop,
    abandon,
    onRecorded: serving.onRecorded,
    onSettled: (outcome, { request }) => {
      logWithoutDrain(log, outcome, request);
      metrics.countWithoutDrain(outcome, request.deadline);
      notifications?.withoutDrain(outcome, request.node);
    },
    onUnsettled: ({ request }, error) => logUnsettled(log, request, error),
  };
  const sources = [source, queue, nodes].filter((each) => each !== undefined);
  await Promise.all(sources.map((each) => pump(each, drainer, pumping)));
  await nodes?.ended();
  await drains.ended();
  await Promise.all([watched?.flushed(), notifications?.flushed()]);
  over.abort();
  const flushed = newAbort();
  const untilFlushed = clock.sleep(FLUSH_MS, flushed.signal).catch(() => {}); // All answers were sent.
  await listening.close(untilFlushed).finally(() => flushed.abort());
  await background.ended();
}

/** The observers of the steps of all drains. */
function observersOf(
  { log, metrics, tracing, notifications, observers = [] }: Serving,
  ...others: readonly ({ readonly observe: DrainObserver } | undefined)[]
): readonly DrainObserver[] {
  const those = [metrics, ...others, notifications].filter((each) => each !== undefined);
  return [...heardBy(tracing).observers, drainLog(log), ...those.map(({ observe }) => observe), ...observers];
}

function engineOptions(
  { clocks, ledger, log, metrics, tracing, leadership }: Serving,
  overview: Pick<Overview, "lookupFailed">,
): EngineOptions {
  const { called } = heardBy(tracing);
  const logLookup = lookupLog(log);
  return {
    ...clocks,
    ledger,
    leadership,
    onLookupFailed: (asked, error) => {
      logLookup(asked, error);
      overview.lookupFailed(asked, error);
    },
    onIndexFailed: ({ code, message }, place) =>
      log("index refresh failed", { code, error: message, ...(place === undefined ? {} : { place }) }),
    onCall: (call) => {
      metrics.countCall(call);
      called(call);
    },
  };
}

/** The engine's state of AWS, as gauges. With several accounts and regions the oldest answer counts. */
function watchEngine(
  { indexPerSecond }: Config,
  { metrics, engine }: { readonly metrics: Metrics; readonly engine: Engine },
): void {
  const uses = ({ place, quotas }: CloudState) =>
    // The quota of all calls together would count each of them twice.
    quotas.filter(({ name }) => name !== ALL_CALLS).map(({ name: bucket, ...use }) => ({ bucket, ...use, place }));
  metrics.gauges.watchQuota(() => engine.cloudStates().flatMap(uses));
  if (indexPerSecond === 0) return;
  const indexes = () => engine.cloudStates().map(({ index }) => index);
  const NEVER = Number.NEGATIVE_INFINITY;
  metrics.gauges.watchIndex({
    pools: () => indexes().reduce((sum, { groups, listedWhole }) => sum + groups + listedWhole, 0),
    listedAt: () => Math.min(...indexes().map(({ listedAt = NEVER }) => listedAt)),
    // The list has the members of the other pools.
    oldestReadAt: () =>
      Math.min(
        ...indexes().map(({ groups, groupsRead, listedAt = NEVER, oldestReadAt = listedAt }) =>
          groupsRead < groups ? NEVER : Math.min(listedAt, oldestReadAt),
        ),
      ),
  });
}

/** What it needs is loaded when the first caller asks. */
async function auditOf(
  config: Config,
  { clock, clocks: { time }, metrics, environment, abandon }: Serving,
  engine: Engine,
): Promise<WebParts["examine"]> {
  const { KeptAudit } = await import("./kept-audit.ts");
  const audit = new KeptAudit({
    clock,
    end: abandon,
    examine: async (signal) => {
      const { examine } = await import("./doctor.ts");
      return examine(config, { clock, engine, environment, aws: { time }, onCall: metrics.countCall }, signal);
    },
  });
  return async (signal) => {
    try {
      return await audit.read(signal);
    } catch (error) {
      throw abandon.aborted ? new NotAccepted("the service is stopping") : error;
    }
  };
}

/** What Kubernetes needs is loaded only if a cluster is configured. */
async function clusterOf(
  config: Config,
  parts: Pick<Serving, "clock" | "metrics" | "log" | "environment" | "leadership">,
) {
  if (config.kubernetes === undefined) return undefined;
  const { watchCluster } = await import("./cluster.ts");
  return watchCluster(config, parts);
}

/** Where a node is registered. The reads end when the service ends. */
function statusUntil(abandon: AbortSignal, drainer: Drainer) {
  return async (node: NodeReference, signal: AbortSignal) => {
    try {
      return await withAnyOf([signal, abandon], (either) => drainer.status(node, either));
    } catch (error) {
      throw abandon.aborted ? new NotAccepted("the service is stopping") : error;
    }
  };
}

/** Cancels drains for callers, and continues when they have disconnected. */
function cancellingFor(
  config: Config,
  parts: Pick<Serving, "abandon" | "ledger" | "clock"> & {
    readonly drains: Background;
    readonly engine: Engine;
    readonly cluster: Cluster | undefined;
  },
): { readonly cancel: Cancel; readonly cancelNode: CancelNode } {
  const { engine, abandon, drains } = parts;
  const untilEnd = async <T>(what: string, undo: () => Promise<T>): Promise<T> => {
    checkUndo(config);
    const undone = undo();
    // The shutdown waits for it, even if its caller has disconnected. A failure is for the caller.
    const waitedFor = undone.catch(() => {});
    drains.add(`undo of ${what}`, waitedFor);
    try {
      return await undone;
    } catch (error) {
      throw abandon.aborted
        ? new NotAccepted("the service is stopping: with STATE_DIR, its next start resumes the undo")
        : error;
    }
  };
  return {
    cancel: (drainId, asker) => untilEnd(drainId, () => engine.drainer.cancel(drainId, asker, abandon)),
    cancelNode: (request) => untilEnd(request.node.value, () => undoNode(request, { ...parts, ...engine }, abandon)),
  };
}

/** Throws `undo-disabled`. */
function checkUndo({ undo, dryRun }: Config): void {
  if (dryRun) throw new DrainError("undo-disabled", "DRYRUN is set: a dry run changes nothing and can't cancel drains");
  if (undo) return;
  const how = "set UNDO=true for the service, and add the permissions that 'policy --undo' prints";
  throw new DrainError("undo-disabled", `cancelling is not enabled: ${how}`);
}

function logUnsettled(log: Log, { node: { by, value } }: DrainRequest, error: unknown): void {
  log("answer failed", { asked: { [by]: value }, error: asDrainError(error).message });
}

function logReadiness(log: Log, state: ReadyState): void {
  if (state.status === "ready") log("access check passed", {});
  if (state.status === "not-ready") {
    for (const { error } of state.problems) log("access check failed", { code: error.code, error: error.message });
  }
}
