import {
  ANNOUNCEMENT,
  announcement,
  drain,
  ended,
  guarded,
  hook,
  line,
  message,
  recovery,
  repeating,
  target,
} from "./log-line.ts";

/**
 * Every line that can be logged: its message, its level and its fields. The comment above a line says what it means:
 * docs/log.md is made from them (`npm run docs`).
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

  /** Traces could not be sent to the OpenTelemetry collector, or found no room to wait. Drains are not affected. `lost` is the number of spans that were dropped since the last ones that were delivered. */
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
  /** The API server did not say whether a caller's token is valid, or what its user may do. The caller got 503. */
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
  /** The target could not be taken out. */
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

  // Events and the queue
  /** An event announced that an instance will be terminated. */
  "termination announced": announcement("info", "deadline?"),
  /** The event is about an instance of another region. It is handled as QUEUE_FOREIGN says. */
  "announcement skipped": announcement("info"),
  /** The message was delivered again while its drains run. It joined them. */
  "message redelivered": message("info"),
  /** The event concerns another region, which gets it too: the message is deleted. */
  "event copy skipped": announcement("info"),
  /** Scheduled maintenance begins later than MAINTENANCE_LEAD from now. The message waits in the queue until `until`. */
  "maintenance postponed": message("info", "nodes", "reason", "until"),
  /** AWS did not accept a copy of the message, so that the nodes are drained now. Allow `sqs:SendMessage`. */
  "maintenance postponement failed": repeating(message("warn", "code", "error"), "messageId"),
  /** Some items of the message could not be read. The others are acted on. */
  "message partly malformed": message("warn", "errors"),
  /** The event asks for no drain. */
  "message ignored": message("info", "detail"),
  /** The message is not a known event. It is left for the dead-letter queue. */
  "message malformed": message("warn", "error", "receives"),
  /** The drains of the message ended, and the message was deleted. */
  "message deleted": message("info", "nodes"),
  /** A drain of the message did not succeed. The queue redelivers the message. */
  "message left for redelivery": message("warn", "nodes"),
  /** The message was returned to the queue for another reader. */
  "message returned": message("info", "nodes"),
  /** The message could not be deleted or returned. The queue redelivers it. */
  "message update failed": repeating(message("error", "code", "error"), "messageId"),
  /** The message was invisible for 12 hours, the limit of SQS. Its drains continue, and its next delivery joins them. */
  "message visibility expired": message("warn"),
  /** The message could not be kept invisible. It is retried. */
  "message visibility update failed": repeating(message("warn", "code", "error"), "messageId"),
  /** The queue can't be read. It is retried. */
  "queue read failed": repeating(line("error", "code", "error")),
  /** The queue can be read again. */
  "queue read recovered": recovery(line("info"), "queue read failed"),

  // The cluster
  /** A Node object announces that its machine will be terminated. */
  "node departure announced": line("info", "name", ...ANNOUNCEMENT, "deadline?"),
  /** The Node object announces a departure and names no EC2 instance in `spec.providerID`. It is not drained. */
  "node skipped": line("warn", "name", "reason", "providerId?"),
  /** The node no longer announces a departure. What was deregistered because of it is registered again. */
  "node departure withdrawn": line("info", "node", "name", "drains"),
  /** The node no longer announces a departure, and stays deregistered. Cancel its drain. */
  "node departure not undone": line("error", "node", "name", "code", "error"),
  /** The NodeClaim of the node could not be read: its drain has no deadline. */
  "node deadline unknown": line("warn", "name", "error"),
  /** The Node objects can't be read: departures that they announce are noticed late. It is retried. Logged when the error changes. */
  "node watch failed": line("error", "error"),
  /** The Node objects can be read again. */
  "node watch recovered": line("info", "failedSeconds"),
  /** The pods can't be watched. Those of each node are listed instead. It is retried. Logged when the error changes. */
  "pod watch failed": line("warn", "error"),
  /** The pods can be watched again. */
  "pod watch recovered": line("info", "failedSeconds"),
  /** An Event or annotation of a Node object could not be written, and is left out. Logged once until one succeeds. */
  "node report failed": line("warn", "error"),
  /** The annotation that delays cluster-autoscaler's deletion could not be set or removed. It is retried. */
  "deletion delay failed": repeating(line("warn", "name", "error"), "name"),
  /** The agent on a node serves its metrics (METRICS_PORT). */
  "metrics listening": line("info", "host", "port"),
  /** The eviction gate accepts requests of the API server. */
  "eviction gate listening": line("info", "host", "port"),
  /** Another program evicts the pod, and is told to try again later: load balancers may still send traffic to its node. Without `drain` the drain of the node has not begun yet. Logged once for each pod. */
  "eviction held": line("info", "pod", "node", "drain?"),
  /** The pod whose eviction was held may be evicted now. `because` is `released` (load balancers send no more traffic to the node, or its drain has ended), `deadline` (the pod would not end in time, or cluster-autoscaler would give up), `no-drain` (no drain of the node began), or `node-stays`. */
  "held eviction allowed": line("info", "pod", "node", "because", "heldSeconds"),
  /** The eviction gate could not find out whether an eviction must be held. The eviction passes. */
  "eviction review failed": repeating(line("warn", "code", "error")),

  /** `hold` waits for SIGTERM. */
  "hold ready": line("info", "asked"),
  /** The pod is being terminated, and stays until the drain of its node has ended. */
  "hold started": line("info", "asked", "drain"),
  /** The pod ends. `result` is the result of the drain, or not-requested. */
  "hold ended": line("info", "asked", "result"),
  /** The service did not say how the node stands. It is asked again. */
  "hold status failed": line("warn", "asked", "error"),

  // Notifications
  /** The receiver did not take a notification. It is tried again for a day, and others wait for it. Drains continue. */
  "notification failed": repeating(line("warn", "receiver", "error"), "receiver"),
  /** The receiver takes notifications again. */
  "notifications recovered": recovery(line("info", "receiver"), "notification failed"),
  /** The receiver refused a notification. It is not tried again: correct the receiver's entry in NOTIFICATIONS_FILE. */
  "notification rejected": repeating(line("error", "receiver", "error"), "receiver"),
  /** A notification was not delivered: too many waited for the receiver, or it did not take any for a day. */
  "notification dropped": repeating(line("warn", "receiver", "error"), "receiver"),

  // Lifecycle hooks
  /** The hook waits for another heartbeat timeout. */
  "hook heartbeat sent": hook("debug"),
  /** The hook was completed with CONTINUE. Auto Scaling terminates the instance. */
  "hook completed": hook("info"),
  /** The hook was completed by another program, or has timed out. */
  "hook already ended": hook("info"),
  /** The heartbeat is retried. Without one, the instance is terminated at the timeout of the hook. */
  "hook heartbeat failed": repeating(hook("warn", "code", "error"), "node", "hook"),
  /** The hook could not be completed. The instance waits for its timeout, or for the next delivery of the message. */
  "hook completion failed": repeating(hook("error", "code", "error"), "node", "hook"),
  /** `watch` could not read whether the hook waits. It is retried. */
  "hook read failed": repeating(line("warn", "hook", "code", "error"), "hook"),
  /** `watch` can't manage the hook. It ends by its own timeout. */
  "hook left to time out": line("warn", "hook", "code", "error"),

  // Rebalance recommendations
  /** The node was drained for its new root volume. It is registered again when it is back in service, until `until` at most. */
  "node return awaited": line("info", "node", "until"),
  /** The node is back in service with its new root volume, and was registered again. `drains`: the number of drains that were undone. */
  "node returned": line("info", "node", "drains"),
  /** The node left its Auto Scaling group, so that it is not registered again. */
  "node return abandoned": line("info", "node"),
  /** RETURNING_NODES is `leave`: the node is not registered again by this program. */
  "node left to controllers": line("info", "node"),
  /** The node did not return to service in time, or could not be registered again. Register it yourself. */
  "node return failed": line("error", "node", "code?", "error"),
  /** The node was drained on a recommendation. It is registered again if no interruption follows until then. */
  "rebalance undo scheduled": line("info", "node", "until"),
  /** The interruption followed the recommendation. */
  "rebalance confirmed": line("info", "node"),
  /** EC2 recommended again to replace the instance: the time until the undo starts again. */
  "rebalance recommended again": line("info", "node"),
  /** No interruption followed. The node is registered again. */
  "rebalance undone": line("info", "node"),
  /** No interruption followed. There was nothing to register again. */
  "rebalance undo skipped": line("info", "node"),
  /** No interruption followed, and the node could not be registered again. */
  "rebalance undo failed": line("error", "node", "code", "error"),

  // The agent (watch)
  /** `watch` reads the metadata of this instance. */
  "watch started": line("info", "node", "region", "dryRun"),
  /** Instance metadata announced that this instance will be terminated. Its drain begins now, or at `drainAt`. */
  "notice received": line("warn", "event", "node", "eventId?", "reason", "deadline?", "drainAt?"),
  /** Instance metadata recommended to replace this instance. It is drained early. */
  "rebalance recommendation received": line("warn", "event", "node", "eventId?", "reason"),
  /** The reboot that instance metadata still lists has happened, or is overdue by more than five minutes. Nothing is drained. */
  "notice outdated": line("info", "event", "node", "reason", "deadline?"),
  /** The notice is gone. The targets that were deregistered for it stay deregistered. */
  "notice withdrawn": line("warn", "event", "node", "reason"),
  /** Instance metadata had unexpected content at `path`. */
  "metadata malformed": line("warn", "path", "error"),
  /** With EARLY_RELEASE: the connections of this node are counted from now on, because it is being drained. `tables` are those of the kernel that this process may read; without `conntrack` it does not see connections that the node passes on to pods. */
  "connection count started": line("info", "node", "tables"),
  /** The node is not being drained any more, or nothing is left to count. */
  "connection count ended": line("info", "node"),
  /** The connections of this node could not be counted. It is retried. Until then, holds of this node last for the whole deregistration delay. */
  "connection count failed": repeating(line("warn", "error")),
  /** The service could not be told of the connections of this node. It is retried. Until then, holds of this node last for the whole deregistration delay. */
  "connection report failed": repeating(line("warn", "error")),
  /** Instance metadata could not be read. It is retried. */
  "metadata read failed": repeating(line("warn", "code", "error")),
  /** Instance metadata can be read again. */
  "metadata read recovered": recovery(line("info"), "metadata read failed"),
  /** The service accepts the secret of `watch`. */
  "service check passed": recovery(line("info"), "service check failed"),
  /** The service can't be reached, or rejected the secret. A drain would fail now. */
  "service check failed": repeating(line("warn", "status?", "error")),
  /** The service drained this instance. It can be terminated. */
  "remote drain completed": line("info", "node", "reason", "drain?", "outcome", "tookSeconds"),
  /** The service answered with a result that needs no retry. */
  "remote drain ended": line("info", "node", "reason", "drain?", "outcome", "tookSeconds"),
  /** The service did not drain this instance. The request is repeated while the notice stands. */
  "remote drain failed": repeating(
    line("error", "node", "reason", "drain?", "outcome?", "tookSeconds?", "error?"),
    "node",
  ),
  /** `watch` stopped. The drain continues in the service. */
  "remote drain left running": line("warn", "node", "reason"),
} as const;

export type LogMessage = keyof typeof LOG_LINES;
type FieldOf<M extends LogMessage> = (typeof LOG_LINES)[M]["fields"][number];

/** The fields of a line by name, as `LOG_LINES` has them. */
export type LogFields<M extends LogMessage> = {
  readonly [F in FieldOf<M> as F extends `${string}?` ? never : F]: unknown;
} & { readonly [F in FieldOf<M> as F extends `${infer Name}?` ? Name : never]?: unknown };
