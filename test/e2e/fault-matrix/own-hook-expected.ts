import type { Expected } from "./table.ts";

/**
 * What became of the hook of a machine that drains itself, when it could not look whether the hook waits: at the first
 * call, in the first minute, ever. `told …`: the failure that was told. Those that may pass are outlasted; the others
 * leave the hook to its own timeout, as does what never passes.
 */
export const OWN_HOOK_EXPECTED = {
  "autoscaling DescribeAutoScalingInstances": `
                   first                           a minute                        every
    throttled      continued                       continued, told throttled       timed out, told throttled
    error 500      continued                       continued, told unavailable     timed out, told unavailable
    error 503      continued                       continued, told unavailable     timed out, told unavailable
    access denied  timed out, told access-denied   timed out, told access-denied   timed out, told access-denied
    expired token  continued                       continued, told no-credentials  timed out, told no-credentials
    not found      timed out, told cloud-error     timed out, told cloud-error     timed out, told cloud-error
    malformed      continued                       continued, told unavailable     timed out, told unavailable
    empty          continued                       continued, told unavailable     timed out, told unavailable
    refused        continued                       continued, told unreachable     timed out, told unreachable
    reset          continued                       continued, told unreachable     timed out, told unreachable
    hang           continued                       continued                       timed out, told unreachable
    slow           continued                       continued                       continued
    proxy page     continued                       continued, told unavailable     timed out, told unavailable`,
} as const satisfies Expected;
