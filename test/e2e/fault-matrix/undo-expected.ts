import type { Expected } from "./table.ts";

/**
 * How the undo of a drain ends when one call fails in one way: at its first such call; at every one; at every one from the
 * first registration on. Another process undoes it than the one that drained: it knows no pool. The node is to come back
 * as an address behind an ALB, and by its id behind an NLB and a classic load balancer.
 *
 * `registered`: all of it. `partly …`: what could not be registered again, or was not seen to be, names these codes;
 * without `partly` that is all. `not-registered`: the pool is gone. `-`: such a call is not made then. A policy that
 * denies a call ends the undo of a pool at once: the operator corrects it and cancels again. Credentials may be renewed
 * meanwhile, so that a call that refuses them is repeated.
 */
export const UNDO_EXPECTED = {
  "ec2 DescribeInstances": `
                   first           every           registering
    throttled      registered      throttled       partly throttled
    error 500      registered      unavailable     partly unavailable
    error 503      registered      unavailable     partly unavailable
    access denied  access-denied   access-denied   partly access-denied
    expired token  registered      no-credentials  partly no-credentials
    not found      cloud-error     cloud-error     partly cloud-error
    malformed      registered      unavailable     partly unavailable
    empty          registered      unavailable     partly unavailable
    refused        registered      unreachable     partly unreachable
    reset          registered      unreachable     partly unreachable
    hang           registered      unreachable     partly unreachable
    slow           registered      registered      registered
    stale          registered      registered      registered`,
  "elbv2 DescribeTargetGroups": `
                   first                  every           registering
    throttled      registered             throttled       -
    error 500      registered             unavailable     -
    error 503      registered             unavailable     -
    access denied  partly access-denied   access-denied   -
    expired token  registered             no-credentials  -
    not found      partly cloud-error     cloud-error     -
    malformed      registered             unavailable     -
    empty          registered             unavailable     -
    refused        registered             unreachable     -
    reset          registered             unreachable     -
    hang           registered             unreachable     -
    slow           registered             registered      -
    stale          registered             registered      -`,
  "elbv2 DescribeTargetHealth": `
                   first                  every                  registering
    throttled      registered             partly throttled       partly throttled
    error 500      registered             partly unavailable     partly unavailable
    error 503      registered             partly unavailable     partly unavailable
    access denied  partly access-denied   partly access-denied   partly access-denied
    expired token  registered             partly no-credentials  partly no-credentials
    not found      registered             partly unavailable     partly unavailable
    malformed      registered             partly unavailable     partly unavailable
    empty          registered             partly unavailable     partly unavailable
    refused        registered             partly unreachable     partly unreachable
    reset          registered             partly unreachable     partly unreachable
    hang           registered             partly unreachable     partly unreachable
    slow           registered             registered             registered
    stale          registered             registered             registered
    vanished       partly not-registered  partly not-registered  partly not-registered`,
  "elbv2 DescribeTargetGroupAttributes": `
                   first                  every                  registering
    throttled      registered             partly throttled       -
    error 500      registered             partly unavailable     -
    error 503      registered             partly unavailable     -
    access denied  partly access-denied   partly access-denied   -
    expired token  registered             partly no-credentials  -
    not found      registered             partly unavailable     -
    malformed      registered             partly unavailable     -
    empty          registered             partly unavailable     -
    refused        registered             partly unreachable     -
    reset          registered             partly unreachable     -
    hang           registered             partly unreachable     -
    slow           registered             registered             -
    stale          registered             registered             -
    vanished       partly not-registered  partly not-registered  -`,
  "elbv2 RegisterTargets": `
                   first                  every                  registering
    throttled      registered             partly throttled       partly throttled
    error 500      registered             partly unavailable     partly unavailable
    error 503      registered             partly unavailable     partly unavailable
    access denied  partly access-denied   partly access-denied   partly access-denied
    expired token  registered             partly no-credentials  partly no-credentials
    not found      registered             partly unavailable     partly unavailable
    malformed      registered             registered             registered
    empty          registered             registered             registered
    refused        registered             partly unreachable     partly unreachable
    reset          registered             registered             registered
    hang           registered             registered             registered
    slow           registered             registered             registered
    stale          registered             registered             registered
    vanished       partly not-registered  partly not-registered  partly not-registered`,
  "classic DescribeLoadBalancers": `
                   first                  every           registering
    throttled      registered             throttled       -
    error 500      registered             unavailable     -
    error 503      registered             unavailable     -
    access denied  partly access-denied   access-denied   -
    expired token  registered             no-credentials  -
    not found      partly cloud-error     cloud-error     -
    malformed      registered             unavailable     -
    empty          registered             unavailable     -
    refused        registered             unreachable     -
    reset          registered             unreachable     -
    hang           registered             unreachable     -
    slow           registered             registered      -
    stale          registered             registered      -`,
  "classic DescribeInstanceHealth": `
                   first                  every                  registering
    throttled      registered             partly throttled       partly throttled
    error 500      registered             partly unavailable     partly unavailable
    error 503      registered             partly unavailable     partly unavailable
    access denied  partly access-denied   partly access-denied   partly access-denied
    expired token  registered             partly no-credentials  partly no-credentials
    not found      registered             partly unavailable     partly unavailable
    malformed      registered             partly unavailable     partly unavailable
    empty          registered             partly unavailable     partly unavailable
    refused        registered             partly unreachable     partly unreachable
    reset          registered             partly unreachable     partly unreachable
    hang           registered             partly unreachable     partly unreachable
    slow           registered             registered             registered
    stale          registered             registered             registered
    vanished       partly not-registered  partly not-registered  partly not-registered`,
  "classic RegisterInstancesWithLoadBalancer": `
                   first                  every                  registering
    throttled      registered             partly throttled       partly throttled
    error 500      registered             partly unavailable     partly unavailable
    error 503      registered             partly unavailable     partly unavailable
    access denied  partly access-denied   partly access-denied   partly access-denied
    expired token  registered             partly no-credentials  partly no-credentials
    not found      registered             partly unavailable     partly unavailable
    malformed      registered             registered             registered
    empty          registered             registered             registered
    refused        registered             partly unreachable     partly unreachable
    reset          registered             registered             registered
    hang           registered             registered             registered
    slow           registered             registered             registered
    stale          registered             registered             registered
    vanished       partly not-registered  partly not-registered  partly not-registered`,
} as const satisfies Expected;
