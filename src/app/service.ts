import { type Config, ConfigError } from "../config/config.ts";
import { newAbort, withAnyOf } from "../drain/abort.ts";
import type { Clock, SystemClock } from "../drain/clock.ts";
import type { Cluster } from "../drain/cluster.ts";
import type { Drainer } from "../drain/drainer.ts";
import { asDrainError, DrainError, printable } from "../drain/errors.ts";
import type { Delivery, EventSource } from "../drain/event-source.ts";
import { undoNode } from "../drain/node-undo.ts";
import type { DrainOutcome } from "../drain/outcome.ts";
import type { DrainRequest, NodeReference } from "../drain/request.ts";
import { StampedLedger } from "../drain/stamped-ledger.ts";
import { MemoryLedger } from "../ledger/memory-ledger.ts";
import { openLedger } from "../ledger/open-ledger.ts";
import type { Log } from "../observe/log.ts";
import { drainLog, logWithoutDrain, lookupLog } from "../observe/logging.ts";
import { Metrics } from "../observe/metrics.ts";
import type { Cancel, CancelNode, DrainHistory } from "../web/drain-routes.ts";
import { HttpSource, NotAccepted } from "../web/http-source.ts";
import { Readiness, type ReadyState, type Trouble, withLedger, withQueue } from "../web/readiness.ts";
import { type Clocks, openClocks } from "./clocks.ts";
import type { Engine, EngineOptions } from "./engine.ts";
import type { ServedGate } from "./eviction-gate.ts";
import { openEngine } from "./places.ts";
import { openQueue } from "./queue.ts";
import { type Resuming, resumeDrains } from "./resuming.ts";
import { type StartedWeb, startWeb } from "./web.ts";

/** When every drain has been settled, its answer needs but a moment to be sent. */
const FLUSH_MS = 1_000;

export interface ServiceOptions {
  readonly version: string;
  /** A pod's environment says where its API server is. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: SystemClock;
  readonly log: Log;
  /** First stage of the end: no more requests are taken, running drains go on. */
  readonly stop: AbortSignal;
  /** Second stage: running drains end as they stand. */
  readonly abandon: AbortSignal;
}

interface Serving extends ServiceOptions {
  readonly clocks: Clocks;
  readonly metrics: Metrics;
  readonly ledger: StampedLedger;
  /** See `FileLedger.displaced`. */
  readonly ledgerTrouble: () => Trouble | undefined;
}

/** Serves until `stop`, and resolves when every caller has been answered. Throws `ConfigError` when it can't start. */
export async function runService(config: Config, options: ServiceOptions): Promise<void> {
  const { version, clock, log } = options;
  const clocks = openClocks(log, clock);
  const { time } = clocks;
  const metrics = new Metrics({ version, now: () => clock.now() });
  const aws = () => time.aheadMs && time.aheadMs / 1_000;
  metrics.watchClocks({ machine: () => clock.offsetMs / 1_000, aws });
  const opened = await openDrains(config, { clocks, metrics, log });
  try {
    const { ledger, trouble: ledgerTrouble } = opened;
    await serve(config, { ...options, clocks, metrics, ledger, ledgerTrouble });
  } finally {
    await opened.close();
  }
}

async function serve(config: Config, serving: Serving): Promise<void> {
  const { version, environment, log, stop, abandon, clock, clocks, metrics, ledger, ledgerTrouble } = serving;
  const { time } = clocks;
  const watched = await clusterOf(config, { clock, metrics, log, environment });
  const observers = [drainLog(log), metrics.observe, ...(watched === undefined ? [] : [watched.observe])];
  const engine = await openEngine(config, { ...engineOptions(serving), observers, cluster: watched?.cluster });
  const { drainer, checkAccess, isRunning } = engine;
  const onFailure = (what: string, error: unknown) => logFailure(log, { what, error, isStopping: abandon.aborted });
  const [background, drains] = [new Background(onFailure), new Background(onFailure)];
  const resumed = resumeDrains(config, { ledger, engine, clock, abandon, log, drains });
  const source = new HttpSource();
  const queue = await openQueue(config, { clock, time, metrics, log, abandon, ledger, drainer, isRunning });
  const nodes = watched?.source({ ledger, drainer, abandon });
  const readiness = new Readiness({ clock, check: checkAccess, onChange: (state) => logReadiness(log, state) });
  const status = statusUntil(abandon, drainer);
  const ready = () => withLedger(withQueue(readiness.state, queue?.receiving), ledgerTrouble());
  const history: DrainHistory = {
    list: (max) => ledger.list(max),
    read: (drain, signal) => ledger.read(drain, signal),
    follow: (drain, onEntry) => ledger.follow(drain, onEntry),
    running: (drainId) => drainer.running(drainId),
  };
  const { cancel, cancelNode } = cancelling(config, {
    engine,
    cluster: watched?.cluster,
    ledger,
    clock,
    abandon,
    drains,
  });
  // Before a caller asks for the same nodes.
  await resumed;
  const text = () => metrics.text();
  const named = { instanceOf: watched?.instanceOf, nodesWith: watched?.nodesWith };
  const api = { source, history, cancel, cancelNode, ...named, status, ready, metrics: text };
  const started = await startWeb(config, { ...api, clock, version, log, environment });
  const web = await withGate(started, () => watched?.serveGate?.(drainer));
  background.add("clock", clocks.watch(stop));
  background.add("files", web.rereadFiles(stop));
  // A service that cannot start makes no AWS calls.
  background.add("index", engine.maintainIndex(stop));
  const over = newAbort();
  if (watched !== undefined) background.add("cluster watch", watched.run(engine.hasAddressGroups, over.signal));
  const { host, region, discovery, dryRun } = config;
  log("listening", { host, port: web.port, region, discovery, dryRun });
  stop.addEventListener("abort", () => log("shutdown started", {}));
  abandon.addEventListener("abort", () => log("drains abandoned", {}));
  background.add("access check", readiness.run(stop));

  const pumping: PumpOptions = {
    stop,
    abandon,
    onSettled: (outcome, { request }) => {
      logWithoutDrain(log, outcome, request);
      metrics.countWithoutDrain(outcome, request.deadline);
    },
    onUnsettled: ({ request }, error) => logUnsettled(log, request, error),
  };
  const sources = [source, queue, nodes].filter((each) => each !== undefined);
  await Promise.all(sources.map((each) => pump(each, drainer, pumping)));
  await nodes?.ended();
  await drains.ended();
  await watched?.flushed();
  over.abort();
  const flushed = newAbort();
  await web.close(clock.sleep(FLUSH_MS, flushed.signal)).finally(() => flushed.abort());
  await background.ended();
  log("stopped", {});
}

/** The eviction gate listens beside the HTTP API, and as long. */
async function withGate(
  web: StartedWeb,
  serveGate: () => Promise<ServedGate> | undefined,
): Promise<Pick<StartedWeb, "port" | "rereadFiles" | "close">> {
  try {
    const gate = await serveGate();
    if (gate === undefined) return web;
    const both = [web, gate];
    return {
      port: web.port,
      rereadFiles: async (stop) => void (await Promise.all(both.map((one) => one.rereadFiles(stop)))),
      close: async (untilFlushed) => void (await Promise.all(both.map((one) => one.close(untilFlushed)))),
    };
  } catch (error) {
    await web.close(Promise.resolve());
    throw error;
  }
}

function engineOptions({ clocks, ledger, log, metrics }: Serving): EngineOptions {
  return {
    ...clocks,
    ledger,
    onLookupFailed: lookupLog(log),
    onIndexFailed: ({ code, message }, place) =>
      log("index refresh failed", { code, error: message, ...(place === undefined ? {} : { place }) }),
    onCall: metrics.countCall,
  };
}

export interface PumpOptions {
  readonly stop: AbortSignal;
  readonly abandon: AbortSignal;
  readonly onSettled: (outcome: DrainOutcome, delivery: Delivery) => void;
  readonly onUnsettled: (delivery: Delivery, error: unknown) => void;
}

/** Drains every node that `source` asks for, concurrently, and reports each outcome to it. */
export async function pump(
  source: EventSource,
  drainer: Pick<Drainer, "accept">,
  { stop, abandon, onSettled, onUnsettled }: PumpOptions,
): Promise<void> {
  const underWay = new Set<Promise<void>>();
  for await (const delivery of source.deliveries(stop)) {
    const settled = drainAndSettle(delivery).finally(() => underWay.delete(settled));
    underWay.add(settled);
  }
  await Promise.all(underWay);

  async function drainAndSettle(delivery: Delivery): Promise<void> {
    try {
      const { drain, recorded, begun, outcome: ended } = await drainer.accept(delivery.request, abandon);
      let isSettled = false;
      // A caller that waits for the drain itself does not wait for the ledger.
      if (drain !== undefined)
        recorded
          .then(
            () => isSettled || delivery.accepted(drain, begun),
            (error: unknown) => isSettled || delivery.unrecorded(drain, asDrainError(error)),
          )
          .catch((error: unknown) => onUnsettled(delivery, error));
      const outcome = await ended;
      isSettled = true;
      await delivery.settle(outcome);
      onSettled(outcome, delivery);
    } catch (error) {
      onUnsettled(delivery, error);
    }
  }
}

/**
 * Work that goes on beside the requests of the service. Each has a handler from its first moment: a failure is told, and
 * ends neither the process nor the other work.
 */
export class Background {
  readonly #running = new Set<Promise<void>>();
  readonly #onFailure: (what: string, error: unknown) => void;

  constructor(onFailure: (what: string, error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** `what`: the work in a word or two, for the log. */
  add(what: string, work: Promise<unknown>): void {
    const ended = work
      .then(
        () => {},
        (error: unknown) => this.#onFailure(what, error),
      )
      .finally(() => this.#running.delete(ended));
    this.#running.add(ended);
  }

  /** Resolves when all of it has ended, also what was added meanwhile. */
  async ended(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}

/** What Kubernetes needs is loaded only where a cluster is configured. */
async function clusterOf(
  config: Config,
  parts: Pick<Serving, "metrics" | "log" | "environment"> & { readonly clock: Clock },
) {
  if (config.kubernetes === undefined) return undefined;
  const { watchCluster } = await import("./cluster.ts");
  return watchCluster(config, parts);
}

/** Where a node is registered, for callers that leave when the service ends. */
function statusUntil(abandon: AbortSignal, drainer: Drainer) {
  return async (node: NodeReference, signal: AbortSignal) => {
    try {
      return await withAnyOf([signal, abandon], (either) => drainer.status(node, either));
    } catch (error) {
      throw abandon.aborted ? new NotAccepted("the service is stopping") : error;
    }
  };
}

/** What cancels drains for callers, and goes on where these have left. */
function cancelling(
  config: Config,
  parts: Pick<Resuming, "drains" | "abandon" | "ledger" | "clock"> & {
    readonly engine: Engine;
    readonly cluster: Cluster | undefined;
  },
): { readonly cancel: Cancel; readonly cancelNode: CancelNode } {
  const { engine, abandon, drains } = parts;
  const untilEnd = async <T>(what: string, undo: () => Promise<T>): Promise<T> => {
    checkUndo(config);
    const undone = undo();
    // Waited for at the end, also where its caller has left. A failure is for the caller.
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

/** The ledger that the configuration asks for. Throws `ConfigError`. */
async function openDrains(
  { stateDir, givenBy }: Config,
  { clocks: { clock, time }, metrics, log }: Pick<Serving, "clocks" | "metrics" | "log">,
) {
  const cloudAheadMs = () => time.aheadMs;
  const clocks = { boot: "", bootedAt: () => clock.bootedAt, cloudAheadMs };
  if (stateDir === undefined) {
    const ledger = new StampedLedger(new MemoryLedger(), { clock, clocks });
    return { ledger, trouble: () => undefined, close: async () => {} };
  }
  try {
    const opened = await openLedger(stateDir, {
      clock,
      onFailure: metrics.countLedgerFailure,
      onTrouble: ({ code, message }) => log("ledger write failed", { code, error: message }),
      onRecovered: (lost) => log("ledger write recovered", { lost }),
    });
    for (const finding of opened.findings) log("ledger damaged", finding);
    const { boot, lastWritten, close } = opened;
    const ledger = new StampedLedger(opened.ledger, {
      clock,
      clocks: { ...clocks, boot },
      onDifference: ({ shiftMs, basis }) =>
        log("ledger times corrected", { seconds: Math.round(shiftMs / 1_000), basis }),
      ...(lastWritten && { lastWritten }),
    });
    return { ledger, trouble: () => opened.ledger.displaced, close };
  } catch (error) {
    const place = `${givenBy.stateDir} is '${printable(stateDir)}'`;
    throw new ConfigError([`${place}, which can't be used: ${(error as Error).message}`]);
  }
}

/** What a stop interrupts the next start goes on with, as far as there is a ledger. */
function logFailure(
  log: Log,
  { what, error, isStopping }: { readonly what: string; readonly error: unknown; readonly isStopping: boolean },
): void {
  if (isStopping) log("background work interrupted", { what });
  else log("background work failed", { what, error: asDrainError(error).message });
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
