import { newAbort } from "../drain/abort.ts";
import type { NodeStatusReport } from "../drain/report.ts";
import type { Call } from "./call.ts";
import { poolNames } from "./cells.ts";
import { EXIT, exitCodeOfPlan } from "./exit-codes.ts";
import { type DrainRecordReport, recordOf } from "./follow.ts";
import { isDrainId, nodeFields, nodeOf } from "./node-argument.ts";
import { type Format, formatFrom, type OutputFlags, printResult } from "./output.ts";
import { type RemoteAnswer, refusalOf, understand } from "./remote-answer.ts";
import { remoteFrom } from "./remote-from.ts";
import type { RemoteService } from "./remote-service.ts";

interface RemoteOptions extends OutputFlags {
  readonly server: URL;
  /** Seconds from now. */
  readonly deadline?: number;
}

/** The requests of verbs to a service, repeated while the service is temporarily unavailable. */
export type Patient = Pick<RemoteService, "ask" | "events">;

/** For this long a service may be without a leader, or be stopping while another replica takes over. */
const PATIENCE_MS = 60_000;

/**
 * Repeats requests that are answered with 503 and `Retry-After`, and reports that once. A repeated request joins the
 * drain of the first one.
 */
export function patient(service: RemoteService, { streams: { clock, stderr } }: Pick<Call, "streams">): Patient {
  let isTold = false;
  return {
    events: (...given) => service.events(...given),
    ask: async (method, path, body, signal) => {
      for (let waitedMs = 0; ; ) {
        const answer = await service.ask(method, path, body, signal);
        const { retryAfterMs = PATIENCE_MS } = answer;
        waitedMs += retryAfterMs;
        if (!isUnavailable(answer) || waitedMs > PATIENCE_MS) return answer;
        if (!isTold)
          stderr.write(
            `hasta-la-vista: ${understand(answer).problem}. Repeating the request for up to ${PATIENCE_MS / 1_000} s\n`,
          );
        isTold = true;
        await clock.sleep(retryAfterMs, signal);
      }
    },
  };
}

/** Nothing was done. An answer with an outcome or a drain would mean that something was. */
function isUnavailable({ status, retryAfterMs, body }: RemoteAnswer): boolean {
  return status === 503 && retryAfterMs !== undefined && body["outcome"] === undefined && body["drainId"] === undefined;
}

/** `plan --server`: returns the exit code. */
export async function planRemotely(options: RemoteOptions, call: Call): Promise<number> {
  const format = formatFrom(options);
  const { service } = await remoteFrom(call, "plan", options.server);
  const { deadline } = options;
  const body = { ...nodeFields(nodeOf(call)), ...(deadline === undefined ? {} : { deadline }), dryRun: true };
  const answer = await patient(service, call).ask("POST", "/drain", body, newAbort().signal);
  const { outcome, exitCode } = understand(answer);
  const { outcomeText, planText } = await import("./text.ts");
  if (outcome?.status === "planned") {
    const { plan } = outcome;
    await printResult(call, format, { data: plan, names: poolNames(plan), text: (look) => planText(plan, look) });
    return exitCodeOfPlan(plan);
  }
  if (outcome === undefined) return refused(answer, format, call);
  await printResult(call, format, { data: answer.body, names: [], text: (look) => outcomeText(outcome, 0, look) });
  return exitCode;
}

/** `status --server`, of a node or of a drain: returns the exit code. */
export async function statusRemotely(options: RemoteOptions, call: Call): Promise<number> {
  const format = formatFrom(options);
  const { service: asked } = await remoteFrom(call, "status", options.server);
  const service = patient(asked, call);
  const node = nodeOf(call);
  const { signal } = newAbort();
  if (isDrainId(node)) return tellDrain(await recordOf({ service, drainId: node }, signal), format, call);
  const answer = await service.ask("GET", `/nodes/${encodeURIComponent(node)}`, undefined, signal);
  if (answer.status !== 200) return refused(answer, format, call);
  const report = answer.body as unknown as NodeStatusReport;
  const { nodeStatusText } = await import("./text.ts");
  const none = report.drain === undefined ? "\n\nNo drain runs for it." : "";
  await printResult(call, format, {
    data: report,
    names: poolNames(report),
    text: (look) => `${nodeStatusText(report, look)}${none}`,
  });
  return EXIT.done;
}

async function tellDrain(record: DrainRecordReport, format: Format, call: Call): Promise<number> {
  const { drainText } = await import("./drain-text.ts");
  await printResult(call, format, { data: record, names: [record.drainId], text: (look) => drainText(record, look) });
  return EXIT.done;
}

/** Problems without an outcome go to stderr, and programs get the answer too. */
export async function refused(answer: RemoteAnswer, format: Format, call: Call): Promise<number> {
  const { message, exitCode } = refusalOf(answer);
  call.streams.stderr.write(`hasta-la-vista: ${message}\n`);
  if (format === "json" || format === "yaml")
    await printResult(call, format, { data: answer.body, names: [], text: () => "" });
  return exitCode;
}

/** The drain of an answer, as `--output name` prints it. */
export function outcomeNames(body: Readonly<Record<string, unknown>>): readonly string[] {
  const { drainId } = { ...body, ...(body["outcome"] as object | undefined) } as { readonly drainId?: unknown };
  return typeof drainId === "string" ? [drainId] : [];
}

/** For the commands in messages. */
export function serverFlag({ server }: { readonly server: URL }): string {
  return `--server ${server.origin}${server.pathname.replace(/\/$/, "")}`;
}
