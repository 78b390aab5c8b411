import type { Command } from "commander";
import type { Clock } from "../drain/clock.ts";
import { parseNodeReference } from "../drain/request.ts";
import { EXIT } from "./exit-codes.ts";
import { type Understood, understand } from "./remote-answer.ts";
import { type RemoteAnswer, RemoteError, type RemoteService } from "./remote-service.ts";
import { remoteFrom } from "./server-option.ts";
import { interruptSignal } from "./shutdown.ts";
import { outcomeText, planText } from "./text.ts";

export interface RemoteDrainOptions {
  readonly server: URL;
  readonly json?: true;
  readonly reason?: string;
  /** Seconds from now. */
  readonly deadline?: number;
  readonly force?: true;
  /** Seconds, or whether to wait at all. */
  readonly wait?: number | boolean;
}

/** `drain --server`: returns the exit code. */
export async function drainRemotely(
  node: string,
  options: RemoteDrainOptions,
  command: Command,
  clock: Clock,
): Promise<number> {
  const startedAt = clock.now();
  const { service, config } = await remoteFrom(command, "drain", options.server);
  const { reason, deadline, force, wait = true } = options;
  const answer = await askForDrain(service, {
    ...named(node),
    ...(wait === true ? {} : { wait }),
    ...(deadline === undefined ? {} : { deadline }),
    ...(force === undefined ? {} : { force }),
    ...(reason === undefined ? {} : { reason }),
    ...(config.timeoutMs === undefined ? {} : { timeout: config.timeoutMs / 1_000 }),
    ...(config.dryRun ? { dryRun: true } : {}),
  });
  const { drainId } = answer.body;
  if (answer.status === 202) {
    const text = `The drain ${drainId} has begun and goes on in the service: 'status ${node}' shows how it fares.`;
    process.stdout.write(`${options.json ? JSON.stringify(answer.body) : text}\n`);
    return wait === false ? EXIT.done : EXIT.notDrained;
  }
  const understood = understand(answer);
  const { outcome } = understood;
  return print(answer, understood, options.json, outcome && outcomeText(outcome, clock.now() - startedAt));
}

/** `plan --server`: returns the exit code. */
export async function planRemotely(
  node: string,
  options: Pick<RemoteDrainOptions, "server" | "json" | "deadline">,
  command: Command,
): Promise<number> {
  const { service } = await remoteFrom(command, "plan", options.server);
  const { deadline } = options;
  const answer = await askForDrain(service, {
    ...named(node),
    ...(deadline === undefined ? {} : { deadline }),
    dryRun: true,
  });
  const understood = understand(answer);
  const { outcome } = understood;
  if (outcome?.status !== "planned") return print(answer, understood, options.json, outcome && outcomeText(outcome, 0));
  process.stdout.write(`${options.json ? JSON.stringify(outcome.plan) : planText(outcome.plan)}\n`);
  return EXIT.done;
}

/** Answers are printed as they came, or in words; problems without an outcome go to stderr. */
export function print(
  { body }: RemoteAnswer,
  { exitCode, problem }: Understood,
  json: true | undefined,
  text: string | undefined,
): number {
  if (problem !== undefined) process.stderr.write(`hasta-la-vista: ${problem}\n`);
  if (json) process.stdout.write(`${JSON.stringify(body)}\n`);
  else if (text !== undefined) process.stdout.write(`${text}\n`);
  return exitCode;
}

async function askForDrain(service: RemoteService, body: object): Promise<RemoteAnswer> {
  const interrupted = interruptSignal();
  try {
    return await service.ask("POST", "/drain", body, interrupted);
  } catch (error) {
    if (!interrupted.aborted) throw error;
    throw new RemoteError("stopped waiting: a drain that has begun goes on in the service");
  }
}

function named(node: string): object {
  const { by, value } = parseNodeReference(node);
  return { [by === "name" ? "node" : by]: value };
}
