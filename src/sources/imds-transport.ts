import { request as requestHttp } from "node:http";
import type { MetadataAnswer, MetadataRequest } from "./imds-client.ts";

/** A hundred scheduled events have room; whatever is larger is not instance metadata. */
const BODY_BYTES_MAX = 65_536;

/** Sends to the metadata service at `endpoint`, one connection a request. Follows no redirect and knows no proxy. */
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
