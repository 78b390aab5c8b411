import { once } from "node:events";
import { Agent, createServer, type IncomingHttpHeaders } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import WebSocket from "ws";
import { DataPlane } from "../../../src/simulator/data-plane/data-plane.ts";
import type { Machine } from "../../../src/simulator/data-plane/instance-processes.ts";
import { listen } from "../../../src/simulator/listen.ts";
import type { World } from "../../../src/simulator/world/world.ts";
import { carryInside } from "../../support/machine-inside.ts";
import { SimulatedRegion } from "../../support/simulated-region.ts";
import { allowIdle, carry } from "./carried.ts";
import { hold, send } from "./clients.ts";

/** A machine that answers with the headers that it got, as JSON. */
async function startMirror(): Promise<Machine> {
  const server = createServer((request, response) =>
    response.writeHead(200, { server: "mirror" }).end(JSON.stringify(request.headers)),
  );
  const port = Number(new URL(await listen(server)).port);
  const ended = once(server, "close").then(() => {});
  return { port, ended, kill: () => void server.close(() => {}).closeAllConnections() };
}

async function mirrored(world: World): Promise<DataPlane> {
  const plane = await DataPlane.open(world, undefined, startMirror);
  onTestFinished(() => plane.close());
  return plane;
}

function albWith(region: SimulatedRegion) {
  region.group({ name: "web", nodes: [region.node()] });
  const [loadBalancer] = [...region.world.loadBalancers.values()];
  const [listener] = loadBalancer?.listeners ?? [];
  if (loadBalancer === undefined || listener === undefined) throw new Error("no load balancer");
  return { loadBalancer, listener };
}

/** Everything that the load balancer answers until it closes the connection. */
async function rawAnswer(url: string, lines: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.write(`${[...lines, "host: example.com", "connection: close", "", ""].join("\r\n")}`);
  return text(socket);
}

test("an ALB tells its targets who the client is, how it came, and an id of its request", async () => {
  const region = new SimulatedRegion();
  albWith(region);
  const plane = await mirrored(region.world);
  const got = async (headers: IncomingHttpHeaders): Promise<IncomingHttpHeaders> =>
    JSON.parse((await send(plane.url("web-lb"), { headers })).body);
  const first = await got({});
  expect(first).toMatchObject({
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-proto": "http",
    "x-forwarded-port": "80",
    "x-amzn-trace-id": expect.stringMatching(/^Root=1-[\da-f]{8}-[\da-f]{24}$/),
  });
  const id = "Root=1-67891233-abcdef012345678912345678";
  const traced = await got({ "x-forwarded-for": "203.0.113.9", "x-amzn-trace-id": `Self=1-1-a;${id};Sampled=1` });
  expect(traced["x-forwarded-for"]).toBe("203.0.113.9, 127.0.0.1");
  expect(traced["x-amzn-trace-id"]).toMatch(new RegExp(`^Self=1-[\\da-f]{8}-[\\da-f]{24};${id};Sampled=1$`));
});

test.each([
  ["preserve", "203.0.113.9"],
  ["remove", undefined],
])("an ALB whose X-Forwarded-For mode is %s does so", async (mode, expected) => {
  const region = new SimulatedRegion();
  const { loadBalancer } = albWith(region);
  loadBalancer.attributes.set("routing.http.xff_header_processing.mode", mode);
  const plane = await mirrored(region.world);
  const { body } = await send(plane.url("web-lb"), { headers: { "x-forwarded-for": "203.0.113.9" } });
  expect(JSON.parse(body)["x-forwarded-for"]).toBe(expected);
});

test("a classic load balancer tells its instances who the client is, and has no ids for requests", async () => {
  const region = new SimulatedRegion();
  region.classic({ name: "web", nodes: [region.node()] });
  const plane = await mirrored(region.world);
  const { body } = await send(plane.url("web"));
  const headers = JSON.parse(body);
  expect(headers).toMatchObject({ "x-forwarded-for": "127.0.0.1", "x-forwarded-proto": "http" });
  expect(headers).not.toHaveProperty("x-amzn-trace-id");
});

test("what an ALB answers itself has its name and a page, unless the listener hides the name", async () => {
  const region = new SimulatedRegion();
  region.group({ name: "web" });
  const plane = await carryInside(region.world);
  const shown = await send(plane.url("web-lb"));
  expect(shown).toMatchObject({ status: 503, headers: { server: "awselb/2.0", "content-type": "text/html" } });
  expect(shown.body).toContain("<h1>503 Service Temporarily Unavailable</h1>");
  for (const { listeners } of region.world.loadBalancers.values())
    for (const { attributes } of listeners) attributes.set("routing.http.response.server.enabled", "false");
  expect((await send(plane.url("web-lb"))).headers).not.toHaveProperty("server");
  const unreadable = ["GET / HTTP/1.1", "no header"];
  expect(await rawAnswer(plane.url("web-lb"), unreadable)).toMatch(/^HTTP\/1.1 400 (?!.*awselb)/s);
});

test("an ALB redirects to a place made of the request's own components", async () => {
  const region = new SimulatedRegion();
  const { listener } = albWith(region);
  region.world.addRule(listener, {
    priority: 1,
    conditions: [{ field: "path-pattern", values: ["/old/*"] }],
    actions: [{ type: "redirect", statusCode: "HTTP_301", host: "new.#{host}", path: "/new/#{path}", port: "8443" }],
  });
  listener.defaultActions = [{ type: "redirect", statusCode: "HTTP_302", protocol: "HTTPS", port: "443" }];
  const plane = await carryInside(region.world);
  const headers = { host: "example.com" };
  const location = async (path: string) => {
    const { status, headers: got } = await send(`${plane.url("web-lb")}${path}`, { headers });
    return [status, got.location];
  };
  expect(await location("/old/a?b=c")).toEqual([301, "http://new.example.com:8443/new/old/a?b=c"]);
  expect(await location("/")).toEqual([302, "https://example.com:443/"]);
});

test.each([
  ["TRACE", ["TRACE / HTTP/1.1"], 405],
  ["a header of more than 16 KiB", ["GET / HTTP/1.1", `x-long: ${"a".repeat(16_384)}`], 400],
  ["an address of more than 16 KiB", [`GET /${"a".repeat(16_384)} HTTP/1.1`], 414],
  ["headers of more than 64 KiB", ["GET / HTTP/1.1", ...Array(6).fill(`x-long: ${"a".repeat(12_000)}`)], 400],
  ["an unknown transfer coding", ["POST / HTTP/1.1", "transfer-encoding: brotli"], 501],
  ["31 addresses in X-Forwarded-For", ["GET / HTTP/1.1", `x-forwarded-for: ${Array(31).fill("192.0.2.1")}`], 463],
])("an ALB refuses %s", async (_, lines, status) => {
  const region = new SimulatedRegion();
  albWith(region);
  const plane = await carryInside(region.world);
  expect(await rawAnswer(plane.url("web-lb"), lines)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
});

test("an ALB passes on headers of 60 KiB", async () => {
  const region = new SimulatedRegion();
  albWith(region);
  const plane = await carryInside(region.world);
  const lines = ["GET / HTTP/1.1", ...Array(4).fill(`x-long: ${"a".repeat(15_000)}`)];
  expect(await rawAnswer(plane.url("web-lb"), lines)).toMatch(/^HTTP\/1.1 200 /);
});

test("an ALB answers 504 when a target says nothing for the idle timeout, and a classic one does", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  region.group({ name: "web", nodes: [node] });
  region.classic({ name: "legacy", nodes: [node] });
  const carried = await carry(region.world);
  allowIdle(region.world, 90);
  carried.freeze(node.id);
  const held = await Promise.all([hold(carried.plane.url("web-lb")), hold(carried.plane.url("legacy"))]);
  await region.clock.advance(89_999);
  expect(held.map(({ answered }) => answered)).toEqual([undefined, undefined]);
  await region.clock.advance(1);
  for (const { answer } of held) expect(await answer).toMatchObject({ status: 504 });
});

test("an ALB closes a connection that is older than its keep-alive duration with the next answer", async () => {
  const region = new SimulatedRegion();
  albWith(region);
  const plane = await carryInside(region.world);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const connection = async () => (await send(plane.url("web-lb"), { agent })).headers.connection;
  expect(await connection()).toBe("keep-alive");
  await region.clock.advance(3_600_000);
  expect(await connection()).toBe("close");
});

test("a WebSocket through an ALB lives as long as both ends want, and is cut at the end of the deregistration delay", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  const group = region.group({ name: "web", nodes: [node], delaySeconds: 120 });
  const { plane } = await carry(region.world);
  allowIdle(region.world, 4_000);
  const socket = new WebSocket(plane.url("web-lb").replace("http:", "ws:"));
  const closed = once(socket, "close");
  const [{ headers }] = await once(socket, "upgrade");
  expect(headers["x-served-by"]).toBe(node.id);
  const echo = async (message: string) => {
    socket.send(message);
    const [data] = await once(socket, "message");
    return String(data);
  };
  if (socket.readyState !== WebSocket.OPEN) await once(socket, "open");
  expect(await echo("before")).toBe("before");
  region.world.deregisterTarget(group, { id: node.id });
  await region.clock.advance(119_999);
  expect(await echo("during")).toBe("during");
  await region.clock.advance(1);
  expect(await closed).toEqual([1006, expect.anything()]);
});

test("a WebSocket that is silent for the idle timeout is closed", async () => {
  const region = new SimulatedRegion();
  albWith(region);
  const { plane } = await carry(region.world);
  const socket = new WebSocket(plane.url("web-lb").replace("http:", "ws:"));
  await once(socket, "open");
  const closed = once(socket, "close");
  await region.clock.advance(60_000);
  expect(await closed).toEqual([1006, expect.anything()]);
});

test("a request for another protocol than WebSocket is answered as any other", async () => {
  const region = new SimulatedRegion();
  albWith(region);
  const plane = await carryInside(region.world);
  const answer = await send(plane.url("web-lb"), {
    headers: { connection: "Upgrade, HTTP2-Settings", upgrade: "h2c" },
  });
  expect(answer).toMatchObject({ status: 200 });
});

test("a WebSocket to an ALB without targets is refused with 503", async () => {
  const region = new SimulatedRegion();
  region.group({ name: "web" });
  const plane = await carryInside(region.world);
  const socket = new WebSocket(plane.url("web-lb").replace("http:", "ws:"));
  socket.on("error", () => {});
  const [, answer] = await once(socket, "unexpected-response");
  expect(answer.statusCode).toBe(503);
});
