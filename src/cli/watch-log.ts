import type { Log } from "../observe/log.ts";
import type { MetadataObserver } from "../sources/standing-notices.ts";

/** One line for each thing that instance metadata says. */
export function watchLog(log: Log): MetadataObserver {
  return (event) => {
    switch (event.type) {
      case "noticed": {
        const { kind, instanceId, eventId, reason, deadline } = event.announcement;
        const about = { kind, node: instanceId, ...(eventId === undefined ? {} : { event: eventId }), reason };
        const by = deadline === undefined ? {} : { deadline: moment(deadline) };
        if (event.announcement.isVoluntary)
          return log.warn(about, "EC2 recommends to replace this machine: it is drained early");
        return event.drainAt === undefined
          ? log.warn({ ...about, ...by }, "this machine will go away")
          : log.warn(
              { ...about, ...by, drainAt: moment(event.drainAt) },
              "this machine will go away, and is drained then",
            );
      }
      case "over": {
        const { kind, instanceId, reason, deadline } = event.announcement;
        const by = deadline === undefined ? {} : { deadline: moment(deadline) };
        return log.info(
          { kind, node: instanceId, reason, ...by },
          "scheduled reboot is over: nothing is drained for it",
        );
      }
      case "withdrawn": {
        const { kind, instanceId, reason } = event.announcement;
        const message = "the notice is gone: what was drained for it stays drained";
        return log.warn({ kind, node: instanceId, reason }, message);
      }
      case "malformed":
        return log.warn({ path: event.path, problem: event.problem }, "instance metadata can't be understood there");
      case "unreadable": {
        const { code, message } = event.error;
        return log.warn({ code, error: message }, "instance metadata can't be read, trying again");
      }
      case "readable":
        return log.info("instance metadata can be read again");
      default:
        return event satisfies never;
    }
  };
}

function moment(at: number): string {
  return new Date(at).toISOString();
}
