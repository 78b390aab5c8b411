import { ProxyAgent } from "../aws/proxy.ts";
import { awsClientOptions, type Config } from "../config/config.ts";
import { fileProblem, type OptionFile, OptionFileError, readOptionFile, readTextFile } from "../config/files.ts";
import { newAbort } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { printable } from "../drain/errors.ts";
import type { DrainObserver } from "../drain/events.ts";
import type { DrainOutcome, RunningDrain } from "../drain/outcome.ts";
import type { NodeReference } from "../drain/request.ts";
import { DELIVERY_RESULTS, Delivery, type DeliveryObserver } from "../notify/delivery.ts";
import { DrainNotices } from "../notify/drain-notices.ts";
import type { Notification } from "../notify/notification.ts";
import { type Receiver, readReceivers } from "../notify/receivers.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";

const RECEIVERS_BYTES_MAX = 1_048_576;
/** A URL, a token or a secret. */
const VALUE_BYTES_MAX = 16_384;
/** At the end of the service, notifications get this long to be sent, in milliseconds. */
const FLUSHED_WITHIN_MS = 2_000;

/** Sends notifications about drains. */
export interface Notifications {
  readonly observe: DrainObserver;
  /** The end of a request whose node was not found. */
  readonly withoutDrain: (this: void, outcome: DrainOutcome, asked: NodeReference) => void;
  /** Sends until `end` aborts. `running`: the state of a running drain. */
  run(running: (drainId: string) => RunningDrain | undefined, end: AbortSignal): Promise<void>;
  /** Resolves when all notifications were sent, or after a moment. */
  flushed(): Promise<void>;
}

export interface NotificationParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, "countNotifications">;
}

/**
 * Import this file only if there are receivers. Throws `OptionFileError` if their file, or one that it names, can't be
 * used.
 */
export async function openNotifications(config: Config, parts: NotificationParts): Promise<Notifications> {
  const { clock } = parts;
  const file = { option: config.givenBy.notificationsFile, path: config.notificationsFile ?? "" };
  const { receivers, stuckAfterMs } = await readOptionFile(file, RECEIVERS_BYTES_MAX, readReceivers);
  await checkFiles(file, receivers);
  // From 0, so that the first lost one is an increase.
  for (const { name } of receivers)
    for (const result of DELIVERY_RESULTS) parts.metrics.countNotifications(name, result, 0);
  const { proxy } = awsClientOptions(config);
  const agent = proxy && new ProxyAgent(proxy, {});
  const agentFor = ({ protocol }: URL) => (protocol === "https:" ? agent : undefined);
  const observer = reporting(parts);
  const deliveries = receivers.map((receiver) => new Delivery({ receiver, clock, observer, readFile, agentFor }));
  const notify = (notification: Notification) => {
    for (const delivery of deliveries) delivery.add(notification);
  };
  const notices = new DrainNotices({ clock, stuckAfterMs, notify });
  return {
    observe: notices.observe,
    withoutDrain: (outcome, asked) => notices.withoutDrain(outcome, asked),
    run: async (running, end) => {
      await Promise.all([notices.run(running, end), ...deliveries.map((delivery) => delivery.run(end))]);
    },
    flushed: async () => {
      const over = newAbort();
      const all = Promise.all(deliveries.map((delivery) => delivery.flushed(over.signal)));
      const late = clock.sleep(FLUSHED_WITHIN_MS, over.signal).catch(() => {}); // All were sent.
      await Promise.race([all, late]);
      over.abort();
    },
  };
}

/** A file that is missing at the start is a mistake in the configuration; later it is a failed delivery. */
async function checkFiles(file: OptionFile, receivers: readonly Receiver[]): Promise<void> {
  for (const { name, url, token, secret } of receivers) {
    try {
      await Promise.all([url(readFile), token?.(readFile), secret?.(readFile)]);
    } catch (error) {
      throw new OptionFileError(file, `receiver '${name}': ${(error as Error).message}`);
    }
  }
}

async function readFile(path: string): Promise<string> {
  try {
    return await readTextFile(path, VALUE_BYTES_MAX);
  } catch (error) {
    throw new Error(`${printable(path)}: ${fileProblem(error as NodeJS.ErrnoException)}`);
  }
}

function reporting({ log, metrics }: Pick<NotificationParts, "log" | "metrics">): DeliveryObserver {
  return {
    ended: (receiver, result, count, why) => {
      metrics.countNotifications(receiver, result, count);
      if (result === "rejected") log("notification rejected", { receiver, error: why ?? "" });
      if (result === "dropped") log("notification dropped", { receiver, error: why ?? "" });
    },
    failed: (receiver, error) => log("notification failed", { receiver, error }),
    recovered: (receiver) => log("notifications recovered", { receiver }),
  };
}
