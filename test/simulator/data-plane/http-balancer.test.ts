import { once } from "node:events";
import {
  Agent,
  createServer,
  get,
  type IncomingMessage,
  type RequestListener,
  request,
  type ServerResponse,
} from "node:http";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { type Clock, ScaledClock, VirtualClock } from "../../../src/simulator/clock.ts";
import { HttpBalancer, type Route } from "../../../src/simulator/data-plane/http-balancer.ts";
import type { Cut, Enter } from "../../../src/simulator/data-plane/passages.ts";
import { Random } from "../../../src/simulator/random.ts";
import { send } from "./clients.ts";

interface Scene {
  readonly url: string;
  /** Connections that the target has got so far. */
  readonly connections: () => number;
  /** How many requests the balancer has sent on, and how many of those are over. */
  readonly sent: () => number;
  readonly ended: () => number;
  /** What is under way is broken off. */
  readonly cut: (how: Cut) => void;
}

/** A balancer in front of one target that does as `listener` says. */
async function balance(
  listener: RequestListener,
  { clock = new ScaledClock(1) }: { readonly clock?: Clock } = {},
): Promise<Scene> {
  const target = createServer(listener);
  let connections = 0;
  target.on("connection", () => {
    connections += 1;
  });
  const port = await listen(target);
  let sent = 0;
  let ended = 0;
  const underWay = new Set<(cut: Cut) => void>();
  const enter: Enter = (onCut) => {
    sent += 1;
    underWay.add(onCut);
    return () => {
      ended += 1;
      underWay.delete(onCut);
    };
  };
  const route = (): Route => ({ to: "target", port, enter });
  const cut = (how: Cut) => {
    for (const onCut of underWay) onCut(how);
  };
  const balancer = new HttpBalancer({
    route,
    connectTimeout: () => new Promise(() => {}),
    statuses: { connectTimeout: 504, broken: 502 },
    clock,
    random: new Random(),
    front: { protocol: "http", port: 80 },
    settings: () => ({ idleMs: 60_000, keepAliveMs: 3_600_000, forwardedFor: "append", namesServer: true }),
    isApplication: true,
  });
  const url = `http://127.0.0.1:${await listen(balancer.server)}`;
  onTestFinished(() => {
    balancer.close();
    target.closeAllConnections();
    target.close();
  });
  return { url, connections: () => connections, sent: () => sent, ended: () => ended, cut };
}

async function listen(server: { listen(port: number, host: string): unknown; address(): unknown }): Promise<number> {
  await new Promise<void>((resolve) => {
    (server.listen(0, "127.0.0.1") as NodeJS.EventEmitter).once("listening", resolve);
  });
  return (server.address() as AddressInfo).port;
}

/** Everything that a connection says until it ends. */
async function rawAnswer(url: string, lines: readonly string[]): Promise<string> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  return await text(socket);
}

async function answerOf(outgoing: ReturnType<typeof request>): Promise<IncomingMessage> {
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  return response;
}

test("method, path, query, headers and body of a request reach the target as they were sent", async () => {
  const scene = await balance(async (incoming, response) => {
    const { method, url, headers } = incoming;
    response.end(JSON.stringify({ method, url, kind: headers["x-kind"], body: await text(incoming) }));
  });
  const { body } = await send(`${scene.url}/orders/7?full=yes&delay=0`, {
    method: "PUT",
    headers: { "x-kind": "late", "content-length": 5 },
    body: "hello",
  });
  expect(JSON.parse(body)).toEqual({ method: "PUT", url: "/orders/7?full=yes&delay=0", kind: "late", body: "hello" });
});

test("a connection to a target that is idle for the idle timeout is closed, though its client stays", async () => {
  let closed = Promise.resolve<unknown>(undefined);
  const { url, connections } = await balance(
    (incoming, response) => {
      closed = once(incoming.socket, "close");
      response.end("hello");
    },
    { clock: new ScaledClock(200) },
  );
  const agent = new Agent({ keepAlive: true });
  onTestFinished(() => agent.destroy());
  expect(await send(url, { agent })).toMatchObject({ status: 200 });
  await closed;
  expect(await send(url, { agent })).toMatchObject({ status: 200 });
  expect(connections()).toBe(2);
});

test("a large body passes through in both directions, of known length or in chunks", async () => {
  const large = "0123456789".repeat(200_000);
  const scene = await balance((incoming, response) => void incoming.pipe(response));
  for (const headers of [{ "content-length": large.length }, { "transfer-encoding": "chunked" }]) {
    const { status, body } = await send(scene.url, { method: "POST", headers, body: large });
    expect(status).toBe(200);
    expect(body === large).toBe(true);
  }
});

test("an answer in chunks is passed on chunk by chunk, not when it is whole", async () => {
  let finish = () => {};
  const scene = await balance((_, response) => {
    response.write("first");
    finish = () => response.end("last");
  });
  const response = await answerOf(get(scene.url, { agent: false }));
  expect(String((await once(response, "data"))[0])).toBe("first");
  finish();
  expect(await text(response)).toBe("last");
});

test("status and headers of an answer reach the client as the target sent them", async () => {
  const scene = await balance((_, response) =>
    response.writeHead(418, { "set-cookie": ["a=1", "b=2"], "x-served-by": "me" }).end("teapot"),
  );
  expect(await send(scene.url)).toMatchObject({
    status: 418,
    servedBy: "me",
    body: "teapot",
    headers: { "set-cookie": ["a=1", "b=2"] },
  });
});

test("answers without a body stay so: HEAD, 204 and 304", async () => {
  const scene = await balance(({ url = "" }, response) => response.writeHead(Number(url.slice(1))).end());
  expect(await send(`${scene.url}/200`, { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
  expect(await send(`${scene.url}/204`)).toMatchObject({ status: 204, body: "" });
  expect(await send(`${scene.url}/304`)).toMatchObject({ status: 304, body: "" });
});

test("connections are kept and used again, to the client and to the target", async () => {
  const scene = await balance((_, response) => response.end("ok"));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const sockets = new Set();
  for (let time = 0; time < 5; time++)
    expect(await send(scene.url, { agent, onSocket: (socket) => sockets.add(socket) })).toMatchObject({ status: 200 });
  expect(sockets.size).toBe(1);
  expect(scene.connections()).toBe(1);
});

test("a client that closes its connection after each request costs the target no connection", async () => {
  const scene = await balance((_, response) => response.end("ok"));
  for (let time = 0; time < 5; time++) {
    const { status, headers } = await send(scene.url, { headers: { connection: "close" } });
    expect(status).toBe(200);
    expect(headers.connection).toBe("close");
  }
  expect(scene.connections()).toBe(1);
});

test("a client of HTTP/1.0 gets its answer in one piece, ended by the end of the connection", async () => {
  const scene = await balance((_, response) => {
    response.write("one ");
    response.end("two");
  });
  const answer = await rawAnswer(scene.url, ["GET / HTTP/1.0", "Host: example.com"]);
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(answer).not.toMatch(/transfer-encoding/i);
  expect(answer.split("\r\n\r\n")[1]).toBe("one two");
});

test("a client that goes away before its answer ends the target's request too, and harms no other", async () => {
  let gone = 0;
  const scene = await balance(({ url }, response) => {
    response.once("close", () => {
      if (!response.writableFinished) gone += 1;
    });
    if (url === "/fast") response.end("ok");
  });
  const left = new AbortController();
  const slow = Array.from({ length: 5 }, () => send(`${scene.url}/slow`, { signal: left.signal }));
  await expect.poll(scene.sent).toBe(5);
  expect(await send(`${scene.url}/fast`)).toMatchObject({ status: 200 });
  left.abort();
  for (const answer of slow) expect(await answer).toMatchObject({ status: "broken" });
  await expect.poll(() => gone).toBe(5);
  await expect.poll(scene.ended).toBe(6);
  expect(await send(`${scene.url}/fast`)).toMatchObject({ status: 200 });
});

test("a client that goes away in the middle of its body ends the target's request too", async () => {
  let whole = true;
  const scene = await balance((incoming) => {
    incoming.resume().once("close", () => {
      whole = incoming.complete;
    });
  });
  const upload = request(scene.url, { method: "POST", agent: false, headers: { "content-length": 1_000 } });
  upload.on("error", () => {}).write("half");
  await expect.poll(scene.sent).toBe(1);
  upload.destroy();
  await expect.poll(() => whole).toBe(false);
  await expect.poll(scene.ended).toBe(1);
});

test("a target that breaks off in the middle of its answer breaks the client's connection: half is not whole", async () => {
  const scene = await balance((_, response) => {
    response.write("half", () => response.socket?.resetAndDestroy());
  });
  expect(await send(scene.url)).toMatchObject({ status: "broken" });
  await expect.poll(scene.ended).toBe(1);
});

test("a target that breaks off before its answer makes a 502, and the client's connection goes on", async () => {
  const scene = await balance(({ url }, response) => {
    if (url === "/") response.socket?.destroy();
    else response.end("ok");
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const sockets = new Set();
  const onSocket = (socket: unknown) => void sockets.add(socket);
  for (let time = 0; time < 10; time++) {
    expect(await send(scene.url, { agent, onSocket })).toMatchObject({ status: 502 });
    expect(await send(`${scene.url}/next`, { agent, onSocket })).toMatchObject({ status: 200 });
  }
  expect(sockets.size).toBe(1);
});

test("a request that is cut while its body is on the way is answered, and the rest of the body swallowed", async () => {
  // It reads nothing, so the body waits in every buffer on the way.
  const scene = await balance(() => {});
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const answer = send(scene.url, { agent, method: "POST", body: Buffer.alloc(30_000_000) });
  await expect.poll(scene.sent).toBe(1);
  scene.cut("closed");
  expect(await answer).toMatchObject({ status: 502 });
  await expect.poll(scene.ended).toBe(1);
});

test("a request that is cut in the middle of its answer breaks the client's connection", async () => {
  const scene = await balance((_, response) => void response.write("half"));
  const response = await answerOf(get(scene.url, { agent: false }));
  const ended = once(response, "error");
  scene.cut("closed");
  expect(await ended).toMatchObject([{ code: "ECONNRESET" }]);
});

test("every request is reported as over exactly once", async () => {
  const scene = await balance(({ url }, response) => {
    if (url === "/break") response.socket?.destroy();
    else response.end("ok");
  });
  await Promise.all(Array.from({ length: 20 }, (_, index) => send(`${scene.url}/${index % 2 === 0 ? "break" : "ok"}`)));
  await expect.poll(scene.ended).toBe(20);
  expect(scene.sent()).toBe(20);
});

test("a request whose machine vanishes waits in silence for the idle timeout, and gets 504", async () => {
  const clock = new VirtualClock();
  const target: { response?: ServerResponse } = {};
  const scene = await balance(
    (_, response) => {
      target.response = response;
    },
    { clock },
  );
  let status: number | string | undefined;
  const answer = send(scene.url).then((got) => {
    status = got.status;
  });
  await expect.poll(() => target.response).toBeDefined();
  scene.cut("silent");
  // Its end does not show.
  target.response?.destroy();
  await clock.advance(59_999);
  expect(status).toBeUndefined();
  await clock.advance(1);
  await answer;
  expect(status).toBe(504);
});
