import { type DrainError, printable } from "../drain/errors.ts";
import type { Announcement } from "./announcement.ts";
import type { NodeEvent } from "./cluster-nodes.ts";
import type { RecommendationEvent } from "./recommendations.ts";
import type { ReturnEvent } from "./returning.ts";
import type { HookEvent, QueueEvent } from "./source-events.ts";

const SETTLED = {
  delete: "message deleted",
  leave: "message left for redelivery",
  release: "message returned",
} as const;

/** The log line of an event of a queue or of a lifecycle hook. */
export function sourceLine(event: QueueEvent | HookEvent) {
  switch (event.type) {
    case "announced": {
      const deadline = event.deadline === undefined ? {} : { deadline: new Date(event.deadline).toISOString() };
      return line("termination announced", { ...of(event), ...announced(event.announcement), ...deadline });
    }
    case "redelivered":
      return line("message redelivered", of(event));
    case "nothing-asked":
      return line("message ignored", { ...of(event), detail: printable(event.what, TEXT_MAX) });
    case "malformed": {
      const more = { error: printable(event.problem, TEXT_MAX), receives: event.receives };
      return line("message malformed", { ...of(event), ...more });
    }
    case "postponed":
      return line("maintenance postponed", {
        ...of(event),
        nodes: event.announcements.map(({ instanceId }) => instanceId),
        reason: printable(event.announcements[0]?.reason ?? "", TEXT_MAX),
        until: new Date(event.until).toISOString(),
      });
    case "not-postponed":
      return line("maintenance postponement failed", { ...of(event), ...failure(event.error) });
    case "partly-malformed":
      return line("message partly malformed", {
        ...of(event),
        errors: event.problems.slice(0, PROBLEMS_MAX).map((problem) => printable(problem, TEXT_MAX)),
      });
    case "copy":
      return line("event copy skipped", { ...of(event), ...announced(event.announcement) });
    case "foreign":
      return line("announcement skipped", { ...of(event), ...announced(event.announcement) });
    case "settled":
      return line(SETTLED[event.message], { ...of(event), nodes: event.instanceIds });
    case "not-settled":
      return line("message update failed", { ...of(event), ...failure(event.error) });
    case "hidden-too-long":
      return line("message visibility expired", of(event));
    case "not-hidden":
      return line("message visibility update failed", { ...of(event), ...failure(event.error) });
    case "not-receiving":
      return line("queue read failed", failure(event.error));
    case "receiving":
      return line("queue read recovered", {});
    default:
      return hookLine(event);
  }
}

const TEXT_MAX = 300;
const PROBLEMS_MAX = 5;

function hookLine(event: HookEvent) {
  const { instanceId: node, action } = event;
  const about = { node, group: printable(action.groupName, TEXT_MAX), hook: printable(action.hookName, TEXT_MAX) };
  switch (event.type) {
    case "hook-heartbeat":
      return line("hook heartbeat sent", about);
    case "hook-continued":
      return line("hook completed", about);
    case "hook-over":
      return line("hook already ended", about);
    case "hook-heartbeat-failed":
      return line("hook heartbeat failed", { ...about, ...failure(event.error) });
    case "hook-not-completed":
      return line("hook completion failed", { ...about, ...failure(event.error) });
    default:
      return event satisfies never;
  }
}

/** The log line of a node that was drained on a recommendation. */
export function recommendationLine(event: RecommendationEvent) {
  const about = { node: event.instanceId };
  switch (event.type) {
    case "awaiting-departure":
      return line("rebalance undo scheduled", { ...about, until: new Date(event.until).toISOString() });
    case "departure-followed":
      return line("rebalance confirmed", about);
    case "recommended-again":
      return line("rebalance recommended again", about);
    case "recommendation-withdrawn":
      return line(event.undone > 0 ? "rebalance undone" : "rebalance undo skipped", about);
    case "recommendation-not-withdrawn":
      return line("rebalance undo failed", { ...about, ...failure(event.error) });
    default:
      return event satisfies never;
  }
}

/** The log line of a machine whose root volume is replaced. */
export function returnLine(event: ReturnEvent) {
  const about = { node: event.instanceId };
  switch (event.type) {
    case "awaiting-return":
      return line("node return awaited", { ...about, until: new Date(event.until).toISOString() });
    case "returned":
      return line("node returned", { ...about, drains: event.undone });
    case "not-returning":
      return line("node return abandoned", about);
    case "left-to-controllers":
      return line("node left to controllers", about);
    case "not-registered-again": {
      const why = event.error === undefined ? { error: "it did not return to service in time" } : failure(event.error);
      return line("node return failed", { ...about, ...why });
    }
    default:
      return event satisfies never;
  }
}

/** The log line of what a Node object announces. */
export function nodeLine(event: NodeEvent) {
  const { name } = event;
  switch (event.type) {
    case "node-announced": {
      const { deadline } = event.announcement;
      const until = deadline === undefined ? {} : { deadline: new Date(deadline).toISOString() };
      return line("node departure announced", { name, ...announced(event.announcement), ...until });
    }
    case "node-skipped": {
      const providerId = event.providerId === undefined ? {} : { providerId: printable(event.providerId) };
      return line("node skipped", { name, reason: event.reason, ...providerId });
    }
    case "node-withdrawn":
      return line("node departure withdrawn", { node: event.instanceId, name, drains: event.undone });
    case "node-not-withdrawn":
      return line("node departure not undone", { node: event.instanceId, name, ...failure(event.error) });
    default:
      return event satisfies never;
  }
}

function line<const M extends string, F extends object>(message: M, fields: F) {
  return { message, fields };
}

function of({ messageId }: { readonly messageId: string }) {
  return { messageId };
}

function announced({ kind, instanceId: node, reason, eventId, lifecycleAction, region }: Announcement) {
  return {
    node,
    event: kind,
    reason: printable(reason, TEXT_MAX),
    ...(eventId === undefined ? {} : { eventId: printable(eventId) }),
    ...(region === undefined ? {} : { region: printable(region) }),
    ...(lifecycleAction === undefined
      ? {}
      : { group: printable(lifecycleAction.groupName, TEXT_MAX), hook: printable(lifecycleAction.hookName, TEXT_MAX) }),
  };
}

function failure({ code, message }: DrainError) {
  return { code, error: message };
}
