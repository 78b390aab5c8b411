import type { Context, MiddlewareHandler } from "hono";
import { onAbort, withAnyOf } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { backOffMs } from "../drain/limit.ts";
import { clientAddress } from "./asker.ts";
import { type Forwarder, type Leader, NotReached } from "./forward.ts";
import { send, unavailable } from "./problem.ts";
import { isPassedOver, NOT_LEADER_HEADER } from "./replicas.ts";

const EVENT_STREAM = "text/event-stream";
/** The pause between two attempts to reach a leader, unless another leader becomes known. */
const PAUSE = { firstMs: 125, maxMs: 1_000 };
/** The number of leaders that may accept a request and end before they answer. The request itself may be the cause. */
const TAKEN_MAX = 3;
/** A term of this process. */
export interface AnsweringTerm {
  /** Aborts when its answers are not valid any more, because the next leader has them. */
  readonly over: AbortSignal;
}

/** The process that answers now. */
export interface Route {
  /** The term of this process, while it leads. */
  readonly term: AnsweringTerm | undefined;
  /** Another process, as it was read last. `gone` aborts when yet another one leads. */
  readonly leader: (Leader & { readonly gone: AbortSignal }) | undefined;
  /** Resolves at the next change, or after this many milliseconds. */
  changed(withinMs: number, signal: AbortSignal): Promise<void>;
}

export interface RelayOptions {
  readonly route: Route;
  readonly forwarder: Forwarder;
  readonly clock: Clock;
  /** See `replicaHeader`. */
  readonly markFor: (client: string) => string;
  /** How long a request waits for a leader, in milliseconds. */
  readonly waitMs: number;
  /** Aborts when the process does not wait any more. */
  readonly end: AbortSignal;
  /** If no leader answers, this process answers itself. Absent: the caller gets 503. */
  readonly failsOpen?: boolean;
  /** Called for each failed attempt. */
  readonly onFailure: (leader: string, error: Error) => void;
}

/**
 * Answers here while this process leads, and otherwise has the leader answer. If the leader ends, its request is
 * repeated at the next one. Every request may be repeated: a drain is joined, and a cancellation is done once. The
 * request of another replica is never passed on again.
 */
export class Relay {
  readonly #options: RelayOptions;
  #waiting = 0;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  /** Requests that wait for a leader or its answer. An event stream that has begun does not count. */
  get waiting(): number {
    return this.#waiting;
  }

  readonly middleware: MiddlewareHandler = async (context, next) => {
    const { route, failsOpen = false } = this.#options;
    const isOfReplica = context.get("ofReplica") !== undefined;
    const { term } = route;
    if (term === undefined) {
      if (!isOfReplica) return this.#elsewhere(context, next);
      return failsOpen ? next() : notLeader();
    }
    await next();
    const isStream = context.res.headers.get("content-type") === EVENT_STREAM && context.res.body !== null;
    if (isStream) replaceAnswer(context, untilOver(context.res, term.over));
    else if (term.over.aborted && context.res.status === 503)
      replaceAnswer(context, isOfReplica ? notLeader() : await this.#elsewhere(context, undefined));
    return undefined;
  };

  async #elsewhere(context: Context, here: (() => Promise<void>) | undefined): Promise<Response | undefined> {
    this.#waiting += 1;
    try {
      return await elsewhere(context, here, this.#options);
    } finally {
      this.#waiting -= 1;
    }
  }
}

/** Hono would add the headers of one answer to those of the other. */
function replaceAnswer(context: Context, answer: Response | undefined): void {
  context.res = undefined;
  context.res = answer;
}

/** Ends with the term: the reader reconnects, and follows the next leader. */
function untilOver({ body, status, headers }: Response, over: AbortSignal): Response {
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  const forget = onAbort(over, () => void reader.cancel().catch(() => {})); // It has ended by itself.
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = over.aborted ? { done: true as const, value: undefined } : await reader.read();
      if (done || over.aborted) {
        forget();
        controller.close();
      } else controller.enqueue(value);
    },
    async cancel() {
      forget();
      await reader.cancel();
    },
  });
  return new Response(stream, { status, headers });
}

function notLeader(): Response {
  return send(unavailable("this replica does not lead", {}, { [NOT_LEADER_HEADER]: "true" }));
}

/** The next leader's answer. `here`: answers in this process if it is the leader. It can be called once. */
async function elsewhere(
  context: Context,
  here: (() => Promise<void>) | undefined,
  options: RelayOptions,
): Promise<Response | undefined> {
  const { route, clock, waitMs, end, failsOpen = false } = options;
  const caller = context.req.raw.signal;
  const unanswered = async (detail: string) => {
    if (!failsOpen || here === undefined) return send(unavailable(detail));
    await here();
    return undefined;
  };
  let [waitedSince, taken] = [clock.now(), 0];
  let last: string | undefined;
  for (let tries = 0; !end.aborted; tries += 1) {
    if (route.term !== undefined && here !== undefined) {
      await here();
      return undefined;
    }
    // This process has answered the request already, with a 503 of its earlier term.
    if (route.term?.over.aborted === false) return unanswered("this replica leads again: repeat the request");
    const identity = route.leader?.identity ?? last;
    // A new leader may have ended before this request reached it: the next one can then take as long as that one did.
    if (identity !== last) [waitedSince, last] = [clock.now(), identity];
    const passed = await tried(context, options);
    if (passed instanceof Response) return passed;
    if (passed === "taken") [waitedSince, taken] = [clock.now(), taken + 1];
    if (taken === TAKEN_MAX)
      return unanswered(`${TAKEN_MAX} leaders have ended while they had this request: try again later`);
    if (clock.now() - waitedSince >= waitMs)
      return unanswered(`no replica has led for ${waitMs / 1_000} s: the log of the replicas says why`);
    await withAnyOf([caller, end], (either) => route.changed(backOffMs(tries, PAUSE), either)).catch(() => {});
    caller.throwIfAborted();
  }
  return unanswered("the service is stopping");
}

/** `taken`: the leader may have begun with it. */
async function tried(context: Context, options: RelayOptions): Promise<Response | "taken" | "not-taken"> {
  const { route, forwarder, markFor, end, onFailure } = options;
  const { leader } = route;
  if (leader === undefined) return "not-taken";
  const { raw } = context.req;
  const { pathname, search } = new URL(raw.url);
  const { method, headers } = raw;
  const body = method === "POST" ? Buffer.from(await context.req.arrayBuffer()) : undefined;
  const request = { method, path: pathname + search, headers, body, mark: markFor(clientAddress(context)) };
  try {
    const answer = await forwarder.pass(leader, request, [raw.signal, leader.gone, end]);
    return isPassedOver(answer) ? "not-taken" : answer;
  } catch (error) {
    raw.signal.throwIfAborted();
    if (!leader.gone.aborted && !end.aborted) onFailure(leader.identity, error as Error);
    return error instanceof NotReached ? "not-taken" : "taken";
  }
}
