import { type Config, ConfigError, OPTIONS } from "./config.ts";
import { anyOf, newAbort } from "./drain/abort.ts";
import { type Clock, SystemClock } from "./drain/clock.ts";
import { drainRecord } from "./drain/drain-record.ts";
import type { Drainer } from "./drain/drainer.ts";
import { asDrainError, DrainError } from "./drain/errors.ts";
import type { Delivery, EventSource } from "./drain/event-source.ts";
import type { Ledger } from "./drain/ledger.ts";
import type { DrainOutcome } from "./drain/outcome.ts";
import type { NodeReference } from "./drain/request.ts";
import { shown } from "./drain/shown.ts";
import { createEngine } from "./engine.ts";
import { MemoryLedger } from "./ledger/memory-ledger.ts";
import { openLedger } from "./ledger/open-ledger.ts";
import { drainLog, type Log, logWithoutDrain } from "./observe/logging.ts";
import { Metrics } from "./observe/metrics.ts";
import { createWebApp, type WebOptions } from "./web/app.ts";
import type { DrainHistory } from "./web/drain-routes.ts";
import { HttpSource, NotTaken } from "./web/http-source.ts";
import { Readiness, type ReadyState } from "./web/readiness.ts";
import { readSecretFile, secretCheck } from "./web/secrets.ts";
import { listen, type WebServer } from "./web/server.ts";

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
  const resumed = takeUp(config, { ledger, drainer, abandon, log });
  const index = engine.keepIndex(stop);
  const source = new HttpSource();
  const readiness = new Readiness({ clock, check: checkAccess, onChange: (state) => logReadiness(log, state) });
  const status = async (node: NodeReference, signal: AbortSignal) => {
    try {
      return await drainer.status(node, anyOf(signal, abandon));
    } catch (error) {
      throw abandon.aborted ? new NotTaken("the service is stopping") : error;
    }
  };
  const ready = () => readiness.state;
  const history: DrainHistory = {
    list: (max) => ledger.list(max),
    read: (drain, signal) => ledger.read(drain, signal),
    follow: (drain, heard) => ledger.follow(drain, heard),
    running: (drainId) => drainer.running(drainId),
  };
  const undoing = new Set<Promise<unknown>>();
  const cancel: WebOptions["cancel"] = async (drainId, asker) => {
    checkUndo(config);
    const undone = drainer.cancel(drainId, asker, abandon);
    undoing.add(undone);
    try {
      return await undone;
    } catch (error) {
      throw abandon.aborted ? new NotTaken("the service is stopping, with STATE_DIR its next start goes on") : error;
    } finally {
      undoing.delete(undone);
    }
  };
  // Before anybody asks for the same nodes.
  const underWay = await resumed;
  const text = () => metrics.text();
  const web = await startWeb(config, { source, history, cancel, status, ready, metrics: text, clock, version, log });
  log.info(
    { host: config.host, port: web.port, region: config.region, discovery: config.discovery, dryRun: config.dryRun },
    "listening",
  );
  stop.addEventListener("abort", () => log.info("stopping: no more requests are taken, running drains go on"));
  abandon.addEventListener("abort", () => log.warn("abandoning the drains that still run"));
  const checking = readiness.run(stop);

  const onUnsettled = (_: Delivery, error: unknown) =>
    log.error({ error: String(error) }, "an answer could not be given");
  await pump(source, drainer, {
    stop,
    abandon,
    onSettled: (outcome, { request }) => {
      logWithoutDrain(log, outcome, request);
      metrics.countWithoutDrain(outcome);
    },
    onUnsettled,
  });
  await Promise.allSettled([...underWay, ...undoing]);
  await index;
  const flushed = newAbort();
  await web.close(clock.sleep(FLUSH_MS, flushed.signal)).finally(() => flushed.abort());
  await checking;
  log.info("stopped");
}

export interface PumpOptions {
  readonly stop: AbortSignal;
  readonly abandon: AbortSignal;
  readonly onSettled: (outcome: DrainOutcome, delivery: Delivery) => void;
  readonly onUnsettled: (delivery: Delivery, error: unknown) => void;
}

/** Drains every node that `source` asks for, side by side, and tells it how each drain ended. */
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
      // Whoever waits for the drain itself does not wait for the ledger.
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
  if (dryRun) throw new DrainError("undo-disabled", "a dry run changes nothing, and so cancels nothing");
  if (undo) return;
  const how = "set UNDO=true for the service, and allow it what 'policy --undo' prints";
  throw new DrainError("undo-disabled", `cancelling registers targets again, which is not enabled: ${how}`);
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
      onTrouble: ({ code, message }) =>
        log.error(
          { code, error: message },
          "the ledger fails: drains go on, but nobody is promised one without waiting",
        ),
      onRecovered: (lost) => log.warn({ lost }, "the ledger is written again"),
    });
    for (const finding of opened.findings) log.warn(finding);
    return opened;
  } catch (error) {
    const place = `${givenBy.stateDir} is '${shown(stateDir)}'`;
    throw new ConfigError([`${place}, which can't be used: ${(error as Error).message}`]);
  }
}

/** Takes up every drain that an earlier process has left. Resolves when they run: each with its end. */
async function takeUp(
  { dryRun }: Config,
  { ledger, drainer, abandon, log }: Pick<Serving, "ledger" | "abandon" | "log"> & { readonly drainer: Drainer },
): Promise<readonly Promise<void>[]> {
  try {
    const left = (await ledger.unfinished(abandon)).map(drainRecord).filter((record) => record !== undefined);
    if (!dryRun) return left.map((record) => drainer.resume(record, abandon));
    for (const { id, node } of left) log.warn({ drain: id, node: node.id }, "not taken up: a dry run changes nothing");
  } catch (error) {
    const { code, message } = asDrainError(error);
    log.error({ code, error: message }, "what an earlier process has left of drains is not known, and not taken up");
  }
  return [];
}

type WebParts = Pick<
  WebOptions,
  "source" | "history" | "cancel" | "status" | "ready" | "metrics" | "clock" | "version"
> & {
  readonly log: Log;
};

async function startWeb(config: Config, { log, ...parts }: WebParts): Promise<WebServer> {
  const { host, port, dryRun } = config;
  const app = createWebApp({
    ...parts,
    isSecret: secretCheck(await secretOf(config)),
    dryRun,
    onAnswered: ({ method, path, status, problem }) => {
      // Asked for every few seconds by machines.
      const isRoutine = path === "/health" || path === "/ready" || path === "/metrics";
      const level = status === 401 || status === 403 ? "warn" : isRoutine ? "debug" : "info";
      log[level]({ method, path, status, ...(problem === undefined ? {} : { problem }) }, "answered");
    },
    onError: (error) => log.error(faultOf(error), "internal error"),
  });
  try {
    return await listen(app, { host, port });
  } catch (error) {
    throw new ConfigError([listenProblem(error as NodeJS.ErrnoException, config)]);
  }
}

function logReadiness(log: Log, state: ReadyState): void {
  if (state.status === "ready") log.info("ready: AWS allows what a drain reads");
  if (state.status === "not-ready") {
    for (const { error } of state.problems)
      log.warn({ code: error.code, error: error.message }, "not ready: drains will fail until this is mended");
  }
}

/** Where it happened, but not its message, which may quote what a caller sent. */
function faultOf(error: unknown) {
  if (!(error instanceof Error)) return { error: typeof error };
  return { error: error.name, at: (error.stack ?? "").split("\n").filter((line) => /^ +at /.test(line)) };
}

/** Throws `ConfigError` where there is none. */
export async function secretOf(config: Pick<Config, "secret" | "secretFile" | "givenBy">): Promise<string> {
  const { secret, secretFile = "", givenBy } = config;
  if (secret !== undefined) return secret;
  try {
    return OPTIONS.secret.parse(await readSecretFile(secretFile));
  } catch (error) {
    const place = `${givenBy.secretFile} is '${shown(secretFile)}'`;
    throw new ConfigError([`${place}, which can't be used: ${(error as Error).message}`]);
  }
}

function listenProblem({ code, message }: NodeJS.ErrnoException, { host, port, givenBy }: Config): string {
  switch (code) {
    case "EADDRINUSE":
      return `${givenBy.port} is ${port}, which somebody else listens on at ${host}: set another one`;
    case "EACCES":
      return `${givenBy.port} is ${port}, which this user may not listen on: set one above 1023`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `${givenBy.host} is '${shown(host)}', which is not an address of this machine: give one, or 0.0.0.0 for all of them`;
    default:
      return `can't listen on ${shown(host)}:${port}: ${message}`;
  }
}
