import { type Agent, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";

export interface Post {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Absent: Node's own. */
  readonly agent?: Agent | undefined;
}

export interface PostAnswer {
  readonly status: number;
  /** The beginning of the body. It may repeat what was sent: `answerText` removes what must not be shown. */
  readonly beginning: string;
  /** The header of the receiver. */
  readonly retryAfter: string | undefined;
}

/** Far more than is shown, so that a secret in the shown part is complete here. */
const BEGINNING_CHARACTERS_MAX = 4_096;

/**
 * Sends one request, and resolves when its answer has ended, or enough of it has arrived. Redirects are not followed,
 * because what is sent must not go elsewhere. Rejects with Node's error, or `signal`'s reason.
 */
export function post({ url, headers, body, agent }: Post, signal: AbortSignal): Promise<PostAnswer> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === "http:" ? requestHttp : requestHttps;
    const sent = { "User-Agent": "hasta-la-vista", ...headers, "Content-Length": String(Buffer.byteLength(body)) };
    const request = send(url, { method: "POST", headers: sent, signal, ...(agent && { agent }) }, (answer) => {
      let text = "";
      const end = () => {
        const { statusCode = 0, headers: received } = answer;
        resolve({ status: statusCode, beginning: text, retryAfter: received["retry-after"] });
        answer.destroy();
      };
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > BEGINNING_CHARACTERS_MAX) end();
      });
      answer.once("end", end);
      answer.on("error", reject);
    });
    request.on("error", (error) => reject(signal.aborted ? signal.reason : error));
    request.end(body);
  });
}
