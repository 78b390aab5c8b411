import type { Config } from "../config/config.ts";
import { newAbort } from "../drain/abort.ts";
import type { EvictionOptions } from "../drain/eviction.ts";
import type { NodeStatusReport } from "../drain/report.ts";
import { parseNodeReference } from "../drain/request.ts";
import { type Call, widthOf } from "./call.ts";
import { evictionFields } from "./eviction-flags.ts";
import { EXIT, exitCodeOfAll } from "./exit-codes.ts";
import { RemoteError } from "./failure.ts";
import { nodeOf } from "./node-argument.ts";
import { type Understood, understand } from "./remote-answer.ts";
import { remoteFrom } from "./remote-from.ts";
import type { RemoteAnswer, RemoteService } from "./remote-service.ts";
import { interruptSignal } from "./shutdown.ts";
import { nodeStatusText, outcomeText, planText } from "./text.ts";

export interface RemoteDrainOptions {
  readonly server: URL;
  readonly json?: true;
  readonly reason?: string;
  /** Seconds from now. */
  readonly deadline?: number;
  readonly force?: true;
  /** Absent: no pods are evicted. */
  readonly evict?: EvictionOptions | undefined;
  /** Seconds, or whether to wait at all. */
  readonly wait?: number | boolean;
}

/** `drain --server`, of one node or of several beside each other: returns the exit code. */
export async function drainRemotely(options: RemoteDrainOptions, call: Call): Promise<number> {
  const { service, config } = await remoteFrom(call, "drain", options.server);
  const asking = { options, call, service, config, interrupted: interruptSignal(call) };
  const [first = "", ...others] = call.args;
  if (others.length === 0) return tell(await drainOne(first, asking), call);
  const ended = await Promise.all(
    call.args.map(async (node) => {
      const one = await drainOne(node, asking).catch(failedToAsk);
      // Each as it ends. What is for programs comes as one object.
      if (options.json !== true) tell({ ...one, ...(one.problem && { problem: `${node}: ${one.problem}` }) }, call);
      return one;
    }),
  );
  if (options.json === true) {
    for (const { problem } of ended)
      if (problem !== undefined) call.streams.stderr.write(`hasta-la-vista: ${problem}\n`);
    call.streams.stdout.write(`${JSON.stringify({ drains: ended.map(({ body }) => body) })}\n`);
  }
  return exitCodeOfAll(ended.map(({ exitCode }) => exitCode));
}

interface Asking {
  readonly options: RemoteDrainOptions;
  readonly call: Call;
  readonly service: RemoteService;
  readonly config: Config;
  readonly interrupted: AbortSignal;
}

/** What became of one node. */
interface RemoteEnd extends Pick<Understood, "exitCode" | "problem"> {
  readonly body: RemoteAnswer["body"];
  /** For people. Absent where the problem says it all. */
  readonly text?: string | undefined;
}

async function drainOne(node: string, { options, call, service, config, interrupted }: Asking): Promise<RemoteEnd> {
  const { clock, stdout } = call.streams;
  const startedAt = clock.now();
  const { reason, deadline, force, evict, wait = true, server } = options;
  const request = {
    ...named(node),
    ...(wait === true ? {} : { wait }),
    ...(deadline === undefined ? {} : { deadline }),
    ...(force === undefined ? {} : { force }),
    ...evictionFields(evict),
    ...(reason === undefined ? {} : { reason }),
    ...(config.timeoutMs === undefined ? {} : { timeout: config.timeoutMs / 1_000 }),
    ...(config.dryRun ? { dryRun: true } : {}),
  };
  const answer = await askForDrain(service, request, { node, server, interrupted });
  const { body } = answer;
  if (answer.status === 202) {
    const text =
      body["begun"] === false
        ? `The drain ${body["drainId"]} is accepted and has not begun, because the guard has not decided yet. Run 'status ${node}' to see whether it is refused.`
        : `The drain ${body["drainId"]} has begun and continues in the service. Run 'status ${node}' to see its progress.`;
    return { exitCode: wait === false ? EXIT.done : EXIT.notDrained, body, text };
  }
  const { exitCode, outcome, problem } = understand(answer);
  const text = outcome && outcomeText(outcome, clock.now() - startedAt, widthOf(stdout));
  return { exitCode, body, text, ...(problem !== undefined && { problem }) };
}

/** One of several nodes: the others go on. */
function failedToAsk(error: unknown): RemoteEnd {
  if (!(error instanceof RemoteError)) throw error;
  const { message, exitCode } = error;
  return { exitCode, problem: message, body: { error: { code: "service", message } } };
}

function tell({ exitCode, problem, body, text }: RemoteEnd, call: Call): number {
  return print(call, { body }, { exitCode, ...(problem !== undefined && { problem }) }, text);
}

/** `plan --server`: returns the exit code. */
export async function planRemotely(
  options: Pick<RemoteDrainOptions, "server" | "json" | "deadline">,
  call: Call,
): Promise<number> {
  const { service } = await remoteFrom(call, "plan", options.server);
  const { deadline } = options;
  const body = { ...named(nodeOf(call)), ...(deadline === undefined ? {} : { deadline }), dryRun: true };
  const answer = await service.ask("POST", "/drain", body, newAbort().signal);
  const understood = understand(answer);
  const { outcome } = understood;
  if (outcome?.status !== "planned") return print(call, answer, understood, outcome && outcomeText(outcome, 0));
  call.streams.stdout.write(
    `${options.json ? JSON.stringify(outcome.plan) : planText(outcome.plan, widthOf(call.streams.stdout))}\n`,
  );
  return EXIT.done;
}

/** `status --server`: returns the exit code. */
export async function statusRemotely(
  { server, json }: Pick<RemoteDrainOptions, "server"> & { readonly json: true | undefined },
  call: Call,
): Promise<number> {
  const { service } = await remoteFrom(call, "status", server);
  const path = `/nodes/${encodeURIComponent(nodeOf(call))}`;
  const answer = await service.ask("GET", path, undefined, newAbort().signal);
  if (answer.status !== 200) return print(call, answer, understand(answer), undefined);
  const report = answer.body as unknown as NodeStatusReport;
  const text = () =>
    `${nodeStatusText(report, widthOf(call.streams.stdout))}${report.drain === undefined ? "\n\nNo drain runs for it." : ""}`;
  call.streams.stdout.write(`${json ? JSON.stringify(report) : text()}\n`);
  return EXIT.done;
}

/** Answers are printed as they came, or in words; problems without an outcome go to stderr. */
export function print(
  { options: { json }, streams: { stdout, stderr } }: Call,
  { body }: Pick<RemoteAnswer, "body">,
  { exitCode, problem }: Understood,
  text: string | undefined,
): number {
  if (problem !== undefined) stderr.write(`hasta-la-vista: ${problem}\n`);
  if (json === true) stdout.write(`${JSON.stringify(body)}\n`);
  else if (text !== undefined) stdout.write(`${text}\n`);
  return exitCode;
}

/** `node` and `server`: how a person finds the drain again that goes on without it. */
async function askForDrain(
  service: RemoteService,
  body: object,
  { node, server, interrupted }: { readonly node: string; readonly server: URL; readonly interrupted: AbortSignal },
): Promise<RemoteAnswer> {
  try {
    return await service.ask("POST", "/drain", body, interrupted);
  } catch (error) {
    if (!interrupted.aborted) throw error;
    const at = `${node} --server ${server.origin}${server.pathname.replace(/\/$/, "")}`;
    throw new RemoteError(
      `stopped waiting: the drain of ${node} continues in the service. See it: hasta-la-vista status ${at}. Cancel it: hasta-la-vista uncordon ${at}`,
    );
  }
}

function named(node: string): object {
  const { by, value } = parseNodeReference(node);
  return { [by === "name" ? "node" : by]: value };
}
