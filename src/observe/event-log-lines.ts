import { ANNOUNCEMENT, announcement, hook, line, message, recovery, repeating } from "./log-line.ts";

/** The lines about events that start drains, about hooks, the cluster, notifications and the agent. A part of `LOG_LINES`. */
export const EVENT_LINES = {
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
  /** The message is not a known event. It stays in the queue, which moves it to its dead-letter queue. */
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
  /** An Event or annotation of a Node object could not be written, and is dropped. Logged once until one succeeds. */
  "node report failed": line("warn", "error"),
  /** The annotation that delays cluster-autoscaler's deletion could not be set or removed. It is retried. */
  "deletion delay failed": repeating(line("warn", "name", "error"), "name"),
  /** The agent on a node serves its metrics (METRICS_PORT). */
  "metrics listening": line("info", "host", "port"),
  /** The eviction gate accepts requests of the API server. */
  "eviction gate listening": line("info", "host", "port"),
  /**
   * Another program evicts the pod, and gets the answer to try again later: load balancers may still send traffic to
   * its node. Without `drain` the drain of the node has not begun yet. Logged once for each pod.
   */
  "eviction held": line("info", "pod", "node", "drain?"),
  /** The pod whose eviction was held may be evicted now. `because` is `released` (load balancers send no more traffic to the node, or its drain has ended), `deadline` (the pod would not end in time, or cluster-autoscaler would give up), `no-drain` (no drain of the node began), or `node-stays`. */
  "held eviction allowed": line("info", "pod", "node", "because", "heldSeconds"),
  /** The eviction gate could not find out whether an eviction must be held. The eviction is allowed. */
  "eviction review failed": repeating(line("warn", "code", "error")),

  /** `hold` waits for SIGTERM. */
  "hold ready": line("info", "asked"),
  /** The pod is being terminated, and stays until the drain of its node has ended. */
  "hold started": line("info", "asked", "drain"),
  /** The pod ends. `result` is the result of the drain, or not-requested. */
  "hold ended": line("info", "asked", "result"),
  /** The service did not return the state of the node. It is asked again. */
  "hold status failed": line("warn", "asked", "error"),

  // Notifications
  /** The receiver did not accept a notification. It is repeated for a day, and others wait for it. Drains continue. */
  "notification failed": repeating(line("warn", "receiver", "error"), "receiver"),
  /** The receiver accepts notifications again. */
  "notifications recovered": recovery(line("info", "receiver"), "notification failed"),
  /** The receiver refused a notification. It is not repeated: correct the receiver's entry in NOTIFICATIONS_FILE. */
  "notification rejected": repeating(line("error", "receiver", "error"), "receiver"),
  /** A notification was not delivered: too many waited for the receiver, or it did not accept any for a day. */
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
  /**
   * With EARLY_RELEASE: the connections of this node are counted from now on, because it is being drained. `tables` are
   * those of the kernel that this process may read; without `conntrack` it does not see connections that the node
   * forwards to pods.
   */
  "connection count started": line("info", "node", "tables"),
  /** The node is not being drained any more, or nothing remains to be counted. */
  "connection count ended": line("info", "node"),
  /** The connections of this node could not be counted. It is retried. Until then, holds of this node last for the whole deregistration delay. */
  "connection count failed": repeating(line("warn", "error")),
  /**
   * The report of the connections of this node could not be sent to the service. It is retried. Until then, holds of
   * this node last for the whole deregistration delay.
   */
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
