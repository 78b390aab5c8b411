import { type Config, ConfigError } from "../config/config.ts";
import { newAbort, withAnyOf } from "../drain/abort.ts";
import { type Clock, SystemClock } from "../drain/clock.ts";
import { drainRecord } from "../drain/drain-record.ts";
import type { Drainer } from "../drain/drainer.ts";
import { asDrainError, DrainError, printable } from "../drain/errors.ts";
import type { Delivery, EventSource } from "../drain/event-source.ts";
import type { Ledger } from "../drain/ledger.ts";
import type { DrainOutcome } from "../drain/outcome.ts";
import type { DrainRequest, NodeReference } from "../drain/request.ts";
import { MemoryLedger } from "../ledger/memory-ledger.ts";
import { openLedger } from "../ledger/open-ledger.ts";
import type { Log } from "../observe/log.ts";
import { drainLog, logWithoutDrain } from "../observe/logging.ts";
import { Metrics } from "../observe/metrics.ts";
import type { Cancel, DrainHistory } from "../web/drain-routes.ts";
import { HttpSource, NotTaken } from "../web/http-source.ts";
import { Readiness, type ReadyState } from "../web/readiness.ts";
import { createEngine } from "./engine.ts";
import { openQueue } from "./queue.ts";
import { startWeb } from "./web.ts";

/** When every drain has been settled, its answer needs but a moment to be sent. */
const FLUSH_MS = 1_000;

export interface ServiceOptions {
  readonly version: string;
  readonly log: Log;
  /** First stage of the end: no more requests are taken, running drains go on. */
  readonly stop: AbortSignal;
  /** Second stage: running drains end as they stand. */
  readonly abandon: AbortSignal;
}

interface Serving extends ServiceOptions {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly ledger: Ledger;
}

/** Serves until `stop`, and resolves when every caller has been answered. Throws `ConfigError` when it can't start. */
export async function runService(config: Config, { version, log, stop, abandon }: ServiceOptions): Promise<void> {
  const clock = new SystemClock();
  const metrics = new Metrics({ version, now: () => clock.now() });
  const opened = await openDrains(config, { clock, metrics, log });
  try {
    await serve(config, { version, log, stop, abandon, clock, metrics, ledger: opened.ledger });
  } finally {
    await opened.close();
  }
}

async function serve(config: Config, { version, log, stop, abandon, clock, metrics, ledger }: Serving): Promise<void> {
  const observers = [drainLog(log), metrics.observe];
  const engine = createEngine(config, { clock, observers, ledger, onCall: metrics.countCall });
  const { drainer, checkAccess } = engine;
  const resumed = resumeDrains(config, { ledger, drainer, abandon, log });
  const source = new HttpSource();
  const queue = openQueue(config, { clock, metrics, log, abandon, ledger, drainer });
  const readiness = new Readiness({ clock, check: checkAccess, onChange: (state) => logReadiness(log, state) });
  const status = async (node: NodeReference, signal: AbortSignal) => {
    try {
      return await withAnyOf([signal, abandon], (either) => drainer.status(node, either));
    } catch (error) {
      throw abandon.aborted ? new NotTaken("the service is stopping") : error;
    }
  };
  const ready = () => readiness.state;
  const history: DrainHistory = {
    list: (max) => ledger.list(max),
    read: (drain, signal) => ledger.read(drain, signal),
    follow: (drain, onEntry) => ledger.follow(drain, onEntry),
    running: (drainId) => drainer.running(drainId),
  };
  const undoing = new Set<Promise<unknown>>();
  const cancel: Cancel = async (drainId, asker) => {
    checkUndo(config);
    const undone = drainer.cancel(drainId, asker, abandon);
    undoing.add(undone);
    try {
      return await undone;
    } catch (error) {
      throw abandon.aborted
        ? new NotTaken("the service is stopping: with STATE_DIR, its next start resumes the undo")
        : error;
    } finally {
      undoing.delete(undone);
    }
  };
  // Before a caller asks for the same nodes.
  const underWay = await resumed;
  const text = () => metrics.text();
  const web = await startWeb(config, { source, history, cancel, status, ready, metrics: text, clock, version, log });
  const rereading = web.rereadFiles(stop);
  // A service that cannot start makes no AWS calls.
  const index = engine.maintainIndex(stop);
  const { host, region, discovery, dryRun } = config;
  log("listening", { host, port: web.port, region, discovery, dryRun });
  stop.addEventListener("abort", () => log("shutdown started", {}));
  abandon.addEventListener("abort", () => log("drains abandoned", {}));
  const checking = readiness.run(stop);

  const pumping: PumpOptions = {
    stop,
    abandon,
    onSettled: (outcome, { request }) => {
      logWithoutDrain(log, outcome, request);
      metrics.countWithoutDrain(outcome);
    },
    onUnsettled: ({ request }, error) => logUnsettled(log, request, error),
  };
  await Promise.all([source, ...(queue === undefined ? [] : [queue])].map((each) => pump(each, drainer, pumping)));
  await Promise.allSettled([...underWay, ...undoing]);
  await index;
  const flushed = newAbort();
  await web.close(clock.sleep(FLUSH_MS, flushed.signal)).finally(() => flushed.abort());
  await Promise.all([checking, rereading]);
  log("stopped", {});
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
      const { drain, recorded, outcome: ended } = await drainer.accept(delivery.request, abandon);
      let isSettled = false;
      // A caller that waits for the drain itself does not wait for the ledger.
      if (drain !== undefined)
        recorded.then(
          () => isSettled || delivery.accepted(drain),
          (error: unknown) => isSettled || delivery.unrecorded(drain, asDrainError(error)),
        );
      const outcome = await ended;
      isSettled = true;
      await delivery.settle(outcome);
      onSettled(outcome, delivery);
    } catch (error) {
      onUnsettled(delivery, error);
    }
  }
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
  { clock, metrics, log }: Pick<Serving, "clock" | "metrics" | "log">,
) {
  if (stateDir === undefined) return { ledger: new MemoryLedger(), close: async () => {} };
  try {
    const opened = await openLedger(stateDir, {
      clock,
      onFailure: metrics.countLedgerFailure,
      onTrouble: ({ code, message }) => log("ledger write failed", { code, error: message }),
      onRecovered: (lost) => log("ledger write recovered", { lost }),
    });
    for (const error of opened.findings) log("ledger damaged", { error });
    return opened;
  } catch (error) {
    const place = `${givenBy.stateDir} is '${printable(stateDir)}'`;
    throw new ConfigError([`${place}, which can't be used: ${(error as Error).message}`]);
  }
}

/** Resumes every drain that an earlier process has not ended. Resolves when they run: each with its end. */
async function resumeDrains(
  { dryRun }: Config,
  { ledger, drainer, abandon, log }: Pick<Serving, "ledger" | "abandon" | "log"> & { readonly drainer: Drainer },
): Promise<readonly Promise<void>[]> {
  try {
    const unfinished = (await ledger.unfinished(abandon)).map(drainRecord).filter((record) => record !== undefined);
    if (!dryRun) return unfinished.map((record) => drainer.resume(record, abandon));
    for (const { id, node } of unfinished) log("drain resume skipped", { drain: id, node: node.id });
  } catch (error) {
    const { code, message } = asDrainError(error);
    log("drain resume failed", { code, error: message });
  }
  return [];
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
