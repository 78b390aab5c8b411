import { networkInterfaces } from "node:os";
import { ConnectionCounter } from "../connections/connection-counter.ts";
import { type ReportingOptions, reportConnections } from "../connections/reporting.ts";
import type { CountingOrder } from "../drain/early-release.ts";
import { withLimit } from "../drain/limit.ts";
import type { InstanceIdentity } from "../sources/metadata/metadata-kind.ts";
import { RemoteError } from "./failure.ts";
import type { RemoteService } from "./remote-service.ts";
import type { Watching } from "./watching.ts";

/** A process outside the node's network finds the tables of its own network here, which never have a connection. */
const TABLES_FOLDER = "/proc/net";
const ANSWER_WITHIN_MS = 5_000;
const FAILED = { count: "connection count failed", report: "connection report failed" } as const;

/** Counts the connections of this machine while it is drained, until `stop`. Never rejects. */
export async function countConnections(
  { instanceId: node, privateAddress }: InstanceIdentity,
  exchange: ReportingOptions["exchange"],
  { clock, log, stop }: Pick<Watching, "clock" | "log" | "stop">,
): Promise<void> {
  if (privateAddress === undefined) {
    log("connection count failed", { error: "the instance identity document has no privateIp" });
    return;
  }
  const counter = new ConnectionCounter({
    folder: TABLES_FOLDER,
    primaryAddress: privateAddress,
    ownAddresses: () => Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address)),
    now: () => clock.now(),
  });
  let counted = "";
  const onCounting: ReportingOptions["onCounting"] = (count) => {
    const tables = count?.tables.join(" ") ?? "";
    if (tables === counted) return;
    if (count === undefined) log("connection count ended", { node });
    else log("connection count started", { node, tables: count.tables });
    counted = tables;
  };
  await reportConnections(
    {
      clock,
      exchange,
      count: (ports) => counter.count(ports),
      onCounting,
      onFailure: (what, { message }) => log(FAILED[what], { error: message }),
    },
    stop,
  );
}

/** Reports to a service, which must answer soon, because a report that waits proves nothing. */
export function reportTo(
  service: Pick<RemoteService, "ask">,
  { instanceId }: InstanceIdentity,
  { clock }: Pick<Watching, "clock">,
): ReportingOptions["exchange"] {
  const path = `/nodes/${instanceId}/connections`;
  return async (report, signal) => {
    const limit = { reason: "timeout", at: clock.now() + ANSWER_WITHIN_MS } as const;
    const { status, body } = await withLimit({ clock, limit, signal }, (within) =>
      service.ask("POST", path, report, within),
    ).catch((error: unknown) => {
      throw error instanceof RemoteError ? error : new RemoteError(`no answer within ${ANSWER_WITHIN_MS / 1_000} s`);
    });
    if (status === 200) return orderIn(body);
    throw new RemoteError(`the service answered ${status}: ${String(body["detail"] ?? "")}`);
  };
}

/** Throws `RemoteError` if no service sends this. */
function orderIn(body: Readonly<Record<string, unknown>>): CountingOrder {
  const { draining, ports, turn, afterSeconds } = body;
  if (typeof draining !== "boolean" || !Array.isArray(ports) || typeof turn !== "string" || !isPause(afterSeconds))
    throw new RemoteError("the service answered something else: check --server, and the version of the service");
  return { isDraining: draining, ports, turn, afterMs: afterSeconds * 1_000 };
}

function isPause(seconds: unknown): seconds is number {
  return typeof seconds === "number" && seconds > 0 && seconds <= 3_600;
}
