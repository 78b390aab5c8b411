import type { Clock } from "../drain/clock.ts";
import { asDrainError } from "../drain/errors.ts";
import type { Log } from "../observe/log.ts";
import type { Tracing } from "../observe/tracing.ts";
import type { LambdaContext } from "./invocation.ts";

export interface InvocationLogOptions<T> {
  readonly handler: "sqs" | "eventbridge";
  readonly context: LambdaContext;
  readonly log: Log;
  readonly clock: Clock;
  readonly tracing: Tracing | undefined;
  /** The number of messages of a queue. Absent: the event came without a queue. */
  readonly messages?: number;
  /** The number of messages that are returned to the queue. */
  readonly failedOf?: (answer: T) => number;
}

/**
 * Does the work of one invocation, with a line in the log for it and, if they are configured, a trace that is sent by
 * its end.
 */
export function toldInvocation<T>(options: InvocationLogOptions<T>, work: () => Promise<T>): Promise<T> {
  const { tracing, context, handler, messages } = options;
  const logged = () => loggedInvocation(options, work);
  if (tracing === undefined) return logged();
  const { awsRequestId, functionName = "hasta-la-vista", invokedFunctionArn } = context;
  const attributes = {
    "faas.trigger": "pubsub",
    "hasta_la_vista.handler": handler,
    ...(awsRequestId === undefined ? {} : { "faas.invocation_id": awsRequestId }),
    ...(invokedFunctionArn === undefined ? {} : { "aws.lambda.invoked_arn": invokedFunctionArn }),
    ...(messages === undefined ? {} : { "messaging.batch.message_count": messages }),
  };
  return tracing.invocation({ name: functionName, attributes, remainingMs: context.getRemainingTimeInMillis }, logged);
}

async function loggedInvocation<T>(
  { handler, context, log, clock, messages, failedOf }: InvocationLogOptions<T>,
  work: () => Promise<T>,
): Promise<T> {
  const begunAt = clock.now();
  const { awsRequestId: requestId } = context;
  const about = () => ({
    handler,
    ...(requestId === undefined ? {} : { requestId }),
    tookSeconds: Math.round((clock.now() - begunAt) / 100) / 10,
    ...(messages === undefined ? {} : { messages }),
  });
  try {
    const answer = await work();
    log("invocation completed", { ...about(), ...(failedOf && { failed: failedOf(answer) }) });
    return answer;
  } catch (error) {
    log("invocation failed", { ...about(), error: asDrainError(error).message });
    throw error;
  }
}
