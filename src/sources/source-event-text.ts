import { type DrainError, printable } from "../drain/errors.ts";
import type { Announcement } from "./announcement.ts";
import type { RecommendationEvent } from "./recommendations.ts";
import type { ReturnEvent } from "./returning.ts";
import type { HookEvent, QueueEvent } from "./source-events.ts";

/** A line of a log. */
export interface SourceLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly about: object;
}

const SETTLED = {
  delete: "done with: the message is deleted",
  leave: "not done with: the message comes back",
  release: "the message is handed back",
} as const;

/** What happens at a queue, as a person on call reads it: which event, which node, what was done. */
export function sourceLine(event: QueueEvent | HookEvent): SourceLine {
  switch (event.type) {
    case "announced": {
      const deadline = event.deadline === undefined ? {} : { deadline: new Date(event.deadline).toISOString() };
      const about = { messageId: event.messageId, ...announced(event.announcement), ...deadline };
      return { level: "info", message: "a departure is announced", about };
    }
    case "redelivered":
      return line("info", event, "delivered again while its drains run: joined");
    case "nothing-asked":
      return line("info", event, "asks for nothing", { what: printable(event.what, TEXT_MAX) });
    case "malformed": {
      const more = { problem: printable(event.problem, TEXT_MAX), receives: event.receives };
      return line("warn", event, "can't be understood, and is left for the dead-letter queue", more);
    }
    case "postponed": {
      const [first] = event.announcements;
      const more = {
        nodes: event.announcements.map(({ instanceId }) => instanceId),
        reason: printable(first?.reason ?? "", TEXT_MAX),
        until: new Date(event.until).toISOString(),
      };
      return line("info", event, "scheduled maintenance is not due yet: the message waits in the queue", more);
    }
    case "not-postponed":
      return line(
        "warn",
        event,
        "scheduled maintenance is not due yet, but its message could not be put back: its nodes are drained now",
        failure(event.error),
      );
    case "partly-malformed":
      return line("warn", event, "part of the message could not be read: the rest is acted upon", {
        problems: event.problems.slice(0, PROBLEMS_MAX).map((problem) => printable(problem, TEXT_MAX)),
      });
    case "copy":
      return line(
        "info",
        event,
        "copy of an event for another region, which gets it too: the message is deleted",
        announced(event.announcement),
      );
    case "foreign":
      return line("info", event, "announces a departure in another region", announced(event.announcement));
    case "settled":
      return line(event.message === "leave" ? "warn" : "info", event, SETTLED[event.message], {
        nodes: event.instanceIds,
      });
    case "not-settled":
      return line("error", event, "AWS did not take it: the message comes back", failure(event.error));
    case "hidden-too-long":
      return line("warn", event, "kept for 12 hours, and handed back: its drains go on");
    case "not-hidden":
      return line("warn", event, "could not be kept from others, will try again", failure(event.error));
    case "not-receiving":
      return { level: "error", message: "the queue can't be read, will try again", about: failure(event.error) };
    case "receiving":
      return { level: "info", message: "the queue is read again", about: {} };
    default:
      return hookLine(event);
  }
}

const TEXT_MAX = 300;
const PROBLEMS_MAX = 5;

function hookLine(event: HookEvent): SourceLine {
  const { instanceId: node, action } = event;
  const about = { node, group: printable(action.groupName, TEXT_MAX), hook: printable(action.hookName, TEXT_MAX) };
  switch (event.type) {
    case "hook-heartbeat":
      return { level: "debug", message: "the hook waits on", about };
    case "hook-continued":
      return { level: "info", message: "the hook is completed: Auto Scaling may go on", about };
    case "hook-over":
      return { level: "info", message: "nobody waits for the hook any more", about };
    case "hook-heartbeat-failed": {
      const message = "a heartbeat failed, will try again: without one the machine goes at the hook's timeout";
      return { level: "warn", message, about: { ...about, ...failure(event.error) } };
    }
    case "hook-not-completed": {
      const message = "the hook could not be completed: the machine waits for its timeout, or the next delivery";
      return { level: "error", message, about: { ...about, ...failure(event.error) } };
    }
    default:
      return event satisfies never;
  }
}

/** The same of a node that was taken out on a recommendation. */
export function recommendationLine(event: RecommendationEvent): SourceLine {
  const about = { node: event.instanceId };
  switch (event.type) {
    case "awaiting-departure": {
      const until = new Date(event.until).toISOString();
      return {
        level: "info",
        message: "out on a recommendation: registered again if it stays",
        about: { ...about, until },
      };
    }
    case "departure-followed":
      return { level: "info", message: "its departure has followed the recommendation", about };
    case "recommendation-withdrawn":
      return event.undone > 0
        ? { level: "info", message: "no departure has followed the recommendation: it is registered again", about }
        : { level: "info", message: "no departure has followed the recommendation: nothing is left to undo", about };
    case "recommendation-not-withdrawn": {
      const message = "no departure has followed the recommendation, and it could not be registered again";
      return { level: "error", message, about: { ...about, ...failure(event.error) } };
    }
    default:
      return event satisfies never;
  }
}

/** The same of a machine whose root volume is replaced. */
export function returnLine(event: ReturnEvent): SourceLine {
  const about = { node: event.instanceId };
  switch (event.type) {
    case "awaiting-return": {
      const until = new Date(event.until).toISOString();
      const message = "drained for its new root volume: registered again once it is back in service";
      return { level: "info", message, about: { ...about, until } };
    }
    case "returned":
      return {
        level: "info",
        message: "machine returned: registered again",
        about: { ...about, drains: event.undone },
      };
    case "not-returning":
      return { level: "info", message: "machine left its Auto Scaling group: nothing is registered again", about };
    case "left-to-controllers":
      return { level: "info", message: "drained for its new root volume: left to its controllers", about };
    case "not-registered-again": {
      const message = "machine not registered again: register it yourself, or leave it to its controllers";
      const why = event.error === undefined ? { error: "it did not return to service in time" } : failure(event.error);
      return { level: "error", message, about: { ...about, ...why } };
    }
    default:
      return event satisfies never;
  }
}

function line(
  level: SourceLine["level"],
  { messageId }: { readonly messageId: string },
  text: string,
  more: object = {},
): SourceLine {
  return { level, message: text, about: { messageId, ...more } };
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
