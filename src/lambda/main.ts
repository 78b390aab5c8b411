import { FunctionClock } from "./clock.ts";
import { createHandlers, type Handlers } from "./handlers.ts";
import type { LambdaContext } from "./invocation.ts";
import { type SqsBatchResponse, sqsRecords } from "./sqs-handler.ts";

/** The version of the package, which the build inserts. */
declare const __VERSION__: string;

const clock = new FunctionClock();
let made: Handlers | undefined;

/**
 * For one invocation. They are made at the first one, so that a wrong configuration is the error of that invocation.
 */
async function handlers(): Promise<Handlers> {
  clock.invocationBegins();
  const write = (line: string) => void process.stdout.write(line);
  made ??= await createHandlers({ environment: process.env, write, clock, version: __VERSION__ });
  return made;
}

/** For an event source mapping of an SQS queue with ReportBatchItemFailures. */
export async function sqs(event: unknown, context: LambdaContext): Promise<SqsBatchResponse> {
  return (await handlers()).queue.answer(sqsRecords(event), context);
}

/** For rules of EventBridge that invoke the function directly. */
export async function eventbridge(event: unknown, context: LambdaContext): Promise<void> {
  return (await handlers()).rule.answer(event, context);
}
