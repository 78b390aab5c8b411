import { EVENT_LINES } from "./event-log-lines.ts";
import { drain, ended, guarded, line, recovery, repeating, target } from "./log-line.ts";

/**
 * Every line of the log: its message, level and fields. The comment above a line explains it: docs/log.md is made from
 * them (`npm run docs`).
 */
export const LOG_LINES = {
  // The service
  /** The service accepts requests. */
  listening: line("info", "host", "port", "region?", "discovery", "dryRun"),
  /** After SIGTERM: the service takes no more requests. Running drains continue for SHUTDOWN_GRACE. */
  "shutdown started": line("info"),
  /** SHUTDOWN_GRACE has passed, or a second SIGTERM came: running drains end now. Their targets stay deregistered. */
  "drains abandoned": line("warn"),
  /** The service stops before a resumed drain or an undo has ended. With STATE_DIR, the next start resumes it. */
  "background work interrupted": line("warn", "what"),
  /** A resumed drain, an undo or another part of the service failed. The other parts continue. */
  "background work failed": line("error", "what", "error"),
  /** The process ends. */
  stopped: line("info"),
  /** With LEASE: this replica has the Lease, and acts on nodes from now on. `term` is higher with each change of the leader. */
  "leadership acquired": line("info", "lease", "identity", "term"),
  /** This replica no longer has the Lease. Its drains continue in the next leader. `error` says why. */
  "leadership lost": line("warn", "lease", "term", "error"),
  /** This replica gives up the Lease on purpose, for the reason in `because`: `stopping`, or `own-node-leaves`. Its drains continue in the next leader. */
  "leadership handed over": line("info", "lease", "term", "because"),
  /** Another replica leads: this one passes requests on to `leader`. */
  "standing by": line("info", "lease", "leader"),
  /** The Lease could not be read or written. It is retried. A leader that cannot renew it within 10 s stops acting on nodes. */
  "lease update failed": line("warn", "lease", "error"),
  /** The Lease could be read and written again. */
  "lease update recovered": line("info", "lease", "failedSeconds"),
  /** This replica has the Lease, but could not read or continue the ledger in the ConfigMaps. It is retried every second. Until then this replica acts on no node. */
  "ledger takeover failed": repeating(line("warn", "error")),
  /** ConfigMaps of the ledger that are not needed any more could not be deleted. They are tried again with the next ones. */
  "ledger cleanup failed": repeating(line("warn", "error")),
  /** A request could not be passed on to the leader. It is repeated for up to 30 s, at the next leader too. Check that replicas can reach each other. */
  "request not passed on": repeating(line("warn", "leader", "error"), "leader"),
  /** The time of day of the machine was set forward by `seconds` (negative: back). Holds and limits do not change. The times that this process reports differ from the time of day by `offsetSeconds` until its next start. */
  "clock stepped": line("warn", "seconds", "offsetSeconds"),
  /** The machine was suspended for `seconds`. That time counts for holds and limits. */
  "machine suspended": line("warn", "seconds"),
  /** The clock of this process is ahead of the clock of AWS by `seconds` (negative: behind). Deadlines of events are corrected by it. Check the time synchronization of the machine. */
  "clock skew detected": line("warn", "seconds"),
  /** The difference to the clock of AWS is below five seconds again. */
  "clock skew resolved": line("info"),
  /** The permissions that drains read with are sufficient. */
  "access check passed": line("info"),
  /** Drains will fail until the reported problem is fixed. `GET /ready` answers 503. */
  "access check failed": line("warn", "code", "error"),
  /** An unexpected fault of this program. `at` is where it happened. */
  "internal error": line("error", "error", "at?"),

  /** The index of registrations could not read AWS. It is retried; drains search themselves meanwhile. */
  "index refresh failed": repeating(line("warn", "code", "error", "place?"), "place?"),

  /**
   * Traces could not be sent to the OpenTelemetry collector, or the queue of waiting traces was full. Drains are not
   * affected. `lost` is the number of spans that were dropped since the last ones that were delivered.
   */
  "trace export failed": repeating(line("warn", "error", "lost")),
  /** Traces are sent again. `lost` is the number of spans that were dropped meanwhile. */
  "trace export recovered": recovery(line("info", "lost"), "trace export failed"),

  // The Lambda function
  /** An invocation has ended. `messages` is the number of messages of a queue, and `failed` how many of them SQS redelivers. `requestId` is what Lambda calls the invocation. */
  "invocation completed": line("info", "handler", "requestId?", "tookSeconds", "messages?", "failed?"),
  /** An invocation has failed. Lambda or SQS repeats it, by the configuration of the function. */
  "invocation failed": line("error", "handler", "requestId?", "tookSeconds", "messages?", "error"),

  // Requests
  /** An HTTP request was answered. */
  "request answered": line("info", "method", "path", "status", "problem?", "client?", "user?"),
  /** An HTTP request had no valid secret or token, or the user of its token has no permission. */
  "request rejected": line("warn", "method", "path", "status", "problem?", "client?", "user?"),
  /** A health check, a scrape, a file of the dashboard, a report of an agent, or a request of a client that sends wrong secrets, was answered. */
  "probe answered": line("debug", "method", "path", "status", "problem?", "client?", "user?"),
  /** A caller sent the secret in the query, where proxies log it. It should send the Authorization header. */
  "secret received in query": line("warn", "client"),
  /** A client sent too many wrong secrets and gets 429 until it sends the right one. */
  "client rate limited": line("warn", "client"),
  /** The API server did not answer whether a caller's token is valid, or what its user may do. The caller got 503. */
  "token review failed": repeating(line("warn", "code", "error")),
  /** Too many connections are open, and all of them have requests. `client` is one of those that were rejected. */
  "connections rejected": repeating(line("warn", "client")),
  /** Connections without a request, or with an unread answer, were closed to make room. `client` is one of theirs. */
  "connections closed": repeating(line("warn", "client")),
  /** A secret has too few characters and can be guessed. Generate one with `openssl rand -hex 16`. */
  "short secret configured": line("warn", "short", "secrets", "charactersMin"),
  /** SECRET_FILE has changed: the service now accepts only the secrets in it. */
  "secrets reloaded": recovery(line("info", "secrets"), "file reload failed"),
  /** The TLS files have changed: new connections use them. */
  "certificates reloaded": recovery(line("info"), "file reload failed"),
  /** A file could not be reread. The previous content stays in use. */
  "file reload failed": repeating(line("warn", "error")),
  /** The result of a drain could not be returned to its requester. */
  "answer failed": line("error", "asked?", "error"),
  /** The node of a request could not be read from EC2. The read is repeated until the limit of the request. */
  "node lookup failed": repeating(line("warn", "asked", "code", "error", "at?"), "asked"),
  /** A request ended before its node was found. */
  "request failed": line("warn", "asked", "outcome", "code", "error", "at?"),

  // The ledger
  /** Drains continue. Requests with wait=false are answered 503 until the ledger can be written. */
  "ledger write failed": repeating(line("error", "code", "error")),
  /** The ledger is written again. `lost` is the number of entries that were dropped meanwhile. */
  "ledger write recovered": recovery(line("warn", "lost"), "ledger write failed"),
  /** The file of the ledger had lines that could not be read, or entries of a drain are missing. */
  "ledger damaged": line("warn", "error", "drain?", "node?"),
  /** The clock of an earlier process differed from the clock of this one by `seconds`: the times of its entries are corrected by that. `basis` is what shows the difference: `boot` (the uptime of the machine), `cloud` (the clock of AWS), `file` (when the ledger was written), `unknown` (nothing: no time is assumed to have passed). */
  "ledger times corrected": line("warn", "seconds", "basis"),
  /** DRYRUN is set, so that an unfinished drain was not resumed. */
  "drain resume skipped": drain("warn"),
  /** An unfinished drain can't be read, or AWS_PLACES no longer names its place: not resumed. Without `drain`: none was. */
  "drain resume failed": line("error", "code", "error", "drain?"),

  // Drains
  /** A drain began. `reason` and `forced` are those of the request. */
  "drain started": drain("info", "name?", "reason?", "forced?"),
  /** An unfinished drain of an earlier process continues. */
  "drain resumed": drain("info", "name?"),
  /** All registrations of the node are known. */
  "drain planned": drain("info", "name?", "registrations", "longestHoldSeconds", "limit", "limitAt"),
  /** The registrations of the node could not be read. The read is repeated until the limit of the drain. */
  "registrations read failed": repeating(drain("warn", "code", "error", "at?"), "drain"),
  /** Target health, which the guard needs, could not be read. The read is repeated until the limit of the drain. */
  "pool health read failed": repeating(drain("warn", "code", "error", "at?"), "drain"),
  /** A part of the plan needs attention: for example a limit that is shorter than a hold. */
  "plan warning": drain("warn", "warning"),
  /** Another request for the same node joined this drain. */
  "drain joined": drain("info", "reason?", "forced?"),
  /** The drain waits for targets that an earlier attempt may have deregistered and that AWS no longer lists. */
  "drain extended": drain("info", "until"),
  /** The Node object has the label that keeps controllers from registering it. */
  "node excluded": drain("info", "name"),
  /** The label could not be set. The drain continues after 3 s, and the label is retried beside it. Until then a controller may register the node again. */
  "node exclusion failed": repeating(drain("warn", "code", "error"), "drain"),
  /** The label was removed: the controllers of the cluster may register the node again. */
  "node exclusion removed": drain("info", "name"),
  /** The label could not be removed. It is retried; afterwards remove it with kubectl. */
  "node exclusion not removed": repeating(drain("warn", "code", "error"), "drain"),
  /** With NLB_FAST_PATH: the Node object has the taint with which its kube-proxy answers 503 to health checks. */
  "node tainted": drain("info", "name"),
  /** The taint for NLB_FAST_PATH could not be set. It is retried. The drain continues. */
  "node taint failed": repeating(drain("warn", "code", "error"), "drain"),
  /** The taint for NLB_FAST_PATH was removed: the search has found a load balancer that would close connections. */
  "node taint removed": drain("info", "name"),
  /** That taint could not be removed. It is retried; afterwards remove it with kubectl. */
  "node taint not removed": repeating(drain("warn", "code", "error"), "drain"),
  /** The node is cordoned, and these pods are being evicted. Pods of DaemonSets and mirror pods stay. */
  "eviction started": drain("info", "pods"),
  /** These pods no longer run on the node. */
  "pods evicted": drain("info", "pods"),
  /** The API server refused to evict the pod. `budget` names the disruption budget that does not allow it now. `willRetry` is false if another attempt would not help. */
  "eviction refused": drain("warn", "pod", "budget?", "willRetry", "code", "error"),
  /** The pods of the node could not be read or evicted. It is retried while the drain lasts. */
  "eviction failed": repeating(drain("warn", "code", "error"), "drain"),
  /** The cluster that KUBERNETES names has no Node object with this instance id. The drain continues without it. */
  "node not in cluster": drain("info"),
  /** AWS accepted the deregistration. The hold begins. */
  "target deregistered": target("info", "holdUntil?"),
  /** Another program had deregistered the target. The hold begins. */
  "target found draining": target("info", "holdUntil?"),
  /** An earlier process had deregistered the target. Its hold continues. */
  "hold resumed": target("info", "holdUntil?"),
  /** Too few healthy targets would remain: the drain waits for a replacement. */
  "deregistration delayed": guarded("warn"),
  /** Enough healthy targets remain now. The target is deregistered. */
  "replacement found": guarded("info"),
  /** GUARD_WAIT or the deadline left no more time: the target is deregistered although too few healthy ones remain. */
  "guard overridden": guarded("warn"),
  /** Target health could not be read in time: the target is deregistered without the check. */
  "guard skipped": guarded("warn"),
  /** The last healthy target stays registered until its machine terminates. */
  "target kept": guarded("warn"),
  /** The call failed. It is retried. */
  "deregistration failed": repeating(target("warn", "code", "error"), "drain"),
  /** Another program registered the target again. It is deregistered again. */
  "target came back": target("warn"),
  /** AWS accepted the deregistration and the target is still registered. It is deregistered again. */
  "deregistration had no effect": target("warn"),
  /** The state of the target could not be read. It is retried. */
  "target health read failed": repeating(target("warn", "code", "error"), "drain"),
  /** The hold ended: the load balancer sends no more traffic to the target. With `idleSeconds` it ended before the deregistration delay, because the agent on the node had counted no connection for that long. `notEarly` says why it did not, although the agent has reported: `connections-open`, `never-seen` (the agent cannot see the traffic of this target), `not-counted` (the last report was no count, or came after a gap), or `not-long-enough`. */
  "target released": target("info", "heldSeconds", "idleSeconds?", "notEarly?"),
  /** The target could not be deregistered. */
  "target not drained": target("error", "code", "error"),
  /** The node has no traffic and can be terminated. With the outcome nothing-registered it had no registration. */
  "drain completed": ended("info"),
  /** The node is registered only in pools without the tag of the cluster, which DISCOVERY=tag does not touch. */
  "node registered without cluster tag": ended("warn"),
  /** A target may be the node's or another machine's. It was not deregistered; the node must not be terminated. */
  "node possibly registered": ended("error", "error"),
  /** The guard refused the drain. Nothing was deregistered. */
  "drain refused": ended("warn", "code", "error", "pools"),
  /** The plan was the answer. Nothing was changed. */
  "dry run completed": ended("info"),
  /** The instance is terminated already. */
  "instance already terminated": ended("info", "detail"),
  /** The deadline or timeout came before the end of the drain. `remaining` are the targets that are not released. */
  "drain timed out": ended("warn", "limit", "searched", "code?", "error?", "at?", "remaining"),
  /** The process stopped during the drain. The targets stay deregistered. */
  "drain abandoned": ended("warn", "remaining"),
  /** The drain was cancelled before its end. The node must not be terminated. */
  "drain cancelled": ended("info"),
  /** The event is out of date: EC2 says that the instance runs, or that it has stopped already. Nothing stays deregistered that UNDO may register again. */
  "drain superseded": ended("info", "detail"),
  /** The instance was started again during its drain, and stays deregistered in `remaining`. UNDO registers it again in this case, if its permissions allow that. */
  "node left deregistered": ended("warn", "detail", "remaining"),
  /** The drain failed. */
  "drain failed": ended("error", "code", "error", "at?"),
  /** A drain was cancelled: its targets are being registered again. */
  "undo started": drain("info"),
  /** The target is registered again. */
  "target registered": target("info"),
  /** The target could not be registered again. */
  "registration failed": target("error", "code", "error"),
  /** All targets of the cancelled drain are registered again. */
  "undo completed": drain("info"),
  /** `failed` targets of the cancelled drain stay deregistered. */
  "undo failed": drain("error", "failed"),

  ...EVENT_LINES,
} as const;

export type LogMessage = keyof typeof LOG_LINES;
type FieldOf<M extends LogMessage> = (typeof LOG_LINES)[M]["fields"][number];

/** The fields of a line by name, as `LOG_LINES` has them. */
export type LogFields<M extends LogMessage> = {
  readonly [F in FieldOf<M> as F extends `${string}?` ? never : F]: unknown;
} & { readonly [F in FieldOf<M> as F extends `${infer Name}?` ? Name : never]?: unknown };
