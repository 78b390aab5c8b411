import { ConfigError } from "../config/config.ts";
import { newAbort, WOKEN } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { printable } from "../drain/errors.ts";
import { LimitPassed, withLimit } from "../drain/limit.ts";
import { type ReportedOutcome, verdictOf } from "../drain/outcome.ts";
import { parseNodeReference } from "../drain/request.ts";
import type { Log } from "../observe/log.ts";
import { createLog } from "../observe/service-log.ts";
import type { Call } from "./call.ts";
import { EXIT } from "./exit-codes.ts";
import { RemoteError } from "./failure.ts";
import { type NodeOptions, nodeOf } from "./node-argument.ts";
import type { RemoteAnswer } from "./remote-answer.ts";
import { remoteFrom } from "./remote-from.ts";
import type { RemoteService } from "./remote-service.ts";
import { nextInterrupt } from "./shutdown.ts";

/** How often the service is asked. It answers from memory. */
const INTERVAL_MS = 5_000;
const ANSWER_WITHIN_MS = 10_000;
/** A drain that is not known by then was not requested: the pod is terminated for another reason. */
const REQUESTED_WITHIN_MS = 15_000;

export async function runHold(call: Call): Promise<number> {
  const { server } = call.options as NodeOptions;
  if (server === undefined) throw new ConfigError(["hold requires --server: give the address of the service"]);
  const node = nodeOf(call);
  parseNodeReference(node);
  const { service, config } = await remoteFrom(call, "hold", server, ["logLevel"]);
  const { clock, stdout } = call.streams;
  const log = createLog(config.logLevel, stdout, () => clock.now());
  // Listens before it reports that, so that no signal ends the pod at once.
  const interrupted = nextInterrupt(call.streams);
  log("hold ready", { asked: { name: printable(node) } });
  await whileRunning(interrupted, clock);
  await untilDrained(node, { service, log, clock });
  return EXIT.done;
}

const DAY_MS = 86_400_000;

/** Waits for a signal. Its listener alone would not keep the process running, but a timer does. */
async function whileRunning(interrupted: Promise<void>, clock: Clock): Promise<void> {
  const over = newAbort();
  void interrupted.then(() => over.abort(WOKEN));
  while (!over.signal.aborted) await clock.sleep(DAY_MS, over.signal).catch(() => {});
}

interface Holding {
  readonly service: Pick<RemoteService, "ask">;
  readonly log: Log;
  readonly clock: Clock;
}

/**
 * Resolves when the service reports that the node is drained, or that there is no drain. Failed requests are repeated
 * until Kubernetes ends the pod. Never rejects.
 */
export async function untilDrained(node: string, { service, log, clock }: Holding): Promise<void> {
  const startedAt = clock.now();
  const never = newAbort().signal;
  const about = { asked: { name: printable(node) } };
  let [asked, seen, trouble] = [node, undefined as string | undefined, ""];
  for (;;) {
    try {
      const answer = await ask(service, asked, clock, never);
      const state = stateOf(answer);
      trouble = "";
      if (state.id !== undefined) asked = state.id;
      if (state.drain !== undefined && state.drain !== seen) log("hold started", { ...about, drain: state.drain });
      seen = state.drain ?? seen;
      const isLate = clock.now() - startedAt >= REQUESTED_WITHIN_MS;
      if (state.isOver || (seen === undefined && isLate)) return log("hold ended", { ...about, result: state.result });
    } catch (error) {
      const message = error instanceof LimitPassed ? "no answer in time" : (error as Error).message;
      if (message !== trouble) log("hold status failed", { ...about, error: printable(message, 300) });
      trouble = message;
    }
    await clock.sleep(INTERVAL_MS, never);
  }
}

function ask(service: Holding["service"], node: string, clock: Clock, signal: AbortSignal): Promise<RemoteAnswer> {
  const limit = { reason: "timeout", at: clock.now() + ANSWER_WITHIN_MS } as const;
  return withLimit({ clock, limit, signal }, (within) =>
    service.ask("GET", `/nodes/${encodeURIComponent(node)}`, undefined, within),
  );
}

interface State {
  /** The instance id, with which the service need not ask AWS. */
  readonly id?: string;
  /** Absent: no drain runs. */
  readonly drain?: string;
  /** Nothing remains to be waited for. */
  readonly isOver: boolean;
  readonly result: string;
}

/** Throws `RemoteError` if the answer says nothing about the node. */
function stateOf({ status, body }: RemoteAnswer): State {
  if (status === 404) return { isOver: true, result: "node-not-found" };
  if (status !== 200) throw new RemoteError(`the service answered ${status}`);
  const { node, drain, lastDrain } = body as Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;
  const id = typeof node?.["id"] === "string" ? { id: node["id"] } : {};
  if (drain !== undefined) return { ...id, drain: String(drain["drainId"]), isOver: false, result: "draining" };
  const result = String(lastDrain?.["status"] ?? "not-requested");
  const { limit } = (lastDrain?.["outcome"] ?? {}) as Pick<ReportedOutcome, "limit">;
  const verdict = verdictOf({ status: result as ReportedOutcome["status"], ...(limit && { limit }) });
  // Otherwise the drain is requested again.
  return { ...id, isOver: verdict === "can-go" || verdict === "stays", result };
}
