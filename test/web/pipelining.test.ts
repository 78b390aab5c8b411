import { channel } from "node:diagnostics_channel";
import { connect, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { type ListenOptions, listen } from "../../src/web/server.ts";
import { request, sendRaw } from "../support/raw-http.ts";
import { ID, SECRET, webApp } from "../support/web-app.ts";

const PIPELINED = 600;
/** One that is answered, and one that came in the same piece as the end of the other's body. */
const AT_ONCE_MAX = 2;
const BEARER = `Authorization: Bearer ${SECRET}`;

async function served(web = webApp(), options: Partial<ListenOptions> = {}) {
  const { port, close } = await listen(web.app, { host: "127.0.0.1", port: 0, ...options });
  onTestFinished(() => close(Promise.resolve()));
  return { port, web };
}

/** Counts requests that Node has parsed and whose answers are not sent, for each connection on its own. */
function countRequests() {
  const unanswered = new Map<Socket, number>();
  const counts = { begun: 0, ended: 0, atOnce: 0 };
  const add = (socket: Socket, change: number) => {
    const now = (unanswered.get(socket) ?? 0) + change;
    unanswered.set(socket, now);
    counts.atOnce = Math.max(counts.atOnce, now);
  };
  const onStart = (message: unknown) => {
    counts.begun += 1;
    add((message as { readonly socket: Socket }).socket, 1);
  };
  const onFinish = (message: unknown) => {
    counts.ended += 1;
    add((message as { readonly socket: Socket }).socket, -1);
  };
  const [start, finish] = [channel("http.server.request.start"), channel("http.server.response.finish")];
  start.subscribe(onStart);
  finish.subscribe(onFinish);
  onTestFinished(() => {
    start.unsubscribe(onStart);
    finish.unsubscribe(onFinish);
  });
  return counts;
}

/** Sends, and takes nothing of what is answered until it is told to. */
async function pipeline(port: number, bytes: string | Buffer): Promise<Socket> {
  const socket = connect(port, "127.0.0.1").pause();
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => {});
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  socket.write(bytes);
  return socket;
}

/** Resolves when so many answers have come. */
async function answers(socket: Socket, count: number): Promise<number> {
  let found = 0;
  let rest = "";
  const closed = new Promise<void>((resolve) => void socket.once("close", () => resolve()));
  const enough = new Promise<void>((resolve) => {
    socket.on("data", (chunk: Buffer) => {
      const text = rest + chunk.toString("latin1");
      found += text.split("HTTP/1.1 ").length - 1;
      rest = text.slice(Math.max(text.lastIndexOf("HTTP/1.1 ") + "HTTP/1.1 ".length, text.length - 8));
      if (found >= count) resolve();
    });
  });
  await Promise.race([enough, closed]);
  return found;
}

/** Resolves once nothing more happens: no request began in so many turns of the event loop. */
async function untilQuiet(counts: { readonly begun: number }): Promise<void> {
  const QUIET_TURNS = 200;
  for (let quiet = 0, before = -1; quiet < QUIET_TURNS; quiet += 1) {
    if (counts.begun !== before) quiet = 0;
    before = counts.begun;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const head = (line: string, ...headers: readonly string[]) =>
  `${[`${line} HTTP/1.1`, "Host: h", ...headers].join("\r\n")}\r\n\r\n`;

const CHEAP: readonly (readonly [string, string])[] = [
  ["the API description", head("GET /openapi.json")],
  ["/health", head("GET /health")],
  ["/ready", head("GET /ready")],
  ["/metrics", head("GET /metrics")],
  ["HEAD", head("HEAD /openapi.json")],
  ["OPTIONS", head("OPTIONS /metrics")],
  ["an unknown path", head("GET /nothing")],
  ["an unknown method of a path", head("PUT /health")],
  ["a drain without a secret", head(`POST /drain?id=${ID}`)],
  ["a drain with a wrong secret", head(`POST /drain?id=${ID}`, "Authorization: Bearer wrong")],
  ["a drain without a secret, with a body", `${head("POST /drain", "Content-Length: 4")}{  }`],
  ["an unknown expectation", head("GET /health", "Expect: miracles")],
  ["a continuation asked for", `${head("POST /drain", "Expect: 100-continue", "Content-Length: 2")}{}`],
  ["an upgrade", head("GET /health", "Connection: keep-alive, Upgrade", "Upgrade: websocket")],
  ["a URL for a proxy", head("GET http://h/health")],
  ["no Host", "GET /health HTTP/1.1\r\n\r\n"],
  ["a malformed Host", "GET /health HTTP/1.1\r\nHost: a b<>\r\n\r\n"],
  ["HTTP/1.0 that is kept alive", "GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"],
];

describe("requests that are sent before the earlier ones are answered wait unread, and each is answered:", () => {
  test.each(CHEAP)("%s", async (_, bytes) => {
    const { port } = await served();
    const counts = countRequests();
    const socket = await pipeline(port, bytes.repeat(PIPELINED));
    // A continuation comes before its answer.
    const heads = bytes.includes("100-continue") ? 2 * PIPELINED : PIPELINED;
    const came = await answers(socket.resume(), heads);
    // Some are refused together with their connection.
    expect([PIPELINED, counts.ended]).toContain(counts.begun);
    expect(came).toBeGreaterThanOrEqual(Math.min(PIPELINED, counts.ended));
    expect(counts.atOnce).toBeLessThanOrEqual(AT_ONCE_MAX);
  });

  test("with bodies, each of which ends together with the beginning of the next request", async () => {
    const { port, web } = await served();
    const counts = countRequests();
    const one = `${head("POST /drain", BEARER, "Content-Length: 28")}{"id":"${ID}"}`;
    expect(one.split("\r\n\r\n")[1]).toHaveLength(28);
    const socket = await pipeline(port, one.repeat(100));
    expect(await answers(socket.resume(), 100)).toBe(100);
    expect(web.requests).toHaveLength(100);
    expect(counts.atOnce).toBeLessThanOrEqual(AT_ONCE_MAX);
  });

  test("in the order of the requests, whatever they take", async () => {
    const { port } = await served();
    const paths = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? `/nodes/${ID}` : "/nothing"));
    const all = paths.map((path) => head(`GET ${path}`, BEARER)).join("");
    const connection = await sendRaw(port, `${all}${request("GET /health")}`);
    const { text } = await connection.closed;
    const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
    expect(statuses).toEqual([...paths.map((path) => (path === "/nothing" ? 404 : 200)), 200]);
  });
});

describe("a client that takes none of its answers is not answered further:", () => {
  test("clients that ask for the API description thousands of times cost some answers, not all of them", async () => {
    const { port } = await served();
    const counts = countRequests();
    const CLIENTS = 10;
    const heldBytes = () => {
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const bodyBytes = (await (await fetch(`http://127.0.0.1:${port}/openapi.json`)).arrayBuffer()).byteLength;
    const before = heldBytes();
    await Promise.all(
      Array.from({ length: CLIENTS }, () => pipeline(port, head("GET /openapi.json").repeat(PIPELINED))),
    );
    await untilQuiet(counts);
    expect(counts.atOnce).toBe(1);
    // What the operating system holds for the readers, and one answer each.
    expect(counts.begun).toBeLessThan((CLIENTS * PIPELINED) / 5);
    expect(heldBytes() - before).toBeLessThan((CLIENTS * PIPELINED * bodyBytes) / 20);
  });

  test("what it sends meanwhile stays with the operating system", async () => {
    const web = webApp({ answer: () => {} });
    const { port } = await served(web);
    const counts = countRequests();
    const socket = await pipeline(port, head(`POST /drain?id=${ID}`, BEARER));
    await expect.poll(() => web.requests.length).toBe(1);
    // Far more than buffers of sockets hold.
    const flood = Buffer.from(head("GET /health").repeat(400_000));
    socket.write(flood);
    await untilQuiet(counts);
    expect(counts.begun).toBe(1);
    expect(socket.writableLength).toBeGreaterThan(0);
  });

  test("it is cut off, where all such answers together are more than may wait", async () => {
    const evicted: string[] = [];
    const limits = { unreadBytesMax: 2 ** 20 };
    const { port } = await served(webApp(), { limits, onEvicted: (client) => evicted.push(client) });
    const counts = countRequests();
    const CLIENTS = 20;
    for (let client = 0; client < CLIENTS; client += 1) {
      await pipeline(port, head("GET /openapi.json").repeat(PIPELINED));
      await untilQuiet(counts);
    }
    expect(evicted.length).toBeGreaterThan(0);
    expect(evicted.length).toBeLessThan(CLIENTS);
  });
});

test("while ten clients pipeline thousands of requests, another one's is answered before the most of them", async () => {
  const { port } = await served();
  const counts = countRequests();
  const [CLIENTS, EACH] = [10, 1_500];
  const sockets = await Promise.all(
    Array.from({ length: CLIENTS }, () => pipeline(port, head("GET /openapi.json").repeat(EACH))),
  );
  for (const socket of sockets) socket.resume();
  for (let round = 0; round < 3; round += 1) {
    const begun = counts.begun;
    expect((await (await sendRaw(port, request("GET /health"))).closed).status).toBe(200);
    // What it takes are some turns of the event loop, in each of which each client has one request at most.
    expect(counts.begun - begun).toBeLessThan((CLIENTS * EACH) / 20);
  }
});

test("of what cannot be read, only the first is answered, after the answers to the requests before it", async () => {
  const { port } = await served();
  const garbage = "hello\r\n\r\n".repeat(1_000);
  const { text } = await (await sendRaw(port, `${head("GET /health")}${head("GET /nothing")}${garbage}`)).closed;
  const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
  expect(statuses).toEqual([200, 404, 400]);
});

test("a HEAD that cannot be read gets an answer without a body, also after others", async () => {
  const { port } = await served();
  const bad = head("HEAD /health", `X: ${"x".repeat(20_000)}`);
  const { text } = await (await sendRaw(port, `${head("GET /health")}${bad}`)).closed;
  expect(text).toMatch(/HTTP\/1\.1 431 [\s\S]*\r\n\r\n$/);
});

test("a caller that has sent a request ahead of time hears of the end of its drain, and then of the other", async () => {
  const ends: (() => void)[] = [];
  const web = webApp({
    answer: ({ settle }) => ends.push(() => void settle({ status: "instance-gone", message: "terminated" })),
  });
  const { port } = await served(web);
  const counts = countRequests();
  const both = `${head(`POST /drain?id=${ID}`, BEARER)}${request("GET /health")}`;
  const connection = await sendRaw(port, both);
  await expect.poll(() => ends.length).toBe(1);
  await untilQuiet(counts);
  expect(connection.received()).toBe("");
  ends[0]?.();
  const { text } = await connection.closed;
  expect(text).toMatch(/"instance-gone"[\s\S]*"status":"ok"/);
});
