import { printable } from "../drain/errors.ts";
import type { Log } from "../observe/log.ts";
import type { MetadataObserver } from "../sources/standing-notices.ts";

/** One line for each event of instance metadata. */
export function watchLog(log: Log): MetadataObserver {
  return (event) => {
    switch (event.type) {
      case "noticed": {
        const { kind, instanceId, eventId, reason, deadline, isVoluntary } = event.announcement;
        const about = {
          event: kind,
          node: instanceId,
          ...(eventId === undefined ? {} : { eventId: printable(eventId) }),
          reason,
        };
        if (isVoluntary) return log("rebalance recommendation received", about);
        return log("notice received", {
          ...about,
          ...(deadline === undefined ? {} : { deadline: moment(deadline) }),
          ...(event.drainAt === undefined ? {} : { drainAt: moment(event.drainAt) }),
        });
      }
      case "over": {
        const { kind, instanceId, reason, deadline } = event.announcement;
        const by = deadline === undefined ? {} : { deadline: moment(deadline) };
        return log("notice outdated", { event: kind, node: instanceId, reason, ...by });
      }
      case "withdrawn": {
        const { kind, instanceId, reason } = event.announcement;
        return log("notice withdrawn", { event: kind, node: instanceId, reason });
      }
      case "malformed":
        return log("metadata malformed", { path: event.path, error: event.problem });
      case "unreadable": {
        const { code, message } = event.error;
        return log("metadata read failed", { code, error: message });
      }
      case "readable":
        return log("metadata read recovered", {});
      default:
        return event satisfies never;
    }
  };
}

function moment(at: number): string {
  return new Date(at).toISOString();
}
