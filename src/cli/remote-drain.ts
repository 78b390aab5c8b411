import type { Config } from "../config/config.ts";
import type { EvictionOptions } from "../drain/eviction.ts";
import { LimitPassed, withLimit } from "../drain/limit.ts";
import type { OutcomeReport } from "../drain/report.ts";
import type { Call } from "./call.ts";
import { evictionFields } from "./eviction-flags.ts";
import { EXIT, exitCodeOf, exitCodeOfAll } from "./exit-codes.ts";
import { RemoteError, UsageError } from "./failure.ts";
import { checkNode, nodeFields } from "./node-argument.ts";
import { type Format, formatFrom, isForPrograms, type OutputFlags, printResult } from "./output.ts";
import { type RemoteAnswer, refusalOf, type Understood, understand } from "./remote-answer.ts";
import { remoteFrom } from "./remote-from.ts";
import { outcomeNames, type Patient, patient, serverFlag } from "./remote-reads.ts";
import { interruptSignal } from "./shutdown.ts";
import type { RemoteDrain } from "./step-progress.ts";
import { type UndoFile, undoFileFor } from "./undo-file.ts";

export interface RemoteDrainOptions extends OutputFlags {
  readonly server: URL;
  readonly reason?: string;
  /** Seconds from now. */
  readonly deadline?: number;
  readonly force?: true;
  /** Selects nodes by labels, in addition. */
  readonly selector?: string;
  /** Absent: no pods are evicted. */
  readonly evict?: EvictionOptions | undefined;
  /** Seconds, or whether to wait at all. */
  readonly wait?: number | boolean;
  readonly undoFile?: string;
}

/** `drain --server` for one node, or several at the same time: returns the exit code. */
export async function drainRemotely(options: RemoteDrainOptions, call: Call): Promise<number> {
  const format = formatFrom(options);
  const { service: asked, config } = await remoteFrom(call, "drain", options.server);
  const service = patient(asked, call);
  const interrupted = interruptSignal(call);
  const { nodes, left } = await nodesFrom(call, options, service, interrupted);
  const undoFile = await undoFileFor(options, call);
  const asking = { options, call, format, service, config, interrupted, isAlone: nodes.length === 1, undoFile };
  const [only] = nodes;
  if (nodes.length === 1 && only !== undefined) {
    const { problem, ...end } = await drainOne(only, asking);
    tellProblem(call, problem);
    await tell(end, asking);
    return left > 0 ? EXIT.notDrained : end.exitCode;
  }
  const ended = await Promise.all(
    nodes.map(async (node) => {
      const { problem, ...end } = await drainOne(node, asking).catch(failedToAsk);
      tellProblem(call, problem && `${node}: ${problem}`);
      // Each when it ends. The output for programs is one object.
      if (!isForPrograms(format)) await tell(end, asking);
      return end;
    }),
  );
  if (isForPrograms(format)) {
    const data = { drains: ended.map(({ body }) => body) };
    await printResult(call, format, { data, names: ended.flatMap(({ body }) => outcomeNames(body)), text: () => "" });
  }
  return left > 0 ? EXIT.notDrained : exitCodeOfAll(ended.map(({ exitCode }) => exitCode));
}

interface Asking {
  readonly options: RemoteDrainOptions;
  readonly call: Call;
  readonly format: Format;
  readonly service: Patient;
  readonly config: Config;
  readonly interrupted: AbortSignal;
  readonly isAlone: boolean;
  readonly undoFile: UndoFile | undefined;
}

/** The result for one node. */
interface RemoteEnd extends Pick<Understood, "exitCode" | "problem"> {
  readonly body: RemoteAnswer["body"];
  /** Absent if the problem says everything. */
  readonly outcome?: OutcomeReport;
  readonly tookMs?: number;
  /** Instead of an outcome, or below it. */
  readonly note?: string;
}

/** The answer of `POST /drain`: the drain continues without the caller. */
interface Accepted extends RemoteDrain {
  readonly begun?: false;
}

async function drainOne(node: string, asking: Asking): Promise<RemoteEnd> {
  const { options, call, config, interrupted } = asking;
  const { clock, stderr } = call.streams;
  const { wait = true } = options;
  const startedAt = clock.now();
  // An immediate answer names the drain, which can be followed then.
  const isFollowed = wait !== false && !config.dryRun;
  const asked = { ...requestFor(node, asking), ...(isFollowed ? { wait: 0 } : wait === false ? { wait } : {}) };
  const first = await askForDrain(node, asked, asking);
  const unrecorded = first.status === 503 && first.body["code"] === "ledger-unavailable" && isFollowed;
  if (unrecorded) {
    stderr.write(
      `hasta-la-vista: the service can't record the drain of ${node} now, so its steps can't be shown: waiting for its end\n`,
    );
  }
  const answer = unrecorded ? await askForDrain(node, requestFor(node, asking), asking) : first;
  if (answer.status !== 202) {
    const understood = understand(answer);
    return { ...understood, body: answer.body, tookMs: clock.now() - startedAt };
  }
  const accepted = answer.body as unknown as Accepted;
  if (!isFollowed) return { exitCode: EXIT.done, body: answer.body, note: acceptedText(node, accepted) };
  try {
    return await untilEnd(node, accepted, asking);
  } catch (error) {
    if (interrupted.aborted) throw stoppedWaiting(node, asking, accepted.drainId);
    if (!(error instanceof LimitPassed)) throw error;
    const own = typeof wait === "number" ? "" : "Not drained: the timeout came first. ";
    return { exitCode: EXIT.notDrained, body: answer.body, note: `${own}${acceptedText(node, accepted)}` };
  }
}

/**
 * How much longer than its own timeout a caller waits for the drain to end. If it does not, others still wait for the
 * drain.
 */
const OTHERS_MS = 5_000;

/** Follows the drain. Throws `LimitPassed` if it continues for longer than this caller waits. */
async function untilEnd(node: string, accepted: Accepted, asking: Asking): Promise<RemoteEnd> {
  const { options, call, config, format, service, interrupted, isAlone, undoFile } = asking;
  const { clock } = call.streams;
  const { wait } = options;
  const { followToEnd } = await import("./remote-progress.ts");
  const following = { drain: accepted, service, call, format, isAlone, evicts: options.evict !== undefined, undoFile };
  const work = (signal: AbortSignal) => followToEnd(following, signal);
  const within = typeof wait === "number" ? wait * 1_000 : config.timeoutMs && config.timeoutMs + OTHERS_MS;
  const limit = within === undefined ? undefined : ({ reason: "timeout", at: clock.now() + within } as const);
  const { outcome, tookMs } = await (limit === undefined
    ? work(interrupted)
    : withLimit({ clock, limit, signal: interrupted }, work));
  const at = serverFlag(options);
  const isUndrained = exitCodeOf(outcome) === EXIT.notDrained && hasDeregistered(outcome);
  const undo = isUndrained
    ? `\nTo register the targets again, run: hasta-la-vista cancel ${accepted.drainId} ${at}`
    : "";
  const note = `Drain ${accepted.drainId} of ${node}. See it: hasta-la-vista status ${accepted.drainId} ${at}${undo}`;
  return { exitCode: exitCodeOf(outcome), body: { ...outcome }, outcome, tookMs, note };
}

function hasDeregistered(outcome: OutcomeReport): boolean {
  return "registrations" in outcome && outcome.registrations.some(({ deregistered }) => deregistered);
}

function requestFor(node: string, { options, config }: Asking): object {
  const { reason, deadline, force, evict } = options;
  return {
    ...nodeFields(node),
    ...(deadline === undefined ? {} : { deadline }),
    ...(force === undefined ? {} : { force }),
    ...evictionFields(evict),
    ...(reason === undefined ? {} : { reason }),
    ...(config.timeoutMs === undefined ? {} : { timeout: config.timeoutMs / 1_000 }),
    ...(config.dryRun ? { dryRun: true } : {}),
  };
}

function acceptedText(node: string, { drainId, begun }: Accepted): string {
  return begun === false
    ? `The drain ${drainId} is accepted and has not begun, because the guard has not decided yet. Run 'status ${node}' to see whether it is refused.`
    : `The drain ${drainId} has begun and continues in the service. Run 'status ${node}' to see its progress.`;
}

async function askForDrain(node: string, body: object, asking: Asking): Promise<RemoteAnswer> {
  const { service, interrupted } = asking;
  try {
    return await service.ask("POST", "/drain", body, interrupted);
  } catch (error) {
    throw interrupted.aborted ? stoppedWaiting(node, asking) : error;
  }
}

/** How a person finds the drain that continues. */
function stoppedWaiting(node: string, { options }: Asking, drainId?: string): RemoteError {
  const at = serverFlag(options);
  const drain = drainId === undefined ? "the drain" : `the drain ${drainId}`;
  const cancel = drainId === undefined ? `uncordon ${node}` : `cancel ${drainId}`;
  return new RemoteError(
    `stopped waiting: ${drain} of ${node} continues in the service. See it: hasta-la-vista status ${node} ${at}. Cancel it: hasta-la-vista ${cancel} ${at}`,
  );
}

/** For one of several nodes: the others continue. */
function failedToAsk(error: unknown): RemoteEnd {
  if (!(error instanceof RemoteError)) throw error;
  const { message, exitCode } = error;
  return { exitCode, problem: message, body: { error: { code: "service", message } } };
}

function tellProblem({ streams: { stderr } }: Call, problem: string | undefined): void {
  if (problem !== undefined) stderr.write(`hasta-la-vista: ${problem}\n`);
}

async function tell(end: Omit<RemoteEnd, "problem">, { call, format }: Asking): Promise<void> {
  const { body, outcome, tookMs = 0, note } = end;
  if (outcome === undefined && note === undefined && !isForPrograms(format)) return;
  const { outcomeText } = await import("./text.ts");
  await printResult(call, format, {
    data: body,
    names: outcomeNames(body),
    text: (look) => [...(outcome ? [outcomeText(outcome, tookMs, look)] : []), ...(note ? [note] : [])].join("\n"),
  });
}

/**
 * The given nodes, and those of the service's cluster that the selector matches. `left`: the number of them that are
 * not EC2 instances.
 */
async function nodesFrom(
  { args, streams }: Call,
  { selector }: Pick<RemoteDrainOptions, "selector">,
  service: Patient,
  signal: AbortSignal,
): Promise<{ readonly nodes: readonly string[]; readonly left: number }> {
  if (selector === undefined && args.length === 0) throw new UsageError("no <node> is given: --help describes it");
  if (selector === undefined) return { nodes: [...new Set(args)], left: 0 };
  const answer = await service.ask("GET", `/nodes?selector=${encodeURIComponent(selector)}`, undefined, signal);
  if (answer.status !== 200) throw refusalOf(answer);
  const { nodes: selected = [] } = answer.body as { readonly nodes?: readonly SelectedNode[] };
  const strangers = selected.filter(({ id }) => id === undefined);
  for (const { name, providerId = "none" } of strangers)
    streams.stderr.write(
      `hasta-la-vista: node ${name} is left as it is: its providerID is ${providerId}, not an EC2 instance's\n`,
    );
  const nodes = [...new Set([...args, ...selected.flatMap(({ id }) => (id === undefined ? [] : [checkNode(id)]))])];
  if (nodes.length > 0) return { nodes, left: strangers.length };
  throw new UsageError(`no node has the labels '${selector}': check them with kubectl get nodes --show-labels`);
}

interface SelectedNode {
  readonly name: string;
  /** Absent: it is not an EC2 instance. */
  readonly id?: string;
  readonly providerId?: string;
}
