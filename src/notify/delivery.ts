import { createHmac } from "node:crypto";
import type { Agent } from "node:http";
import { newAbort, WOKEN, whenAborted, withAnyOf } from "../drain/abort.ts";
import type { Clock } from "../drain/clock.ts";
import { answerText } from "./answer-text.ts";
import { LEVELS, type Notification } from "./notification.ts";
import { post } from "./post.ts";
import type { Receiver } from "./receivers.ts";

/** Notifications that wait for a receiver. Beyond this number the least serious and oldest one is dropped. */
const WAITING_MAX = 1_000;
/** If a receiver has not answered by then, the request is repeated, in milliseconds. */
const ANSWERED_WITHIN_MS = 10_000;
/** The pause between two attempts, in milliseconds. It doubles each time, from the first to the longest. */
const RETRY_FIRST_MS = 1_000;
const RETRY_MAX_MS = 300_000;
/** A notification that could not be delivered by then is useless, in milliseconds. */
const USEFUL_MS = 86_400_000;

/** How notifications end. */
export const DELIVERY_RESULTS = ["sent", "rejected", "dropped"] as const;
type DeliveryResult = (typeof DELIVERY_RESULTS)[number];

/** Observes the results of notifications. No argument contains a URL or a secret. */
export interface DeliveryObserver {
  /** `why`: of those that were not sent. */
  ended(receiver: string, result: DeliveryResult, count: number, why?: string): void;
  /** The request is repeated. */
  failed(receiver: string, error: string): void;
  recovered(receiver: string): void;
}

export interface DeliveryOptions {
  readonly receiver: Receiver;
  readonly clock: Clock;
  readonly observer: DeliveryObserver;
  /** The text of a file that the receiver names. */
  readonly readFile: (path: string) => Promise<string>;
  readonly agentFor: (url: URL) => Agent | undefined;
}

/**
 * Sends notifications to one receiver, one request after the other. Each is repeated until the receiver accepts or
 * refuses it.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  #waiting: Notification[] = [];
  #isSending = false;
  #more = newAbort();
  #idle = newAbort();

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /** It does not wait. */
  add(notification: Notification): void {
    const { receiver, observer } = this.#options;
    if (!receiver.wants(notification)) return;
    if (this.#waiting.length >= WAITING_MAX) {
      this.#waiting.splice(leastSerious(this.#waiting), 1);
      observer.ended(receiver.name, "dropped", 1, `${WAITING_MAX} notifications wait`);
    }
    this.#waiting.push(notification);
    this.#more.abort(WOKEN);
  }

  /** Resolves when nothing waits, or `signal` aborts. */
  async flushed(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (this.#isSending || this.#waiting.length > 0)) {
      this.#idle = newAbort();
      await withAnyOf([signal, this.#idle.signal], whenAborted).catch(() => {}); // Either is what it waits for.
    }
  }

  /** Sends notifications until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const batch = this.#waiting.splice(0, this.#options.receiver.form.batchMax);
      if (batch.length === 0) {
        this.#more = newAbort();
        await withAnyOf([signal, this.#more.signal], whenAborted).catch(() => {}); // Either is what it waits for.
        continue;
      }
      this.#isSending = true;
      await this.#deliver(batch, signal);
      this.#isSending = false;
      if (this.#waiting.length === 0) this.#idle.abort(WOKEN);
    }
  }

  /** Resolves when they are delivered, refused, or too old. */
  async #deliver(batch: readonly Notification[], signal: AbortSignal): Promise<void> {
    const { receiver, clock, observer } = this.#options;
    const body = receiver.form.body(batch);
    if (body === undefined) return;
    const newest = Math.max(...batch.map(({ at }) => at));
    for (let attempt = 0; !signal.aborted; attempt++) {
      const tried = await this.#try(batch, body, signal);
      if (signal.aborted) return;
      if (tried.result === "sent") {
        if (attempt > 0) observer.recovered(receiver.name);
        return observer.ended(receiver.name, "sent", batch.length);
      }
      if (tried.result === "rejected") return observer.ended(receiver.name, "rejected", batch.length, tried.why);
      observer.failed(receiver.name, tried.why);
      if (clock.now() - newest > USEFUL_MS)
        return observer.ended(receiver.name, "dropped", batch.length, "they could not be delivered within a day");
      const waitMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(attempt, 20));
      await clock.sleep(Math.max(waitMs, tried.waitMs), signal).catch(() => {}); // Stopped.
    }
  }

  async #try(batch: readonly Notification[], body: string, signal: AbortSignal): Promise<Tried> {
    const { clock } = this.#options;
    const late = newAbort();
    const done = newAbort();
    clock.sleep(ANSWERED_WITHIN_MS, done.signal).then(
      () => late.abort(new Error(`it did not answer within ${ANSWERED_WITHIN_MS / 1_000} s`)),
      () => {},
    );
    try {
      const answer = await withAnyOf([signal, late.signal], (either) => this.#send(batch, body, either));
      return triedOf(answer as Answer, clock.now());
    } catch (error) {
      return { result: "failed", why: problemOf(error as NodeJS.ErrnoException), waitMs: 0 };
    } finally {
      done.abort(WOKEN);
    }
  }

  async #send(batch: readonly Notification[], body: string, signal: AbortSignal): Promise<Answer> {
    const { receiver, readFile, agentFor, clock } = this.#options;
    const url = await receiver.url(readFile);
    const [token, secret] = await Promise.all([receiver.token?.(readFile), receiver.secret?.(readFile)]);
    const id = (batch[0] as Notification).id;
    const headers = {
      "Content-Type": receiver.form.contentType,
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(secret === undefined ? {} : signature({ id, at: clock.now(), body, secret })),
    };
    const { beginning, ...answer } = await post({ url, headers, body, agent: agentFor(url) }, signal);
    return { ...answer, said: answerText(beginning, { url, token, secret }) };
  }
}

interface Answer {
  readonly status: number;
  /** For people. */
  readonly said: string;
  readonly retryAfter: string | undefined;
}

type Tried =
  | { readonly result: "sent" }
  | { readonly result: "rejected"; readonly why: string }
  | { readonly result: "failed"; readonly why: string; readonly waitMs: number };

/** Another attempt may succeed. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429]);

function triedOf({ status, said, retryAfter }: Answer, now: number): Tried {
  if (status >= 200 && status < 300) return { result: "sent" };
  const why = `it answered ${status}${said === "" ? "" : `: ${said}`}`;
  if (status < 500 && !PASSING.has(status)) return { result: "rejected", why };
  return { result: "failed", why, waitMs: waitMsOf(retryAfter, now) };
}

/** Seconds, or a date: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
function waitMsOf(retryAfter: string | undefined, now: number): number {
  if (retryAfter === undefined) return 0;
  const ms = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1_000 : Date.parse(retryAfter) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), RETRY_MAX_MS) : 0;
}

/**
 * Node's messages may contain the address, which may be part of a secret URL. If there is a code, only the code is
 * shown.
 */
function problemOf({ code, message }: NodeJS.ErrnoException): string {
  return code === undefined ? message : `could not send it to the receiver's address (${code})`;
}

interface Signed {
  readonly id: string;
  /** In milliseconds since the epoch. */
  readonly at: number;
  readonly body: string;
  /** `whsec_` and base64, or any text. */
  readonly secret: string;
}

/** https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
function signature({ id, at, body, secret }: Signed): Readonly<Record<string, string>> {
  const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice("whsec_".length), "base64") : Buffer.from(secret);
  const timestamp = String(Math.floor(at / 1_000));
  const signed = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signed}` };
}

/** The oldest of those with the lowest level. */
function leastSerious(waiting: readonly Notification[]): number {
  const levels = waiting.map(({ level }) => LEVELS.indexOf(level));
  return levels.indexOf(Math.min(...levels));
}
