import type { ClientRequest, IncomingMessage } from "node:http";
import { EXIT } from "./exit-codes.ts";
import { RemoteError } from "./failure.ts";
import { NOT_OURS, type RemoteAnswer, refusalOf } from "./remote-answer.ts";
import type { SentStep } from "./step-progress.ts";

/** A service that does not accept the connection within this time can't be reached. */
const CONNECT_TIMEOUT_MS = 10_000;
/** How often the network checks whether the service's machine still answers. */
const KEEP_ALIVE_MS = 30_000;
/** Far more than the report of a node in hundreds of pools. */
const ANSWER_BYTES_MAX = 16 * 2 ** 20;
/** Node's codes for a certificate by an authority that it does not know. */
const UNKNOWN_AUTHORITY: ReadonlySet<string> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

/** The service sends something every 15 seconds. */
const SILENCE_MS = 50_000;

export interface RemoteServiceOptions {
  /** Its URL, without user, query or fragment. */
  readonly url: URL;
  /** The secret or token. Called before each request, because a token is replaced. Throws `RemoteError`. */
  readonly secret: () => Promise<string>;
  /** The client certificate, for a service that requires one. */
  readonly identity?: { readonly cert: string; readonly key: string };
  readonly connectTimeoutMs?: number;
  /** The longest silence of a stream of events. */
  readonly silenceMs?: number;
}

/** A client of a running service. */
export class RemoteService {
  readonly #options: RemoteServiceOptions;

  constructor(options: RemoteServiceOptions) {
    this.#options = options;
  }

  /**
   * The answer, however long it takes: a drain takes minutes, and the service limits it. (`fetch` would stop after
   * five.) `path`: with its query, encoded. Throws `RemoteError`, whose message never contains the secret.
   */
  async ask(
    method: "GET" | "POST" | "DELETE",
    path: string,
    body: object | undefined,
    signal: AbortSignal,
  ): Promise<RemoteAnswer> {
    try {
      const answer = await this.#send({ method, path, body }, signal);
      return await this.#read(answer);
    } catch (error) {
      throw this.#failure(error, signal);
    }
  }

  /**
   * The steps after the one with the number `after`, as the service sends them. Ends when the connection ends, or when
   * nothing comes for so long that a proxy must be buffering it. Throws `RemoteError`.
   * https://html.spec.whatwg.org/multipage/server-sent-events.html
   */
  async *events(path: string, after: number, signal: AbortSignal): AsyncGenerator<SentStep, void> {
    const { createParser } = await import("eventsource-parser");
    const { silenceMs = SILENCE_MS } = this.#options;
    let isSilent = false;
    const onSilence = () => {
      isSilent = true;
    };
    const headers = { accept: "text/event-stream", "last-event-id": String(after) };
    try {
      const answer = await this.#send({ method: "GET", path, body: undefined, headers, silenceMs, onSilence }, signal);
      if (answer.statusCode === 204) return;
      if (answer.statusCode !== 200) throw refusalOf(await this.#read(answer));
      if (!/^text\/event-stream\b/.test(answer.headers["content-type"] ?? "")) throw NOT_OURS;
      let found: SentStep[] = [];
      const parser = createParser({ onEvent: ({ data }) => found.push(stepIn(data)), maxBufferSize: ANSWER_BYTES_MAX });
      answer.setEncoding("utf8");
      for await (const text of answer as AsyncIterable<string>) {
        found = [];
        parser.feed(text);
        yield* found;
      }
    } catch (error) {
      if (!isSilent) throw this.#failure(error, signal);
    }
  }

  async #read(answer: IncomingMessage): Promise<RemoteAnswer> {
    const seconds = Number(answer.headers["retry-after"]);
    const status = answer.statusCode ?? 0;
    const body = readAnswer(answer, await textOf(answer), this.#where);
    return { status, body, ...(seconds > 0 && { retryAfterMs: seconds * 1_000 }) };
  }

  get #where(): string {
    const { url } = this.#options;
    return `${url.origin}${url.pathname}`;
  }

  #failure(error: unknown, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason;
    if (error instanceof RemoteError) return error;
    const why = error instanceof NoConnection ? error.message : whyOf((error as NodeJS.ErrnoException).code);
    return new RemoteError(`could not reach the service at ${this.#where}: ${why}`, undefined, { isPassing: true });
  }

  async #send(
    { method, path, body, headers: more = {}, silenceMs = 0, onSilence = () => {} }: Sent,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const { url, secret, identity, connectTimeoutMs = CONNECT_TIMEOUT_MS } = this.#options;
    const sentSecret = await secret();
    const target = new URL(url);
    const [pathname, query = ""] = path.split("?");
    target.pathname = `${url.pathname.replace(/\/$/, "")}${pathname}`;
    target.search = query;
    // As bytes, because Node would encode the headers together with a string, and damage a secret with characters
    // beyond ASCII.
    const content = Buffer.from(body === undefined ? "" : JSON.stringify(body));
    const headers = {
      // Node encodes headers as latin1, and the service decodes them as UTF-8.
      authorization: `Bearer ${Buffer.from(sentSecret, "utf8").toString("latin1")}`,
      accept: "application/json",
      ...more,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      "content-length": content.length,
    };
    // Loading TLS costs as much as all of this program.
    const { request: send } = await (url.protocol === "https:" ? import("node:https") : import("node:http"));
    return await new Promise((resolve, reject) => {
      // Without an agent, because the shared one has its own time limits.
      const sent = send(target, { ...identity, method, headers, signal, agent: false, timeout: connectTimeoutMs });
      sent.once("response", resolve).once("error", reject);
      limitSilence(sent, {
        connectTimeoutMs,
        connected: url.protocol === "https:" ? "secureConnect" : "connect",
        silenceMs,
        onSilence,
      });
      sent.end(content);
    });
  }
}

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly body: object | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** The longest silence after the connection is made. 0: no limit. */
  readonly silenceMs?: number;
  /** Called instead of ending the connection with an error. */
  readonly onSilence?: () => void;
}

/** There was no connection within the time for connecting. */
class NoConnection extends Error {}

function stepIn(data: string): SentStep {
  try {
    const step = JSON.parse(data) as SentStep;
    if (typeof step.id === "number" && typeof step.type === "string") return step;
  } catch {
    // Said below.
  }
  throw NOT_OURS;
}

/** The texts of Node and OpenSSL are for their developers. */
function whyOf(code = "unknown error"): string {
  const [, why] = REASONS.find(([codes]) => codes.test(code)) ?? [];
  return UNKNOWN_AUTHORITY.has(code)
    ? `its certificate is not from a known authority (${code}): name the file of its authority in NODE_EXTRA_CA_CERTS`
    : `${why ?? "the connection failed"} (${code})`;
}

const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^ECONNREFUSED$/, "no program listens there"],
  [/^(ENOTFOUND|EAI_AGAIN)$/, "its name can't be resolved"],
  [/^(EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)$/, "the network does not reach it"],
  [/^(ECONNRESET|EPIPE)$/, "the connection was closed before the answer"],
  [/^(EPROTO|ERR_SSL_)/, "it does not answer as a TLS server: check https:// in --server"],
  [/^HPE_/, "it does not answer as an HTTP server: check http:// in --server"],
  [/^CERT_HAS_EXPIRED$/, "its certificate has expired"],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, "its certificate is for another name"],
];

/**
 * For a request, only the time for connecting is limited. After that the keep-alive of the network notices a service
 * that is gone.
 */
function limitSilence(
  sent: ClientRequest,
  limits: Required<Pick<Sent, "silenceMs" | "onSilence">> & {
    readonly connectTimeoutMs: number;
    readonly connected: string;
  },
): void {
  const { connectTimeoutMs, connected, silenceMs, onSilence } = limits;
  let isConnected = false;
  sent.once("timeout", () => {
    if (isConnected) onSilence();
    sent.destroy(new NoConnection(`no connection within ${connectTimeoutMs / 1_000} s`));
  });
  sent.once("socket", (socket) => {
    socket.once(connected, () => {
      isConnected = true;
      sent.setTimeout(silenceMs);
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
    });
  });
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new RemoteError(`the answer is larger than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function readAnswer({ statusCode = 0 }: IncomingMessage, text: string, where: string): RemoteAnswer["body"] {
  if (statusCode >= 300 && statusCode < 400) {
    throw new RemoteError(
      `${where} answered ${statusCode}, a redirect: give the URL of the service itself`,
      EXIT.usage,
    );
  }
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null && !Array.isArray(body)) return body as RemoteAnswer["body"];
  } catch {
    // Said below.
  }
  const gateway = statusCode >= 502 && statusCode <= 504;
  throw gateway
    ? new RemoteError(
        `a proxy before ${where} answered ${statusCode}: the drain may continue. Check it with 'status', or use --wait`,
        undefined,
        { isPassing: true },
      )
    : new RemoteError(
        `${where} answered ${statusCode}, which is not an answer of hasta-la-vista: check --server`,
        EXIT.usage,
      );
}
