import type { Config } from "./config.ts";
import { newAbort, withAnyOf } from "./drain/abort.ts";
import { SystemClock } from "./drain/clock.ts";
import type { Drainer } from "./drain/drainer.ts";
import type { Delivery, EventSource } from "./drain/event-source.ts";
import type { DrainOutcome } from "./drain/outcome.ts";
import type { NodeReference } from "./drain/request.ts";
import { createEngine } from "./engine.ts";
import { drainLog, type Log, logWithoutDrain } from "./observe/logging.ts";
import { Metrics } from "./observe/metrics.ts";
import { startWeb } from "./start-web.ts";
import { HttpSource, NotTaken } from "./web/http-source.ts";
import { Readiness, type ReadyState } from "./web/readiness.ts";

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
  const engine = createEngine(config, { clock, observers, onCall: metrics.countCall });
  const { drainer, checkAccess } = engine;
  const index = engine.keepIndex(stop);
  const source = new HttpSource();
  const readiness = new Readiness({ clock, check: checkAccess, onChange: (state) => logReadiness(log, state) });
  const status = async (node: NodeReference, signal: AbortSignal) => {
    try {
      return await withAnyOf([signal, abandon], (either) => drainer.status(node, either));
    } catch (error) {
      throw abandon.aborted ? new NotTaken("the service is stopping") : error;
    }
  };
  const ready = () => readiness.state;
  const web = await startWeb(config, { source, status, ready, metrics: () => metrics.text(), clock, version, log });
  const rereading = web.rereadFiles(stop);
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
  await index;
  const flushed = newAbort();
  await web.close(clock.sleep(FLUSH_MS, flushed.signal)).finally(() => flushed.abort());
  await Promise.all([checking, rereading]);
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
      const { drain, outcome: ended } = await drainer.accept(delivery.request, abandon);
      if (drain !== undefined) delivery.accepted(drain);
      const outcome = await ended;
      await delivery.settle(outcome);
      onSettled(outcome, delivery);
    } catch (error) {
      onUnsettled(delivery, error);
    }
  }
}

function logReadiness(log: Log, state: ReadyState): void {
  if (state.status === "ready") log.info("ready: AWS allows what a drain reads");
  if (state.status === "not-ready") {
    for (const { error } of state.problems)
      log.warn({ code: error.code, error: error.message }, "not ready: drains will fail until this is mended");
  }
}
