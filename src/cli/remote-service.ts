import type { ClientRequest, IncomingMessage } from "node:http";
import { EXIT } from "./exit-codes.ts";
import { RemoteError } from "./failure.ts";

/** A service that does not take the connection within this time is not there. */
const CONNECT_TIMEOUT_MS = 10_000;
/** So often the network is asked whether the service's machine is still there. */
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

export interface RemoteAnswer {
  readonly status: number;
  /** An object, and nothing else is known of it. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface RemoteServiceOptions {
  /** Where it is, without a user, a query or a fragment. */
  readonly url: URL;
  /** The secret or token. Asked for before each request, because a token is replaced. Throws `RemoteError`. */
  readonly secret: () => Promise<string>;
  /** The client's certificate, for a service that wants one. */
  readonly identity?: { readonly cert: string; readonly key: string };
  readonly connectTimeoutMs?: number;
}

/** A running service, as its callers see it. */
export class RemoteService {
  readonly #options: RemoteServiceOptions;

  constructor(options: RemoteServiceOptions) {
    this.#options = options;
  }

  /**
   * Its answer, however long it takes: a drain takes minutes, and the service bounds it. (`fetch` would give up after
   * five.) `path`: with its query, encoded. Throws `RemoteError`, whose message never has the secret.
   */
  async ask(
    method: "GET" | "POST" | "DELETE",
    path: string,
    body: object | undefined,
    signal: AbortSignal,
  ): Promise<RemoteAnswer> {
    const { url } = this.#options;
    const where = `${url.origin}${url.pathname}`;
    try {
      const answer = await this.#send(method, path, body, signal);
      return { status: answer.statusCode ?? 0, body: readAnswer(answer, await textOf(answer), where) };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof RemoteError) throw error;
      const { code, message } = error as NodeJS.ErrnoException;
      throw new RemoteError(`could not reach the service at ${where}: ${code === undefined ? message : whyOf(code)}`);
    }
  }

  async #send(method: string, path: string, body: object | undefined, signal: AbortSignal): Promise<IncomingMessage> {
    const { url, secret, identity, connectTimeoutMs = CONNECT_TIMEOUT_MS } = this.#options;
    const sentSecret = await secret();
    const target = new URL(url);
    const [pathname, query = ""] = path.split("?");
    target.pathname = `${url.pathname.replace(/\/$/, "")}${pathname}`;
    target.search = query;
    // As bytes: Node would encode the headers together with a text, and so spoil a secret beyond ASCII.
    const content = Buffer.from(body === undefined ? "" : JSON.stringify(body));
    const headers = {
      // Node takes headers as latin1; the service reads them as UTF-8.
      authorization: `Bearer ${Buffer.from(sentSecret, "utf8").toString("latin1")}`,
      accept: "application/json",
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      "content-length": content.length,
    };
    // Loading TLS costs as much as all of this program.
    const { request: send } = await (url.protocol === "https:" ? import("node:https") : import("node:http"));
    return await new Promise((resolve, reject) => {
      // No agent: the shared one has time limits of its own.
      const sent = send(target, { ...identity, method, headers, signal, agent: false, timeout: connectTimeoutMs });
      sent.once("response", resolve).once("error", reject);
      limitConnecting(sent, connectTimeoutMs, url.protocol === "https:" ? "secureConnect" : "connect");
      sent.end(content);
    });
  }
}

/** Node's and OpenSSL's texts are for their developers. */
function whyOf(code: string): string {
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

/** Only connecting is limited in time: then the network's own keep-alive notices a service that is gone. */
function limitConnecting(sent: ClientRequest, connectTimeoutMs: number, connected: string): void {
  sent.once("timeout", () => sent.destroy(new Error(`no connection within ${connectTimeoutMs / 1_000} s`)));
  sent.once("socket", (socket) => {
    socket.once(connected, () => {
      sent.setTimeout(0);
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
      )
    : new RemoteError(
        `${where} answered ${statusCode}, which is not an answer of hasta-la-vista: check --server`,
        EXIT.usage,
      );
}
