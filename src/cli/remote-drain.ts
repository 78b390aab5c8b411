import { newAbort } from "../drain/abort.ts";
import type { NodeStatusReport } from "../drain/report.ts";
import { parseNodeReference } from "../drain/request.ts";
import { type Call, widthOf } from "./call.ts";
import { EXIT } from "./exit-codes.ts";
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
  readonly evict?: true;
  /** Seconds, or whether to wait at all. */
  readonly wait?: number | boolean;
}

/** `drain --server`: returns the exit code. */
export async function drainRemotely(options: RemoteDrainOptions, call: Call): Promise<number> {
  const { clock, stdout } = call.streams;
  const startedAt = clock.now();
  const node = nodeOf(call);
  const { service, config } = await remoteFrom(call, "drain", options.server);
  const { reason, deadline, force, evict, wait = true } = options;
  const answer = await askForDrain(call, service, {
    ...named(node),
    ...(wait === true ? {} : { wait }),
    ...(deadline === undefined ? {} : { deadline }),
    ...(force === undefined ? {} : { force }),
    ...(evict === undefined ? {} : { evict }),
    ...(reason === undefined ? {} : { reason }),
    ...(config.timeoutMs === undefined ? {} : { timeout: config.timeoutMs / 1_000 }),
    ...(config.dryRun ? { dryRun: true } : {}),
  });
  const { drainId } = answer.body;
  if (answer.status === 202) {
    const text =
      answer.body["begun"] === false
        ? `The drain ${drainId} is accepted and has not begun, because the guard has not decided yet. Run 'status ${node}' to see whether it is refused.`
        : `The drain ${drainId} has begun and continues in the service. Run 'status ${node}' to see its progress.`;
    stdout.write(`${options.json ? JSON.stringify(answer.body) : text}\n`);
    return wait === false ? EXIT.done : EXIT.notDrained;
  }
  const understood = understand(answer);
  const { outcome } = understood;
  return print(call, answer, understood, outcome && outcomeText(outcome, clock.now() - startedAt, widthOf(stdout)));
}

/** `plan --server`: returns the exit code. */
export async function planRemotely(
  options: Pick<RemoteDrainOptions, "server" | "json" | "deadline">,
  call: Call,
): Promise<number> {
  const { service } = await remoteFrom(call, "plan", options.server);
  const { deadline } = options;
  const answer = await askForDrain(call, service, {
    ...named(nodeOf(call)),
    ...(deadline === undefined ? {} : { deadline }),
    dryRun: true,
  });
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
  { body }: RemoteAnswer,
  { exitCode, problem }: Understood,
  text: string | undefined,
): number {
  if (problem !== undefined) stderr.write(`hasta-la-vista: ${problem}\n`);
  if (json === true) stdout.write(`${JSON.stringify(body)}\n`);
  else if (text !== undefined) stdout.write(`${text}\n`);
  return exitCode;
}

async function askForDrain(call: Call, service: RemoteService, body: object): Promise<RemoteAnswer> {
  const interrupted = interruptSignal(call);
  try {
    return await service.ask("POST", "/drain", body, interrupted);
  } catch (error) {
    if (!interrupted.aborted) throw error;
    throw new RemoteError("stopped waiting: the drain continues in the service");
  }
}

function named(node: string): object {
  const { by, value } = parseNodeReference(node);
  return { [by === "name" ? "node" : by]: value };
}
