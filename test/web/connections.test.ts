import { EventEmitter } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { type Connection, type ConnectionBounds, Connections } from "../../src/web/connections.ts";
import { type ListenOptions, listen } from "../../src/web/server.ts";
import { Authority } from "../support/certificates.ts";
import { type RawConnection, request, sendRaw } from "../support/raw-http.ts";
import { ID, SECRET, webApp } from "../support/web-app.ts";

const BOUNDS: ConnectionBounds = {
  connectionsMax: 4,
  probesMin: 1,
  requestsPerAddressMax: 2,
  unreadBytesMax: 100,
};

/** Connections of any address, without a network. */
function connections(bounds: Partial<ConnectionBounds> = {}) {
  const turnedAway: string[] = [];
  const evicted: string[] = [];
  const all = new Connections({
    bounds: { ...BOUNDS, ...bounds },
    onTurnedAway: (client) => turnedAway.push(client),
    onEvicted: (client) => evicted.push(client),
  });
  const destroyed: string[] = [];
  const open = (remoteAddress: string, name = remoteAddress) => {
    const socket = Object.assign(new EventEmitter(), {
      remoteAddress,
      destroy() {
        destroyed.push(name);
        socket.emit("close");
      },
    });
    return { socket, connection: all.open(socket as unknown as Socket) as Connection };
  };
  const begin = (connection: Connection, isProbe = false) => all.begin(connection, { isProbe });
  const end = (connection: Connection, isProbe = false) => all.end(connection, { isProbe });
  return { all, open, begin, end, turnedAway, evicted, destroyed };
}

describe("where there are too many connections:", () => {
  test("the client with the most idle ones loses the one that was idle for longest", () => {
    const { open, evicted, destroyed } = connections();
    open("10.0.0.9");
    for (const name of ["first", "second", "third"]) open("10.0.0.1", name);
    open("10.0.0.2");
    expect(destroyed).toEqual(["first"]);
    expect(evicted).toEqual(["10.0.0.1"]);
  });

  test("a client with thousands of them only ever closes its own", () => {
    const { open, evicted } = connections({ connectionsMax: 100 });
    for (let other = 0; other < 10; other += 1) open(`10.0.1.${other}`);
    for (let count = 0; count < 10_000; count += 1) open("10.0.0.1");
    expect(new Set(evicted)).toEqual(new Set(["10.0.0.1"]));
    expect(evicted).toHaveLength(10_000 - 90);
  });

  test("all addresses of an IPv6 network are one client", () => {
    const { open, evicted } = connections();
    open("2001:db8:1::1");
    open("10.0.0.1");
    open("2001:db8::1");
    open("2001:db8::2:3");
    open("10.0.0.2");
    expect(evicted).toEqual(["2001:db8:0:0::/64"]);
  });

  test("one with a request under way is never closed, and a new one is refused where all have", () => {
    const { open, begin, end, turnedAway, destroyed } = connections({ probesMin: 0, requestsPerAddressMax: 4 });
    const all = ["a", "b", "c", "d"].map((name) => open("10.0.0.1", name).connection);
    for (const connection of all) expect(begin(connection)).toBe(true);
    expect(open("10.0.0.2").connection).toBeUndefined();
    expect([turnedAway, destroyed]).toEqual([["10.0.0.2"], ["10.0.0.2"]]);
    end(all[2] as Connection);
    open("10.0.0.3");
    expect(destroyed).toEqual(["10.0.0.2", "c"]);
  });

  test("one counts as idle again from the end of its request", () => {
    const { open, begin, end, destroyed } = connections();
    const [a] = ["a", "b", "c", "d"].map((name) => open("10.0.0.1", name).connection);
    begin(a as Connection);
    end(a as Connection);
    for (const name of ["e", "f", "g", "h"]) open("10.0.0.1", name);
    expect(destroyed).toEqual(["b", "c", "d", "a"]);
  });

  test("room that others leave is used again", () => {
    const { open, destroyed } = connections();
    const all = Array.from({ length: 4 }, () => open("10.0.0.1").socket);
    for (const socket of all) socket.emit("close");
    for (let count = 0; count < 4; count += 1) open("10.0.0.2");
    expect(destroyed).toEqual([]);
  });
});

describe("requests under way:", () => {
  test("one client may not have all of them", () => {
    const { open, begin, end } = connections();
    const all = Array.from({ length: 3 }, () => open("10.0.0.1").connection);
    expect(all.map((connection) => begin(connection))).toEqual([true, true, false]);
    expect(begin(open("10.0.0.2").connection)).toBe(true);
    end(all[0] as Connection);
    expect(begin(all[2] as Connection)).toBe(true);
  });

  test("all clients together leave room for probes, which always pass", () => {
    const { open, begin } = connections();
    const all = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"].map((address) => open(address).connection);
    expect(all.map((connection) => begin(connection))).toEqual([true, true, true, false]);
    expect(begin(all[3] as Connection, true)).toBe(true);
    // A request on that last connection would have kept this one out.
    expect(all[3]?.client.underWay).toBe(0);
  });

  test("an answer that nobody takes is cut off, the longest waiting first, when they are too many bytes", () => {
    const { all, open, destroyed } = connections();
    const [a, b, c] = ["a", "b", "c"].map((name) => open("10.0.0.1", name).connection);
    all.unread(a as Connection, 60);
    all.unread(a as Connection, 0);
    all.unread(b as Connection, 50);
    all.unread(c as Connection, 50);
    expect(destroyed).toEqual([]);
    all.unread(a as Connection, 60);
    expect(destroyed).toEqual(["b", "c"]);
  });
});

async function served(options: Partial<ListenOptions> = {}, web = webApp()) {
  const evicted: string[] = [];
  const server = await listen(web.app, {
    ...{ host: "127.0.0.1", port: 0, onEvicted: (client: string) => evicted.push(client) },
    ...options,
  });
  onTestFinished(() => server.close(Promise.resolve()));
  return { port: server.port, evicted, web };
}

const health = async (port: number) => (await (await sendRaw(port, request("GET /health"))).closed).status;

describe("a probe is answered", () => {
  test.each<[string, string]>([
    ["say nothing", ""],
    ["have sent half a request", "POST /drain HTTP/1.1\r\nHost: h\r\nContent-"],
    ["have been answered and stay", "GET /health HTTP/1.1\r\nHost: h\r\n\r\n"],
    ["ask for nothing", "\r\n\r\n"],
  ])("while as many connections as there may be %s", async (_, bytes) => {
    const { port, evicted } = await served({ limits: { connectionsMax: 20 } });
    const open: RawConnection[] = [];
    for (let count = 0; count < 40; count += 1) open.push(await sendRaw(port, bytes));
    for (let count = 0; count < 5; count += 1) expect(await health(port)).toBe(200);
    expect(evicted.length).toBeGreaterThanOrEqual(20);
  });

  test("while callers wait for as many drains as may be waited for, and another drain is refused", async () => {
    const ends: (() => void)[] = [];
    const settling = webApp({
      answer: ({ settle }) => ends.push(() => void settle({ status: "instance-gone", message: "terminated" })),
    });
    const limits = { connectionsMax: 10, probesMin: 3, requestsPerAddressMax: 100 };
    const { port, evicted } = await served({ limits }, settling);
    const drain = request(`POST /drain?id=${ID}`, { headers: [`Authorization: Bearer ${SECRET}`] });
    const waiting: RawConnection[] = [];
    for (let count = 0; count < 7; count += 1) waiting.push(await sendRaw(port, drain));
    await expect.poll(() => ends.length).toBe(7);
    const refused = await (await sendRaw(port, drain)).closed;
    expect(refused).toMatchObject({ status: 503, headers: { "retry-after": "5", connection: "close" } });
    expect(JSON.parse(refused.body)).toMatchObject({ detail: "too many requests are under way: try again later" });
    for (let count = 0; count < 20; count += 1) await sendRaw(port, "");
    expect(await health(port)).toBe(200);
    expect(evicted.length).toBeGreaterThan(0);
    for (const end of ends) end();
    expect((await Promise.all(waiting.map(({ closed }) => closed))).map(({ status }) => status)).toEqual(
      waiting.map(() => 200),
    );
  });

  test("while as many connections as there may be never agree on TLS, or have and say nothing", async () => {
    const authority = new Authority();
    const tls = authority.sign("service");
    const { port, evicted } = await served({ tls, limits: { connectionsMax: 20 } });
    const options = { port, host: "127.0.0.1", ca: authority.cert };
    const agree = () =>
      new Promise<void>((resolve) => {
        const socket = connectTls(options, () => resolve());
        onTestFinished(() => void socket.destroy());
        socket.on("error", () => resolve()).resume();
      });
    const sayNothing = () =>
      new Promise<void>((resolve) => {
        const socket = connect(port, "127.0.0.1", () => resolve());
        onTestFinished(() => void socket.destroy());
        socket.on("error", () => {}).resume();
      });
    for (let count = 0; count < 20; count += 1) await Promise.all([agree(), sayNothing()]);
    const text = await new Promise<string>((resolve) => {
      let received = "";
      const socket = connectTls(options, () => socket.write(request("GET /health")));
      socket.on("data", (chunk) => {
        received += chunk;
      });
      socket.on("error", () => {}).once("close", () => resolve(received));
    });
    expect(text).toContain("HTTP/1.1 200 OK");
    expect(evicted.length).toBeGreaterThanOrEqual(20);
  });
});
