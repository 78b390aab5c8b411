import type { Expected } from "./table.ts";

/**
 * What became of a message about maintenance that is hours ahead, when the copy that is to take its place was not taken: the
 * first time; every time. `waits, kept`: it is in the queue, and nothing is drained for it yet. `drained, deleted`: AWS will
 * not take a copy, so that the node was drained before the message could be lost.
 */
export const POSTPONE_EXPECTED = {
  "sqs SendMessage": `
                   first             every
    throttled      waits, kept       waits, kept
    error 500      waits, kept       waits, kept
    error 503      waits, kept       waits, kept
    access denied  drained, deleted  drained, deleted
    expired token  waits, kept       waits, kept
    not found      waits, kept       waits, kept
    malformed      waits, kept       waits, kept
    empty          waits, kept       waits, kept
    refused        waits, kept       waits, kept
    reset          waits, kept       waits, kept
    hang           waits, kept       waits, kept
    slow           waits, kept       waits, kept
    proxy page     waits, kept       waits, kept`,
} as const satisfies Expected;
