import type { Expected } from "./table.ts";

/**
 * How a drain under MIN_HEALTHY=1 ends when one call fails that the guard reads by. `first` and `every` such call of a
 * voluntary drain where enough healthy targets stay; the same where too few would stay in one pool, of which that call
 * tells; and every one of a drain that can't be refused, where too few would stay.
 *
 * What the guard can't read refuses nobody and allows nobody: a voluntary drain tries it again, takes nothing out before
 * that, and says which call has failed. A machine that goes anyway is taken out without it, or keeps its last healthy registration (`kept`).
 * A pool that has vanished keeps nobody.
 */
export const GUARD_EXPECTED = {
  "ec2 DescribeInstances": `
                   first                  every                        few, first             few, every                   no choice, every
    throttled      drained                deadline-passed throttled    refused                deadline-passed throttled    deadline-passed throttled
    error 500      drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    error 503      drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    access denied  failed access-denied   failed access-denied         failed access-denied   failed access-denied         failed access-denied
    expired token  drained                failed no-credentials        refused                failed no-credentials        failed no-credentials
    not found      failed cloud-error     failed cloud-error           failed cloud-error     failed cloud-error           failed cloud-error
    malformed      drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    empty          drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    refused        drained                deadline-passed unreachable  refused                deadline-passed unreachable  deadline-passed unreachable
    reset          drained                deadline-passed unreachable  refused                deadline-passed unreachable  deadline-passed unreachable
    hang           drained                deadline-passed unreachable  refused                deadline-passed unreachable  deadline-passed unreachable
    slow           drained                drained                      refused                refused                      drained kept
    stale          drained                drained                      refused                refused                      drained kept`,
  "elbv2 DescribeTargetHealth": `
                   first                  every                        few, first             few, every                   no choice, every
    throttled      drained                deadline-passed throttled    refused                deadline-passed throttled    deadline-passed throttled
    error 500      drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    error 503      drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    access denied  failed access-denied   failed access-denied         failed access-denied   failed access-denied         failed access-denied
    expired token  drained                failed no-credentials        refused                failed no-credentials        failed no-credentials
    not found      drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    malformed      drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    empty          drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    refused        drained                deadline-passed unreachable  refused                deadline-passed unreachable  deadline-passed unreachable
    reset          drained                deadline-passed unreachable  refused                deadline-passed unreachable  deadline-passed unreachable
    hang           drained                deadline-passed unreachable  refused                deadline-passed unreachable  deadline-passed unreachable
    slow           drained                drained                      refused                refused                      drained kept
    stale          drained                drained                      refused                refused                      drained kept
    vanished       drained                drained                      drained                drained                      drained`,
  "elbv2 DescribeTargetGroupAttributes": `
                   first                  every                        few, first             few, every                   no choice, every
    throttled      drained                deadline-passed throttled    refused                deadline-passed throttled    deadline-passed throttled
    error 500      drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    error 503      drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    access denied  failed access-denied   failed access-denied         failed access-denied   failed access-denied         failed access-denied
    expired token  drained                failed no-credentials        refused                failed no-credentials        deadline-passed no-credentials
    not found      drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    malformed      drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    empty          drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    refused        drained                deadline-passed unreachable  refused                deadline-passed unreachable  deadline-passed unreachable
    reset          drained                deadline-passed unreachable  refused                deadline-passed unreachable  deadline-passed unreachable
    hang           drained                deadline-passed unreachable  refused                deadline-passed unreachable  deadline-passed unreachable
    slow           drained                drained                      refused                refused                      drained kept
    stale          drained                drained                      refused                refused                      drained kept
    vanished       drained                drained                      refused                drained                      drained`,
  "elbv2 DescribeLoadBalancerAttributes": `
                   first                  every                        few, first             few, every                   no choice, every
    throttled      drained                deadline-passed throttled    refused                deadline-passed throttled    drained
    error 500      drained                deadline-passed unavailable  refused                deadline-passed unavailable  drained
    error 503      drained                deadline-passed unavailable  refused                deadline-passed unavailable  drained
    access denied  drained                drained                      refused                refused                      drained kept
    expired token  drained                failed no-credentials        refused                failed no-credentials        drained
    not found      drained                drained                      refused                refused                      drained
    malformed      drained                drained                      refused                refused                      drained
    empty          drained                drained                      refused                refused                      drained
    refused        drained                deadline-passed unreachable  refused                deadline-passed unreachable  drained
    reset          drained                deadline-passed unreachable  refused                deadline-passed unreachable  drained
    hang           drained                deadline-passed unreachable  refused                deadline-passed unreachable  drained
    slow           drained                drained                      refused                refused                      drained kept
    stale          drained                drained                      refused                refused                      drained kept
    vanished       drained                drained                      refused                refused                      drained`,
  "classic DescribeInstanceHealth": `
                   first                  every                        few, first             few, every                   no choice, every
    throttled      drained                deadline-passed throttled    refused                deadline-passed throttled    deadline-passed throttled
    error 500      drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    error 503      drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    access denied  failed access-denied   failed access-denied         failed access-denied   failed access-denied         deadline-passed access-denied
    expired token  drained                failed no-credentials        refused                failed no-credentials        deadline-passed no-credentials
    not found      drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    malformed      drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    empty          drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    refused        drained                deadline-passed unreachable  refused                deadline-passed unreachable  deadline-passed unreachable
    reset          drained                deadline-passed unreachable  refused                deadline-passed unreachable  deadline-passed unreachable
    hang           drained                deadline-passed unreachable  refused                deadline-passed unreachable  deadline-passed unreachable
    slow           drained                drained                      refused                refused                      drained kept
    stale          drained                drained                      refused                refused                      drained kept
    vanished       drained                drained                      drained                drained                      drained`,
  "classic DescribeLoadBalancerAttributes": `
                   first                  every                        few, first             few, every                   no choice, every
    throttled      drained                deadline-passed throttled    refused                deadline-passed throttled    deadline-passed throttled
    error 500      drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    error 503      drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    access denied  failed access-denied   failed access-denied         failed access-denied   failed access-denied         failed access-denied
    expired token  drained                failed no-credentials        refused                failed no-credentials        deadline-passed no-credentials
    not found      drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    malformed      drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    empty          drained                deadline-passed unavailable  refused                deadline-passed unavailable  deadline-passed unavailable
    refused        drained                deadline-passed unreachable  refused                deadline-passed unreachable  deadline-passed unreachable
    reset          drained                deadline-passed unreachable  refused                deadline-passed unreachable  deadline-passed unreachable
    hang           drained                deadline-passed unreachable  refused                deadline-passed unreachable  deadline-passed unreachable
    slow           drained                drained                      refused                refused                      drained kept
    stale          drained                drained                      refused                refused                      drained kept
    vanished       drained                drained                      refused                refused                      drained kept`,
} as const satisfies Expected;
