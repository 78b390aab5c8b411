import type { Expected } from "./table.ts";

/**
 * What became of a terminating hook, and of the message that announced it, when one call of the source has failed in one way
 * for five minutes: the first such call; every one; every one from the deregistration on. The drain takes longer than the
 * hook waits without heartbeats.
 *
 * `continued`: completed, once, and the node was out. `timed out`: nobody has answered the hook in time. `waiting`: it waits
 * still, for each delivery of its message sends heartbeats. `kept`: the
 * message is in the queue, and it is settled once the fault is gone. `-`: such a call is not made then.
 *
 * Heartbeats that AWS does not get can't keep a hook waiting: each failure is told. "Not found" of a hook or its group is
 * believed, there being nobody else to ask: the wait ends, and that is told. So is an empty answer to ReceiveMessage: it
 * reads like that of an empty queue.
 */
export const QUEUE_EXPECTED = {
  "sqs GetQueueUrl": `
                   first               every               holding
    throttled      continued, deleted  timed out, kept     - continued, deleted
    error 500      continued, deleted  timed out, kept     - continued, deleted
    error 503      continued, deleted  timed out, kept     - continued, deleted
    access denied  continued, deleted  timed out, kept     - continued, deleted
    expired token  continued, deleted  timed out, kept     - continued, deleted
    not found      continued, deleted  timed out, kept     - continued, deleted
    malformed      continued, deleted  timed out, kept     - continued, deleted
    empty          continued, deleted  timed out, kept     - continued, deleted
    refused        continued, deleted  timed out, kept     - continued, deleted
    reset          continued, deleted  timed out, kept     - continued, deleted
    hang           continued, deleted  timed out, kept     - continued, deleted
    slow           continued, deleted  continued, deleted  - continued, deleted
    proxy page     continued, deleted  timed out, kept     - continued, deleted`,
  "sqs ReceiveMessage": `
                   first               every               holding
    throttled      continued, deleted  timed out, kept     continued, deleted
    error 500      continued, deleted  timed out, kept     continued, deleted
    error 503      continued, deleted  timed out, kept     continued, deleted
    access denied  continued, deleted  timed out, kept     continued, deleted
    expired token  continued, deleted  timed out, kept     continued, deleted
    not found      continued, deleted  timed out, kept     continued, deleted
    malformed      continued, deleted  timed out, kept     continued, deleted
    empty          continued, deleted  timed out, kept     continued, deleted
    refused        continued, deleted  timed out, kept     continued, deleted
    reset          continued, deleted  timed out, kept     continued, deleted
    hang           continued, deleted  timed out, kept     continued, deleted
    slow           continued, deleted  continued, deleted  continued, deleted
    proxy page     continued, deleted  timed out, kept     continued, deleted`,
  "sqs ChangeMessageVisibilityBatch": `
                   first               every               holding
    throttled      continued, deleted  continued, deleted  continued, deleted
    error 500      continued, deleted  continued, deleted  continued, deleted
    error 503      continued, deleted  continued, deleted  continued, deleted
    access denied  continued, deleted  continued, deleted  continued, deleted
    expired token  continued, deleted  continued, deleted  continued, deleted
    not found      continued, deleted  continued, deleted  continued, deleted
    malformed      continued, deleted  continued, deleted  continued, deleted
    empty          continued, deleted  continued, deleted  continued, deleted
    refused        continued, deleted  continued, deleted  continued, deleted
    reset          continued, deleted  continued, deleted  continued, deleted
    hang           continued, deleted  continued, deleted  continued, deleted
    slow           continued, deleted  continued, deleted  continued, deleted
    proxy page     continued, deleted  continued, deleted  continued, deleted`,
  "sqs DeleteMessageBatch": `
                   first               every               holding
    throttled      continued, deleted  continued, kept     continued, kept
    error 500      continued, deleted  continued, kept     continued, kept
    error 503      continued, deleted  continued, kept     continued, kept
    access denied  continued, deleted  continued, kept     continued, kept
    expired token  continued, deleted  continued, kept     continued, kept
    not found      continued, deleted  continued, kept     continued, kept
    malformed      continued, deleted  continued, deleted  continued, deleted
    empty          continued, deleted  continued, deleted  continued, deleted
    refused        continued, deleted  continued, kept     continued, kept
    reset          continued, deleted  continued, deleted  continued, deleted
    hang           continued, deleted  continued, deleted  continued, deleted
    slow           continued, deleted  continued, deleted  continued, deleted
    proxy page     continued, deleted  continued, kept     continued, kept`,
  "autoscaling DescribeLifecycleHooks": `
                   first               every               holding
    throttled      continued, deleted  continued, deleted  - continued, deleted
    error 500      continued, deleted  continued, deleted  - continued, deleted
    error 503      continued, deleted  continued, deleted  - continued, deleted
    access denied  continued, deleted  continued, deleted  - continued, deleted
    expired token  continued, deleted  continued, deleted  - continued, deleted
    not found      continued, deleted  continued, deleted  - continued, deleted
    malformed      continued, deleted  continued, deleted  - continued, deleted
    empty          continued, deleted  continued, deleted  - continued, deleted
    refused        continued, deleted  continued, deleted  - continued, deleted
    reset          continued, deleted  continued, deleted  - continued, deleted
    hang           continued, deleted  continued, deleted  - continued, deleted
    slow           continued, deleted  continued, deleted  - continued, deleted
    proxy page     continued, deleted  continued, deleted  - continued, deleted`,
  "autoscaling RecordLifecycleActionHeartbeat": `
                   first               every               holding
    throttled      continued, deleted  timed out, deleted  timed out, deleted
    error 500      continued, deleted  timed out, deleted  timed out, deleted
    error 503      continued, deleted  timed out, deleted  timed out, deleted
    access denied  continued, deleted  timed out, deleted  timed out, deleted
    expired token  continued, deleted  timed out, deleted  timed out, deleted
    not found      timed out, deleted  timed out, deleted  timed out, deleted
    malformed      continued, deleted  continued, deleted  continued, deleted
    empty          continued, deleted  continued, deleted  continued, deleted
    refused        continued, deleted  timed out, deleted  timed out, deleted
    reset          continued, deleted  continued, deleted  continued, deleted
    hang           continued, deleted  continued, deleted  continued, deleted
    slow           continued, deleted  continued, deleted  continued, deleted
    proxy page     continued, deleted  timed out, deleted  timed out, deleted`,
  "autoscaling CompleteLifecycleAction": `
                   first               every               holding
    throttled      continued, deleted  waiting, kept       waiting, kept  
    error 500      continued, deleted  waiting, kept       waiting, kept  
    error 503      continued, deleted  waiting, kept       waiting, kept  
    access denied  continued, deleted  waiting, kept       waiting, kept  
    expired token  continued, deleted  waiting, kept       waiting, kept  
    not found      timed out, deleted  timed out, deleted  timed out, deleted
    malformed      continued, deleted  continued, kept     continued, kept
    empty          continued, deleted  continued, kept     continued, kept
    refused        continued, deleted  waiting, kept       waiting, kept  
    reset          continued, deleted  continued, kept     continued, kept
    hang           continued, deleted  continued, kept     continued, kept
    slow           continued, deleted  continued, deleted  continued, deleted
    proxy page     continued, deleted  waiting, kept       waiting, kept  `,
} as const satisfies Expected;
