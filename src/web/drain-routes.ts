import type { Context, Hono, MiddlewareHandler } from "hono";
import type { Clock } from "../drain/clock.ts";
import { printable } from "../drain/errors.ts";
import type { DrainSummary, Ledger } from "../drain/ledger.ts";
import type { NodeUndo, NodeUndoRequest } from "../drain/node-undo.ts";
import type { RunningDrain } from "../drain/outcome.ts";
import { drainListReport, drainReport } from "../drain/record-report.ts";
import type { Asker } from "../drain/request.ts";
import type { UndoOutcome } from "../drain/undo.ts";
import { undoAnswer } from "./answers.ts";
import { clientAddress } from "./asker.ts";
import { DrainTexts } from "./drain-texts.ts";
import { checkRecordRequest, type DrainsRequest, readDrainsRequest, readLastEventId } from "./drains-request.ts";
import { EventStreams } from "./event-streams.ts";
import { queryOf } from "./parameters.ts";
import { type Answer, problem, send } from "./problem.ts";
import type { NeedAccess } from "./secret-guard.ts";

const LIST_GROWTH = 4;

/** The paths of drains, past and running ones. */
export interface DrainHistory extends Pick<Ledger, "list" | "read" | "follow"> {
  running(drainId: string): RunningDrain | undefined;
}

export interface DrainRoutesOptions {
  readonly needs: NeedAccess;
  /** See `relay`. */
  readonly byLeader: MiddlewareHandler;
  readonly history: DrainHistory;
  readonly clock: Clock;
  readonly cancel: Cancel;
  readonly askerOf: (context: Context) => Asker;
}

/** Undoes the drains of a node. Throws `DrainError`. */
export type CancelNode = (request: NodeUndoRequest) => Promise<NodeUndo>;

/** Undoes a drain. Throws `DrainError`. */
export type Cancel = (drainId: string, asker: Asker) => Promise<UndoOutcome>;

/** The routes of drains: what was accepted, and what has happened since. */
export function addDrainRoutes(app: Hono, options: DrainRoutesOptions): void {
  const { needs, byLeader, history, clock, cancel, askerOf } = options;
  const texts = new DrainTexts();
  const streams = new EventStreams(clock, texts);

  app.get("/drains", needs({ verb: "list", resource: "drains" }), byLeader, (context) => {
    const request = readDrainsRequest(queryOf(context), clock.now());
    const listed = pageOf(history, request);
    if (listed === undefined) return send(unknown(request.before ?? ""));
    return jsonText(`{"drains":[${listed.map(summaryText).join(",")}]}\n`);
  });

  app.get("/drains/:drain", needs({ verb: "get", resource: "drains" }), byLeader, async (context) => {
    checkRecordRequest(queryOf(context));
    const id = context.req.param("drain");
    const entries = await history.read(id, context.req.raw.signal);
    const text = entries && (await texts.of(entries));
    if (text === undefined) return send(unknown(id));
    const report = JSON.stringify(drainReport(text.record, history.running(id)));
    const steps = text.steps.map(({ json }) => json);
    // The steps come last.
    const body = `${report.slice(0, -1)},"steps":[${steps.join(",")}]}\n`;
    return jsonText(body);
  });

  app.delete("/drains/:drain", needs({ verb: "delete", resource: "drains" }), byLeader, async (context) => {
    checkRecordRequest(queryOf(context));
    return send(undoAnswer(await cancel(context.req.param("drain"), askerOf(context))));
  });

  app.get("/drains/:drain/events", needs({ verb: "get", resource: "drains" }), byLeader, async (context) => {
    checkRecordRequest(queryOf(context));
    const id = context.req.param("drain");
    const after = readLastEventId(context.req.header("last-event-id"));
    const { method, signal } = context.req.raw;
    const client = clientAddress(context);
    const stream = await streams.open({ history, id, after, client, isWanted: method !== "HEAD", signal });
    return stream ?? send(unknown(id));
  });
}

/** Undefined: the drain after which the list continues is not known. */
function pageOf(
  history: Pick<Ledger, "list">,
  { max, before, isWanted = () => true }: DrainsRequest,
): readonly DrainSummary[] | undefined {
  // The whole history is seldom needed, and may have tens of thousands of drains.
  for (let asked = max; ; asked *= LIST_GROWTH) {
    const all = history.list(asked);
    const isAll = all.length < asked;
    const last = before === undefined ? -1 : all.findIndex(({ drain }) => drain === before);
    const isFound = before === undefined || last >= 0;
    const wanted = isFound ? all.slice(last + 1).filter(isWanted) : [];
    if (wanted.length >= max || isAll) return isFound ? wanted.slice(0, max) : undefined;
  }
}

function unknown(id: string): Answer {
  return problem(
    404,
    `there is no drain '${printable(id)}', or it was removed because of its age: GET /drains lists the known drains`,
  );
}

const summaryTexts = new WeakMap<DrainSummary, string>();

/** Made once for each: a list may have a thousand, of which few have changed since the last request. */
function summaryText(summary: DrainSummary): string {
  const text = summaryTexts.get(summary) ?? JSON.stringify(drainListReport([summary]).drains[0]);
  summaryTexts.set(summary, text);
  return text;
}

function jsonText(body: string): Response {
  return new Response(Buffer.from(body), { headers: { "content-type": "application/json" } });
}
