import { connect } from "node:net";
import { Hono } from "hono";
import { describe, expect, onTestFinished, test } from "vitest";
import type { WebLimits } from "../../src/web/limits.ts";
import { listen } from "../../src/web/server.ts";
import { type RawAnswer, request, sendRaw } from "../support/raw-http.ts";
import { ID, SECRET, webApp } from "../support/web-app.ts";

const BEARER = `Authorization: Bearer ${SECRET}`;
/** So short that a test need not wait, where the moment itself does not matter. */
const SHORT_MS = 50;

async function served(limits: Partial<WebLimits> = {}, app: Hono = webApp().app) {
  const server = await listen(app, {
    ...{ host: "127.0.0.1", port: 0 },
    limits: { checkIntervalMs: 10, ...limits },
  });
  onTestFinished(() => server.close(Promise.resolve()));
  const ask = async (bytes: string | Buffer): Promise<RawAnswer> => (await sendRaw(server.port, bytes)).closed;
  return { port: server.port, ask };
}

describe("whoever takes long is not waited for:", () => {
  const head = `POST /drain HTTP/1.1\r\nHost: h\r\n${BEARER}\r\n`;
  test.each<[string, string, Partial<WebLimits>]>([
    ["one who says nothing at all", "", { headersTimeoutMs: SHORT_MS, requestTimeoutMs: SHORT_MS }],
    ["headers that never end", head, { headersTimeoutMs: SHORT_MS }],
    [
      "a body that never ends",
      `${head}Content-Length: 99\r\n\r\n{`,
      { headersTimeoutMs: 1, requestTimeoutMs: SHORT_MS },
    ],
    [
      "chunks that never end",
      `${head}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`,
      { headersTimeoutMs: 1, requestTimeoutMs: SHORT_MS },
    ],
  ])("%s", async (_, bytes, limits) => {
    const { ask } = await served(limits);
    const answer = await ask(bytes);
    expect(answer.status).toBe(408);
    expect(JSON.parse(answer.body)).toMatchObject({ title: "Request too slow" });
  });

  test("a request that comes byte by byte: none of them buys time", async () => {
    const { port } = await served({ headersTimeoutMs: SHORT_MS, requestTimeoutMs: SHORT_MS });
    const connection = await sendRaw(port, "GET /health HTTP/1.1\r\n");
    let ended = false;
    void connection.closed.then(() => {
      ended = true;
    });
    while (!ended) {
      await connection.send("X");
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await connection.closed).status).toBe(408);
  });

  test("a connection that is kept without a request", async () => {
    const { ask } = await served({ keepAliveTimeoutMs: SHORT_MS });
    expect((await ask("GET /health HTTP/1.1\r\nHost: h\r\n\r\n")).status).toBe(200);
  });

  test("one who does not take the answer", async () => {
    // More than the system's buffers hold.
    const large = new Hono().get("/", (context) => context.text("x".repeat(64 * 2 ** 20)));
    large.get("/health", (context) => context.text("ok"));
    const { port, ask } = await served({ answerTimeoutMs: SHORT_MS, connectionsMax: 1 }, large);
    const socket = connect(port, "127.0.0.1").pause();
    onTestFinished(() => void socket.destroy());
    await new Promise<void>((resolve) => socket.write("GET / HTTP/1.1\r\nHost: h\r\n\r\n", () => resolve()));
    // There is room for others only once that one has been cut.
    await expect.poll(async () => (await ask(request("GET /health"))).status).toBe(200);
  });

  test("but a drain is, for as long as it takes", async () => {
    let end = () => {};
    const web = webApp({
      answer: ({ settle }) => {
        end = () => void settle({ status: "instance-gone", message: "terminated" });
      },
    });
    const limits = { headersTimeoutMs: 300, requestTimeoutMs: 300, keepAliveTimeoutMs: 20, answerTimeoutMs: 20 };
    const { port } = await served(limits, web.app);
    const waiting = await sendRaw(port, request(`POST /drain?id=${ID}`, { headers: [BEARER] }));
    await expect.poll(() => web.requests.length).toBe(1);
    // Others are given up meanwhile.
    expect((await (await sendRaw(port, "")).closed).status).toBe(408);
    expect(waiting.received()).toBe("");
    end();
    expect((await waiting.closed).status).toBe(200);
  });
});

describe("whoever wants too much is refused:", () => {
  test("a URL of more than 8192 characters", async () => {
    const { ask } = await served();
    const [longest, longer] = [8_192, 8_193].map((length) => `/health?${"x".repeat(length - "/health?".length)}`);
    expect((await ask(request(`GET ${longest}`))).status).toBe(200);
    const refused = await ask(request(`GET ${longer}`));
    expect(refused.status).toBe(414);
    expect(JSON.parse(refused.body)).toMatchObject({ detail: "the URL is longer than 8192 characters" });
  });

  test("headers too large, and HEAD without a body", async () => {
    const { ask } = await served();
    const headers = [`X: ${"x".repeat(20_000)}`];
    expect(await ask(request("HEAD /health", { headers }))).toMatchObject({ status: 431, body: "" });
    expect(JSON.parse((await ask(request("GET /health", { headers }))).body)).toMatchObject({ status: 431 });
  });
});

describe("every answer has the headers that keep browsers from doing anything with it:", () => {
  const head = (...lines: readonly string[]) => `${lines.join("\r\n")}\r\n\r\n`;
  test.each<[string, string | Buffer, number]>([
    ["one to anybody", request("GET /health"), 200],
    ["one in text", request("GET /metrics"), 200],
    ["one to a caller", request(`POST /drain?id=${ID}`, { headers: [BEARER] }), 200],
    ["a bad request", request("POST /drain", { headers: [BEARER] }), 400],
    ["no secret", request("POST /drain"), 401],
    ["an unknown path", request("GET /"), 404],
    ["an unknown method", request("PUT /health"), 405],
    ["a body too large", request("POST /drain", { headers: [BEARER], body: " ".repeat(16_385) }), 413],
    ["a URL too long", request(`GET /${"x".repeat(9_000)}`), 414],
    ["an unknown expectation", request("GET /health", { headers: ["Expect: miracles"] }), 417],
    ["headers too large", request("GET /health", { headers: [`X: ${"x".repeat(20_000)}`] }), 431],
    ["no host", head("GET /health HTTP/1.1", "Connection: close"), 400],
    ["two hosts", request("GET /health", { headers: ["Host: another"] }), 400],
    ["a malformed host", head("GET /health HTTP/1.1", "Host: a b<>", "Connection: close"), 400],
    ["a URL for a proxy", request("GET http://h/health"), 400],
    ["no HTTP at all", "hello\r\n\r\n", 400],
  ])("%s", async (_, bytes, status) => {
    const { ask } = await served();
    const answer = await ask(bytes);
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "cross-origin-resource-policy": "same-origin",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
    });
    expect(Object.keys(answer.headers)).not.toContain("server");
    expect(Object.keys(answer.headers)).not.toContain("x-powered-by");
  });
});
