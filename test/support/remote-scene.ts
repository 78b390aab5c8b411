import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { Hono } from "hono";
import { onTestFinished } from "vitest";
import { listen } from "../../src/web/server.ts";
import { checkAnswer } from "./api-answers.ts";
import { type Input, runHere } from "./run-here.ts";
import { SECRET, type WebAppOptions, webApp } from "./web-app.ts";

/** The HTTP API on a port, before a drainer that does as the test wants. */
export async function service(options: WebAppOptions = {}) {
  const web = webApp(options);
  const checked = async (request: Request, env: unknown) => {
    const response = await web.app.fetch(request, env as object);
    const { pathname } = new URL(request.url);
    // It ends with the drain.
    if (pathname.endsWith("/events")) return response;
    await checkAnswer({ method: request.method, path: pathname, response });
    return response;
  };
  const server = await listen({ fetch: checked } as unknown as Hono, { host: "127.0.0.1", port: 0 });
  onTestFinished(() => server.close(Promise.resolve()));
  const url = `http://127.0.0.1:${server.port}`;
  const run = (args: readonly string[], env = {}, input: Input = {}) =>
    runHere([...args, "--server", url], { SECRET, ...env }, input);
  return { ...web, url, run };
}

/** Any other server. */
export async function other(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What a proxy does with a request. `pass` hands it on, and resolves with what came back, as far as it was read. */
export type Proxied = (request: {
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly response: Parameters<RequestListener>[1];
  /** `until`: where the connection to the client is cut, once the answer so far has it. */
  readonly pass: (until?: RegExp) => Promise<void>;
}) => unknown;

/** A proxy before `url`. */
export function proxyOf(url: string, onRequest: Proxied): Promise<string> {
  return other(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
    const { method = "GET", url: path = "/", headers } = incoming;
    const leaving = new AbortController();
    response.once("close", () => leaving.abort());
    const pass = async (until?: RegExp) => {
      const given = Object.entries(headers).filter(([name]) => !/^(host|connection|content-length)$/.test(name));
      const answer = await fetch(`${url}${path}`, {
        method,
        headers: given as [string, string][],
        signal: leaving.signal,
        ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
      });
      const kept = ["content-type", "retry-after"].flatMap((name) => {
        const value = answer.headers.get(name);
        return value === null ? [] : [[name, value] as const];
      });
      response.writeHead(answer.status, Object.fromEntries(kept));
      let text = "";
      for await (const chunk of answer.body ?? []) {
        response.write(chunk);
        text += Buffer.from(chunk as Uint8Array).toString("utf8");
        if (until?.test(text)) return void response.destroy();
      }
      response.end();
    };
    // A client that has left is the test's own doing.
    await Promise.resolve(onRequest({ path, headers, response, pass })).catch(() => response.destroy());
  });
}
