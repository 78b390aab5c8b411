import type { Expected } from "./table.ts";

/**
 * How a drain ends when one call fails in one way: at its first such call; at every one; at every one from the first
 * deregistration on, while the node is held. The node is in an ALB's, an NLB's and a classic load balancer's pool; it has
 * a deadline, and time for its longest hold twice.
 *
 * `failed …`: with this code. `deadline-passed …`: the registrations that remain name this code; without one, time was up
 * before every pool had been asked, or AWS had accepted what it did not do. `-`: such a call is not made then, and the
 * node is drained.
 *
 * A look that AWS denies while the node is held is repeated until the limit: the registration is out, ending sooner would
 * save nobody anything, and the policy or the credentials may be mended meanwhile. What is denied before that ends the
 * drain at once: nothing has begun, and whoever asks is told what to mend. Credentials may come or be renewed at any moment,
 * so that a call that refuses them is repeated until there is no time for another try. What a drain can do without is done without:
 * branch interfaces, and the idle timeout of a GWLB's listener, where AWS denies them or never answers so that it can be used.
 */
export const EXPECTED = {
  "ec2 DescribeInstances": `
                   first                        every                        holding
    throttled      drained                      deadline-passed              deadline-passed throttled
    error 500      drained                      deadline-passed              deadline-passed unavailable
    error 503      drained                      deadline-passed              deadline-passed unavailable
    access denied  failed access-denied         failed access-denied         deadline-passed access-denied
    expired token  drained                      failed no-credentials        deadline-passed no-credentials
    not found      failed cloud-error           failed cloud-error           deadline-passed cloud-error
    malformed      drained                      deadline-passed              deadline-passed unavailable
    empty          drained                      deadline-passed              deadline-passed unavailable
    refused        drained                      deadline-passed              deadline-passed unreachable
    reset          drained                      deadline-passed              deadline-passed unreachable
    hang           drained                      deadline-passed              deadline-passed unreachable
    slow           drained                      drained                      drained
    stale          drained                      drained                      drained`,
  "ec2 DescribeNetworkInterfaces": `
                   first                        every                        holding
    throttled      drained                      deadline-passed              deadline-passed throttled
    error 500      drained                      deadline-passed              deadline-passed unavailable
    error 503      drained                      deadline-passed              deadline-passed unavailable
    access denied  drained                      drained                      drained
    expired token  drained                      failed no-credentials        deadline-passed no-credentials
    not found      drained                      drained                      drained
    malformed      drained                      drained                      drained
    empty          drained                      drained                      drained
    refused        drained                      deadline-passed              deadline-passed unreachable
    reset          drained                      deadline-passed              deadline-passed unreachable
    hang           drained                      deadline-passed              deadline-passed unreachable
    slow           drained                      drained                      drained
    stale          drained                      drained                      drained`,
  "elbv2 DescribeTargetGroups": `
                   first                        every                        holding
    throttled      drained                      deadline-passed              -
    error 500      drained                      deadline-passed              -
    error 503      drained                      deadline-passed              -
    access denied  failed access-denied         failed access-denied         -
    expired token  drained                      failed no-credentials        -
    not found      failed cloud-error           failed cloud-error           -
    malformed      drained                      deadline-passed              -
    empty          drained                      deadline-passed              -
    refused        drained                      deadline-passed              -
    reset          drained                      deadline-passed              -
    hang           drained                      deadline-passed              -
    slow           drained                      drained                      -
    stale          drained                      drained                      -`,
  "elbv2 DescribeTargetHealth": `
                   first                        every                        holding
    throttled      drained                      deadline-passed              deadline-passed throttled
    error 500      drained                      deadline-passed              deadline-passed unavailable
    error 503      drained                      deadline-passed              deadline-passed unavailable
    access denied  failed access-denied         failed access-denied         deadline-passed access-denied
    expired token  drained                      failed no-credentials        deadline-passed no-credentials
    not found      drained                      deadline-passed              deadline-passed unavailable
    malformed      drained                      deadline-passed              deadline-passed unavailable
    empty          drained                      deadline-passed              deadline-passed unavailable
    refused        drained                      deadline-passed              deadline-passed unreachable
    reset          drained                      deadline-passed              deadline-passed unreachable
    hang           drained                      deadline-passed              deadline-passed unreachable
    slow           drained                      drained                      drained
    stale          drained                      drained                      drained
    vanished       drained                      drained                      drained`,
  "elbv2 DescribeTargetGroupAttributes": `
                   first                        every                        holding
    throttled      drained                      deadline-passed throttled    -
    error 500      drained                      deadline-passed unavailable  -
    error 503      drained                      deadline-passed unavailable  -
    access denied  failed access-denied         failed access-denied         -
    expired token  drained                      deadline-passed no-credentials  -
    not found      drained                      deadline-passed unavailable  -
    malformed      drained                      deadline-passed unavailable  -
    empty          drained                      deadline-passed unavailable  -
    refused        drained                      deadline-passed unreachable  -
    reset          drained                      deadline-passed unreachable  -
    hang           drained                      deadline-passed unreachable  -
    slow           drained                      drained                      -
    stale          drained                      drained                      -
    vanished       drained                      drained                      -`,
  "elbv2 DescribeListeners": `
                   first                        every                        holding
    throttled      drained                      deadline-passed throttled    deadline-passed throttled
    error 500      drained                      deadline-passed unavailable  deadline-passed unavailable
    error 503      drained                      deadline-passed unavailable  deadline-passed unavailable
    access denied  drained                      drained                      drained
    expired token  drained                      deadline-passed no-credentials  deadline-passed no-credentials
    not found      drained                      drained                      drained
    malformed      drained                      drained                      drained
    empty          drained                      drained                      drained
    refused        drained                      deadline-passed unreachable  deadline-passed unreachable
    reset          drained                      deadline-passed unreachable  deadline-passed unreachable
    hang           drained                      deadline-passed unreachable  deadline-passed unreachable
    slow           drained                      drained                      drained
    stale          drained                      drained                      drained
    vanished       drained                      drained                      drained`,
  "elbv2 DescribeListenerAttributes": `
                   first                        every                        holding
    throttled      drained                      deadline-passed throttled    deadline-passed throttled
    error 500      drained                      deadline-passed unavailable  deadline-passed unavailable
    error 503      drained                      deadline-passed unavailable  deadline-passed unavailable
    access denied  drained                      drained                      drained
    expired token  drained                      deadline-passed no-credentials  deadline-passed no-credentials
    not found      drained                      drained                      drained
    malformed      drained                      drained                      drained
    empty          drained                      drained                      drained
    refused        drained                      deadline-passed unreachable  deadline-passed unreachable
    reset          drained                      deadline-passed unreachable  deadline-passed unreachable
    hang           drained                      deadline-passed unreachable  deadline-passed unreachable
    slow           drained                      drained                      drained
    stale          drained                      drained                      drained`,
  "elbv2 DescribeTags": `
                   first                        every                        holding
    throttled      drained                      deadline-passed              -
    error 500      drained                      deadline-passed              -
    error 503      drained                      deadline-passed              -
    access denied  failed access-denied         failed access-denied         -
    expired token  drained                      failed no-credentials        -
    not found      drained                      deadline-passed              -
    malformed      drained                      deadline-passed              -
    empty          drained                      deadline-passed              -
    refused        drained                      deadline-passed              -
    reset          drained                      deadline-passed              -
    hang           drained                      deadline-passed              -
    slow           drained                      drained                      -
    stale          drained                      drained                      -
    vanished       drained                      drained                      -`,
  "elbv2 DeregisterTargets": `
                   first                        every                        holding
    throttled      drained                      deadline-passed throttled    deadline-passed throttled
    error 500      drained                      deadline-passed unavailable  deadline-passed unavailable
    error 503      drained                      deadline-passed unavailable  deadline-passed unavailable
    access denied  failed access-denied         failed access-denied         failed access-denied
    expired token  drained                      deadline-passed no-credentials  deadline-passed no-credentials
    not found      drained                      deadline-passed              deadline-passed
    malformed      drained                      deadline-passed unavailable  deadline-passed unavailable
    empty          drained                      drained                      drained
    refused        drained                      deadline-passed unreachable  deadline-passed unreachable
    reset          drained                      deadline-passed unreachable  deadline-passed unreachable
    hang           drained                      deadline-passed unreachable  deadline-passed unreachable
    slow           drained                      drained                      drained
    stale          drained                      drained                      drained
    vanished       drained                      drained                      drained`,
  "classic DescribeLoadBalancers": `
                   first                        every                        holding
    throttled      drained                      deadline-passed              -
    error 500      drained                      deadline-passed              -
    error 503      drained                      deadline-passed              -
    access denied  failed access-denied         failed access-denied         -
    expired token  drained                      failed no-credentials        -
    not found      failed cloud-error           failed cloud-error           -
    malformed      drained                      deadline-passed              -
    empty          drained                      deadline-passed              -
    refused        drained                      deadline-passed              -
    reset          drained                      deadline-passed              -
    hang           drained                      deadline-passed              -
    slow           drained                      drained                      -
    stale          drained                      drained                      -`,
  "classic DescribeInstanceHealth": `
                   first                        every                        holding
    throttled      drained                      deadline-passed throttled    deadline-passed throttled
    error 500      drained                      deadline-passed unavailable  deadline-passed unavailable
    error 503      drained                      deadline-passed unavailable  deadline-passed unavailable
    access denied  failed access-denied         failed access-denied         deadline-passed access-denied
    expired token  drained                      failed no-credentials        deadline-passed no-credentials
    not found      drained                      deadline-passed unavailable  deadline-passed unavailable
    malformed      drained                      deadline-passed unavailable  deadline-passed unavailable
    empty          drained                      deadline-passed unavailable  deadline-passed unavailable
    refused        drained                      deadline-passed unreachable  deadline-passed unreachable
    reset          drained                      deadline-passed unreachable  deadline-passed unreachable
    hang           drained                      deadline-passed unreachable  deadline-passed unreachable
    slow           drained                      drained                      drained
    stale          drained                      drained                      drained
    vanished       drained                      drained                      drained`,
  "classic DescribeLoadBalancerAttributes": `
                   first                        every                        holding
    throttled      drained                      deadline-passed throttled    -
    error 500      drained                      deadline-passed unavailable  -
    error 503      drained                      deadline-passed unavailable  -
    access denied  failed access-denied         failed access-denied         -
    expired token  drained                      deadline-passed no-credentials  -
    not found      drained                      deadline-passed unavailable  -
    malformed      drained                      deadline-passed unavailable  -
    empty          drained                      deadline-passed unavailable  -
    refused        drained                      deadline-passed unreachable  -
    reset          drained                      deadline-passed unreachable  -
    hang           drained                      deadline-passed unreachable  -
    slow           drained                      drained                      -
    stale          drained                      drained                      -
    vanished       drained                      drained                      -`,
  "classic DescribeTags": `
                   first                        every                        holding
    throttled      drained                      deadline-passed              -
    error 500      drained                      deadline-passed              -
    error 503      drained                      deadline-passed              -
    access denied  failed access-denied         failed access-denied         -
    expired token  drained                      failed no-credentials        -
    not found      drained                      deadline-passed              -
    malformed      drained                      deadline-passed              -
    empty          drained                      deadline-passed              -
    refused        drained                      deadline-passed              -
    reset          drained                      deadline-passed              -
    hang           drained                      deadline-passed              -
    slow           drained                      drained                      -
    stale          drained                      drained                      -
    vanished       drained                      drained                      -`,
  "classic DeregisterInstancesFromLoadBalancer": `
                   first                        every                        holding
    throttled      drained                      deadline-passed throttled    deadline-passed throttled
    error 500      drained                      deadline-passed unavailable  deadline-passed unavailable
    error 503      drained                      deadline-passed unavailable  deadline-passed unavailable
    access denied  failed access-denied         failed access-denied         failed access-denied
    expired token  drained                      deadline-passed no-credentials  deadline-passed no-credentials
    not found      drained                      deadline-passed              failed registered-again
    malformed      drained                      deadline-passed unavailable  deadline-passed unavailable
    empty          drained                      drained                      drained
    refused        drained                      deadline-passed unreachable  deadline-passed unreachable
    reset          drained                      deadline-passed unreachable  deadline-passed unreachable
    hang           drained                      deadline-passed unreachable  deadline-passed unreachable
    slow           drained                      drained                      drained
    stale          drained                      drained                      drained
    vanished       drained                      drained                      drained`,
} as const satisfies Expected;
