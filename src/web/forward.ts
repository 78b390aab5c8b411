import { X509Certificate } from "node:crypto";
import { Agent, type ClientRequestArgs, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { newAbort, onAbort } from "../drain/abort.ts";
import type { LeaderRecord } from "../drain/leadership.ts";
import { asHex, REPLICA_HEADER } from "./replica.ts";
import type { TlsMaterial } from "./server.ts";

/** Pods of a cluster reach each other within milliseconds. A machine that is gone does not answer at all. */
const CONNECT_TIMEOUT_MS = 3_000;
/** Far more than the report of a drain in hundreds of pools. */
const ANSWER_BYTES_MAX = 64 * 1_024 * 1_024;
/** Headers of one connection, not of the request: https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1. */
const OF_CONNECTION = ["connection", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];
const NOT_PASSED: ReadonlySet<string> = new Set([...OF_CONNECTION, "content-length", REPLICA_HEADER]);
/** Headers that the server sets itself. */
const NOT_RETURNED: ReadonlySet<string> = new Set([...OF_CONNECTION, "date"]);

/** A replica to which requests can be sent. */
export interface Leader extends Pick<LeaderRecord, "identity" | "fingerprint"> {
  readonly address: string;
}

export interface PassedRequest {
  readonly method: string;
  /** Includes the query. */
  readonly path: string;
  readonly headers?: Headers;
  readonly body?: Buffer | undefined;
  /** See `replicaHeader`. */
  readonly mark: string;
}

/**
 * The leader did not get the request: there was no connection to it, or it presented another certificate than it has
 * published.
 */
export class NotReached extends Error {}

/**
 * Sends a caller's request to the leader. Nothing is sent to a server with a certificate that the leader has not
 * published. Failures are errors of any kind. The caller decides whether to try again.
 */
export class Forwarder {
  readonly #identities: () => readonly TlsMaterial[];
  #agent: { readonly of: string; readonly agent: LeaderAgent } | undefined;

  /** `identities`: the client certificates that this process may present, the current one first. */
  constructor(identities: () => readonly TlsMaterial[]) {
    this.#identities = identities;
  }

  /**
   * The answer. An event stream is passed on as it comes, and ends when a signal aborts. Any other answer is complete.
   */
  async pass(
    leader: Leader,
    { method, path, headers, body, mark }: PassedRequest,
    signals: readonly AbortSignal[],
  ): Promise<Response> {
    for (const signal of signals) signal.throwIfAborted();
    const sent: Record<string, string> = { [REPLICA_HEADER]: mark, host: new URL(leader.address).host };
    headers?.forEach((value, name) => {
      if (!NOT_PASSED.has(name)) sent[name] = value;
    });
    if (body !== undefined) sent["content-length"] = String(body.length);
    const over = newAbort();
    // The signals outlive the request, and the answer may be a stream.
    const bound = signals.map((signal) => onAbort(signal, () => over.abort(signal.reason)));
    const forget = () => {
      for (const each of bound) each();
    };
    const options = { method, path, headers: sent, signal: over.signal };
    const answer = await this.#answer(leader, options, body).catch((error) => {
      forget();
      over.signal.throwIfAborted();
      throw error;
    });
    answer.once("close", forget);
    const isStream = answer.headers["content-type"] === "text/event-stream";
    const hasBody = method !== "HEAD" && answer.statusCode !== 204;
    const content = isStream && hasBody ? streamOf(answer) : await wholeOf(answer, over.signal);
    return new Response(hasBody ? content : null, { status: answer.statusCode ?? 502, headers: returned(answer) });
  }

  close(): void {
    this.#agent?.agent.destroy();
  }

  #answer(leader: Leader, options: ClientRequestArgs, body: Buffer | undefined): Promise<IncomingMessage> {
    const agent = this.#agentFor(leader);
    const { hostname: host, port } = new URL(leader.address);
    return new Promise((resolve, reject) => {
      const sent = request({ ...options, agent, host, port });
      sent.once("response", resolve);
      sent.once("error", reject);
      sent.end(body);
    });
  }

  /** Connections are kept for one leader. Another one has another address, or presents another certificate. */
  #agentFor({ address, fingerprint = "" }: Leader): LeaderAgent {
    const shown = this.#identities();
    const own = shown.find(({ cert }) => fingerprint === fingerprintOf(cert)) ?? shown[0];
    const of = [address, fingerprint, own === undefined ? "" : fingerprintOf(own.cert)].join(" ");
    if (this.#agent?.of === of) return this.#agent.agent;
    this.close();
    const agent = new LeaderAgent(address, fingerprint, own);
    this.#agent = { of, agent };
    return agent;
  }
}

/** The SHA-256 of a PEM certificate, in hexadecimal digits. */
export function fingerprintOf(pem: string): string {
  return asHex(new X509Certificate(pem));
}

type Connected = NonNullable<Parameters<Agent["createConnection"]>[1]>;

/** Connects to the process that has the published certificate, whatever names and authorities that certificate has. */
class LeaderAgent extends Agent {
  readonly #url: URL;
  readonly #fingerprint: string;
  readonly #own: TlsMaterial | undefined;

  constructor(address: string, fingerprint: string, own: TlsMaterial | undefined) {
    super({ keepAlive: true });
    this.#url = new URL(address);
    this.#fingerprint = fingerprint;
    this.#own = own;
  }

  /** Nothing is written before `onConnected` is called. */
  override createConnection(_: ClientRequestArgs, onConnected?: Connected): undefined {
    const isTls = this.#url.protocol === "https:";
    const socket = isTls ? this.#openTls() : connect(this.#to);
    const fail = (error: Error) => {
      socket.destroy();
      (onConnected as (error: Error) => void)(new NotReached(error.message, { cause: error }));
    };
    socket.setKeepAlive(true);
    socket.setTimeout(CONNECT_TIMEOUT_MS, () =>
      fail(new Error(`no connection within ${CONNECT_TIMEOUT_MS / 1_000} s`)),
    );
    socket.once("error", fail);
    socket.once(isTls ? "secureConnect" : "connect", () => {
      const certificate = isTls ? (socket as TLSSocket).getPeerX509Certificate() : undefined;
      if (isTls && (certificate === undefined || asHex(certificate) !== this.#fingerprint))
        return fail(new Error("it shows another certificate than the leader has published"));
      socket.off("error", fail);
      socket.setTimeout(0);
      socket.removeAllListeners("timeout");
      onConnected?.(null, socket);
    });
    return undefined;
  }

  get #to() {
    return { host: this.#url.hostname.replace(/^\[|\]$/g, ""), port: Number(this.#url.port) };
  }

  #openTls(): TLSSocket {
    const { cert, key } = this.#own ?? {};
    // Verified by its fingerprint instead of an authority.
    return connectTls({
      ...this.#to,
      ...(cert && { cert }),
      ...(key && { key }),
      minVersion: "TLSv1.2",
      rejectUnauthorized: false,
    });
  }
}

function returned({ headersDistinct }: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(headersDistinct))
    if (!NOT_RETURNED.has(name)) for (const value of values) headers.append(name, value);
  return headers;
}

async function wholeOf(answer: IncomingMessage, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > ANSWER_BYTES_MAX) throw new Error(`the answer has more than ${ANSWER_BYTES_MAX} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
  return Buffer.concat(chunks);
}

/** Ends where the answer breaks off. A reader of a stream reconnects. */
function streamOf(answer: IncomingMessage): ReadableStream<Uint8Array> {
  const chunks = (answer as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  return new ReadableStream({
    async pull(controller) {
      const next = await chunks.next().catch(() => ({ done: true as const, value: undefined }));
      if (next.done === true || next.value === undefined) controller.close();
      else controller.enqueue(next.value);
    },
    cancel() {
      answer.destroy();
    },
  });
}
