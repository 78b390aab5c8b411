import { type Config, ConfigError } from "./config.ts";
import { newAbort } from "./drain/abort.ts";
import { SystemClock } from "./drain/clock.ts";
import type { Drainer } from "./drain/drainer.ts";
import type { Delivery, EventSource } from "./drain/event-source.ts";
import type { DrainOutcome } from "./drain/outcome.ts";
import { createEngine } from "./engine.ts";
import { drainLog, type Log, logWithoutDrain } from "./observe/logging.ts";
import { Metrics } from "./observe/metrics.ts";
import { createWebApp } from "./web/app.ts";
import { HttpSource } from "./web/http-source.ts";
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

/** Serves until `stop`, and resolves when every caller has been answered. Throws `ConfigError` when it can't start. */
export async function runService(config: Config, { version, log, stop, abandon }: ServiceOptions): Promise<void> {
  const clock = new SystemClock();
  const metrics = new Metrics({ version, now: () => clock.now() });
  const observers = [drainLog(log), metrics.observe];
  const drainer = createEngine(config, { clock, observers, aws: { onCall: metrics.countCall } });
  const source = new HttpSource();
  const web = await startWeb(config, { source, metrics, log });
  log.info(
    { host: config.host, port: web.port, region: config.region, discovery: config.discovery, dryRun: config.dryRun },
    "listening",
  );
  stop.addEventListener("abort", () => log.info("stopping: no more requests are taken, running drains go on"));
  abandon.addEventListener("abort", () => log.warn("abandoning the drains that still run"));

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
  const flushed = newAbort();
  await web.close(clock.sleep(FLUSH_MS, flushed.signal)).finally(() => flushed.abort());
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
  drainer: Pick<Drainer, "drain">,
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
      const outcome = await drainer.drain(delivery.request, abandon);
      await delivery.settle(outcome);
      onSettled(outcome, delivery);
    } catch (error) {
      onUnsettled(delivery, error);
    }
  }
}

interface WebParts {
  readonly source: HttpSource;
  readonly metrics: Metrics;
  readonly log: Log;
}

async function startWeb(config: Config, { source, metrics, log }: WebParts): Promise<WebServer> {
  const { host, port, dryRun } = config;
  const app = createWebApp({
    source,
    isSecret: secretCheck(await secretOf(config)),
    dryRun,
    metrics: () => metrics.text(),
    onAnswered: ({ method, path, status }) => {
      // Asked for every few seconds by machines.
      const isRoutine = path === "/health" || path === "/metrics";
      const level = status === 401 || status === 403 ? "warn" : isRoutine ? "debug" : "info";
      log[level]({ method, path, status }, "answered");
    },
    onError: (error) => log.error(faultOf(error), "internal error"),
  });
  try {
    return await listen(app, { host, port });
  } catch (error) {
    throw new ConfigError([listenProblem(error as NodeJS.ErrnoException, host, port)]);
  }
}

/** Where it happened, but not its message, which may quote what a caller sent. */
function faultOf(error: unknown) {
  if (!(error instanceof Error)) return { error: typeof error };
  return { error: error.name, at: (error.stack ?? "").split("\n").filter((line) => /^ +at /.test(line)) };
}

async function secretOf({ secret, secretFile }: Config): Promise<string> {
  if (secret !== undefined) return secret;
  try {
    return await readSecretFile(secretFile ?? "");
  } catch (error) {
    throw new ConfigError([`SECRET_FILE is '${secretFile}', which can't be read: ${(error as Error).message}`]);
  }
}

function listenProblem({ code, message }: NodeJS.ErrnoException, host: string, port: number): string {
  switch (code) {
    case "EADDRINUSE":
      return `PORT is ${port}, which somebody else listens on at ${host}: set another one`;
    case "EACCES":
      return `PORT is ${port}, which this user may not listen on: set one above 1023`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return `HOST is '${host}', which is not an address of this machine`;
    default:
      return `can't listen on ${host}:${port}: ${message}`;
  }
}
