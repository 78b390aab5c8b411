import { request as requestHttp } from "node:http";
import type { AwsTime } from "../aws/aws-time.ts";
import type { Clock } from "../drain/clock.ts";
import { DrainError, printable } from "../drain/errors.ts";
import { LimitPassed, withLimit } from "../drain/limit.ts";

export interface MetadataRequest {
  readonly method: "GET" | "PUT";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface MetadataAnswer {
  readonly status: number;
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

export interface ImdsClientOptions {
  readonly clock: Clock;
  /** Gets AWS's time from every answer. */
  readonly time?: AwsTime;
  /** Rejects if there is no answer, and with the signal's reason. */
  readonly send: (request: MetadataRequest, signal: AbortSignal) => Promise<MetadataAnswer>;
}

/**
 * The longest that AWS gives a token for.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
 */
const TOKEN_SECONDS_MAX = 21_600;
/** A token is renewed when this share of its time has passed, so that no request meets its end. */
const RENEWED_AFTER = 0.9;
/** It answers within milliseconds, from the machine's own host. */
const REQUEST_TIMEOUT_MS = 2_000;
const TTL_HEADER = "x-aws-ec2-metadata-token-ttl-seconds";
const TOKEN_HEADER = "x-aws-ec2-metadata-token";
const TOKEN_PATH = "/latest/api/token";
/** The characters that a header may contain. */
const TOKEN = /^[\x21-\x7e]{1,1024}$/;

/** Instance metadata by IMDSv2: every read needs a token. There is no fallback to version 1, which needs none. */
export class ImdsClient {
  readonly #options: ImdsClientOptions;
  #token: { readonly text: string; readonly renewAt: number } | undefined;

  constructor(options: ImdsClientOptions) {
    this.#options = options;
  }

  /**
   * The content of the path. Undefined: there is none. Throws `DrainError`, whose message never contains the token. The
   * failure is temporary (`isPassing`) or not (`cloud-error`). Only a request that was refused for its token is
   * repeated, once.
   */
  async read(path: string, signal: AbortSignal): Promise<string | undefined> {
    let answer = await this.#get(path, signal);
    if (answer.status === 401) {
      // If the whole machine was suspended, the token has expired.
      this.#token = undefined;
      answer = await this.#get(path, signal);
    }
    if (answer.status === 404) return undefined;
    if (answer.status !== 200) throw refusal(`GET ${path}`, answer.status);
    return answer.body;
  }

  async #get(path: string, signal: AbortSignal): Promise<MetadataAnswer> {
    const token = await this.#currentToken(signal);
    return this.#send({ method: "GET", path, headers: { [TOKEN_HEADER]: token } }, signal);
  }

  async #currentToken(signal: AbortSignal): Promise<string> {
    const { clock } = this.#options;
    if (this.#token !== undefined && clock.now() < this.#token.renewAt) return this.#token.text;
    const askedAt = clock.now();
    const headers = { [TTL_HEADER]: String(TOKEN_SECONDS_MAX), "content-length": "0" };
    const { status, body, headers: answered } = await this.#send({ method: "PUT", path: TOKEN_PATH, headers }, signal);
    const text = body.trim();
    if (status !== 200) throw refusal(`PUT ${TOKEN_PATH}`, status);
    if (!TOKEN.test(text))
      throw new DrainError("cloud-error", `PUT ${TOKEN_PATH} returned no token: check that the endpoint is IMDSv2`);
    const seconds = Number(answered[TTL_HEADER]);
    const ttlSeconds = seconds > 0 && seconds <= TOKEN_SECONDS_MAX ? seconds : TOKEN_SECONDS_MAX;
    this.#token = { text, renewAt: askedAt + ttlSeconds * 1_000 * RENEWED_AFTER };
    return text;
  }

  async #send(request: MetadataRequest, signal: AbortSignal): Promise<MetadataAnswer> {
    const { clock, send, time } = this.#options;
    const answered = time?.sends();
    const limit = { reason: "timeout", at: clock.now() + REQUEST_TIMEOUT_MS } as const;
    try {
      const answer = await withLimit({ clock, limit, signal }, (inTime) => send(request, inTime));
      const date = answer.headers["date"];
      if (typeof date === "string") answered?.(date);
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      throw unreachable(`${request.method} ${request.path}`, error);
    }
  }
}

function unreachable(what: string, error: unknown): DrainError {
  if (!(error instanceof LimitPassed)) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === undefined ? printable(message) : `could not be reached (${code})`;
    return new DrainError("unreachable", `${what}: ${why}`, { cause: error });
  }
  const advice = "give the pod hostNetwork, or its instance a metadata hop limit of 2";
  return new DrainError("unreachable", `${what}: no answer within ${REQUEST_TIMEOUT_MS / 1_000} s: ${advice}`);
}

function refusal(what: string, status: number): DrainError {
  if (status === 429 || status === 503)
    return new DrainError("throttled", `${what} answered ${status}: too many requests`);
  if (status >= 500) return new DrainError("unavailable", `${what} answered ${status}`);
  const advice =
    status === 403
      ? ": check that instance metadata is enabled for this instance"
      : ", which IMDSv2 does not: check the endpoint";
  return new DrainError("cloud-error", `${what} answered ${status}${advice}`);
}

/** Enough for a hundred scheduled events. Anything larger is not instance metadata. */
const BODY_BYTES_MAX = 65_536;

/**
 * Sends to the metadata service at `endpoint`, one connection for each request. It follows no redirect and uses no
 * proxy.
 */
export function sendOverHttp(endpoint: string) {
  return ({ method, path, headers }: MetadataRequest, signal: AbortSignal): Promise<MetadataAnswer> =>
    new Promise((resolve, reject) => {
      const sent = requestHttp(new URL(path, endpoint), { method, headers: { ...headers }, signal, agent: false });
      sent.once("error", reject);
      sent.once("response", (answer) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        answer.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > BODY_BYTES_MAX) sent.destroy(new Error(`the answer is larger than ${BODY_BYTES_MAX} bytes`));
          else chunks.push(chunk);
        });
        answer.once("error", reject);
        answer.once("end", () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            body: Buffer.concat(chunks).toString("utf8"),
          }),
        );
      });
      sent.end();
    });
}
