import type { ReportedOutcome } from "../drain/outcome.ts";
import { DEADLINE_SECONDS_MAX } from "../drain/request.ts";
import type { InstanceIdentity } from "../sources/metadata/metadata-kind.ts";
import { type Notice, type NoticeEnd, noticeEnd } from "../sources/standing-notices.ts";
import { RemoteError } from "./failure.ts";
import { understand } from "./remote-answer.ts";
import type { RemoteService } from "./remote-service.ts";
import type { Watching } from "./watching.ts";

interface RemoteWatching extends Watching {
  readonly service: Pick<RemoteService, "ask">;
  /** The timeout of this caller, in milliseconds. */
  readonly timeoutMs: number | undefined;
  readonly dryRun: boolean;
  /** Whether it counts the connections of this machine for the service. */
  readonly earlyRelease: boolean;
}

/** Lets a service drain this machine, and waits. Resolves when it is stopped and every answer has arrived. */
export async function watchRemotely(watching: RemoteWatching): Promise<void> {
  const { log, watch, service, stop, dryRun } = watching;
  const identity = await watch.identity(stop);
  const { instanceId, region } = identity;
  log("watch started", { node: instanceId, region, dryRun });
  const underWay = new Set<Promise<void>>([checkService(service, watching)]);
  if (watching.earlyRelease) underWay.add(countFor(service, identity, watching));
  for await (const notice of watch.notices(identity, stop)) {
    const asked = drainedBy(notice, watching).then(notice.done);
    underWay.add(asked);
    void asked.finally(() => underWay.delete(asked));
  }
  await Promise.all(underWay);
}

/** The code that counts connections is loaded only if it is configured. Never rejects. */
async function countFor(
  service: RemoteWatching["service"],
  identity: InstanceIdentity,
  watching: Watching,
): Promise<void> {
  const { countConnections, reportTo } = await import("./count-connections.ts");
  await countConnections(identity, reportTo(service, identity, watching), watching);
}

/** Never rejects. */
async function drainedBy(notice: Notice, watching: RemoteWatching): Promise<NoticeEnd> {
  const { service, log, abandon, clock } = watching;
  const { instanceId, reason } = notice.announcement;
  const about = { node: instanceId, reason };
  const startedAt = clock.now();
  try {
    const { outcome, problem } = understand(await service.ask("POST", "/drain", bodyFor(notice, watching), abandon));
    if (outcome === undefined) {
      log("remote drain failed", { ...about, error: problem });
      return "again";
    }
    const end = noticeEnd(outcome as ReportedOutcome);
    const drain = "drainId" in outcome ? { drain: outcome.drainId } : {};
    const line = {
      ...about,
      ...drain,
      outcome: outcome.status,
      tookSeconds: Math.round((clock.now() - startedAt) / 1_000),
    };
    if (end === "again") log("remote drain failed", line);
    else log(end === "out" ? "remote drain completed" : "remote drain ended", line);
    return end;
  } catch (error) {
    if (abandon.aborted) {
      log("remote drain left running", about);
      return "over";
    }
    log("remote drain failed", { ...about, error: messageOf(error) });
    return "again";
  }
}

/**
 * The service may refuse a request without a deadline, so the request for a machine that terminates always has one.
 */
function bodyFor({ announcement: { instanceId, reason }, deadline }: Notice, watching: RemoteWatching): object {
  const { clock, timeoutMs, dryRun } = watching;
  const left = deadline === undefined ? DEADLINE_SECONDS_MAX : (deadline - clock.now()) / 1_000;
  return {
    id: instanceId,
    reason,
    deadline: Math.max(0, Math.min(DEADLINE_SECONDS_MAX, left)),
    ...(timeoutMs === undefined ? {} : { timeout: timeoutMs / 1_000 }),
    ...(dryRun ? { dryRun } : {}),
  };
}

/** It is better to know this now than in the last two minutes. Never rejects. */
async function checkService(service: Pick<RemoteService, "ask">, { log, stop }: Watching): Promise<void> {
  try {
    const { status, body } = await service.ask("GET", "/drains", undefined, stop);
    if (status === 200) log("service check passed", {});
    else log("service check failed", { status, error: body["detail"] });
  } catch (error) {
    if (!stop.aborted) log("service check failed", { error: messageOf(error) });
  }
}

function messageOf(error: unknown): string {
  return error instanceof RemoteError ? error.message : String(error);
}
