import type { ChildProcess } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { ScaledClock } from "../../../src/simulator/clock.ts";
import { Controlled } from "./controlled.ts";

/** One machine behind a load balancer of each kind that carries requests. Time stands still. */
async function scene() {
  const clock = new ScaledClock(1);
  clock.setSpeed(0);
  const started: ChildProcess[] = [];
  const note = (message: unknown) => void started.push((message as { readonly process: ChildProcess }).process);
  subscribe("child_process", note);
  const control = await Controlled.open(
    `
instances: [{ name: node }]
targetGroups:
  - { name: web, protocol: HTTP, port: 80, targets: [{ instances: [node] }] }
  - { name: tcp, protocol: TCP_UDP, port: 81, targets: [{ instances: [node] }] }
loadBalancers:
  - { name: front, type: application, listeners: [{ protocol: HTTP, port: 80, action: { forward: [{ group: web }] } }] }
  - { name: flows, type: network, listeners: [{ protocol: TCP_UDP, port: 81, action: { forward: [{ group: tcp }] } }] }
classicLoadBalancers:
  - { name: legacy, listeners: [{ protocol: HTTP, port: 80, instancePort: 82 }], instances: [node] }
`,
    clock,
  );
  unsubscribe("child_process", note);
  const urls = control.region.entrances.map(({ url }) => url).filter((url) => url.startsWith("http:"));
  const [program] = started;
  if (program === undefined) throw new Error("the machine has no process");
  return { clock, control, urls, program };
}

/** The first line of the answer to a request line that no client library would write. Undefined where there is none. */
async function statusLine(url: string, requestLine: string): Promise<string | undefined> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk;
  });
  socket.on("error", () => {}); // A connection that breaks has no answer.
  socket.write(`${requestLine}\r\nHost: shop.example\r\nConnection: close\r\n\r\n`);
  await new Promise((resolve) => socket.once("close", resolve));
  return text.split("\r\n")[0] || undefined;
}

test.each([
  "GET // HTTP/1.1",
  "GET //?delay=1 HTTP/1.1",
  "GET http:// HTTP/1.1",
  "GET http://shop.example/cart?delay=1 HTTP/1.1",
  "GET http://[/ HTTP/1.1",
  "OPTIONS * HTTP/1.1",
  "GET /?delay=%zz HTTP/1.1",
])("a program answers %s through every load balancer", async (requestLine) => {
  const { control, urls, program } = await scene();
  expect(urls).toHaveLength(3);
  for (const url of urls) expect(await statusLine(url, requestLine)).toBe("HTTP/1.1 200 OK");
  expect([program.exitCode, program.signalCode]).toEqual([null, null]);
  expect((await control.state()).instances[0]).toMatchObject({ answering: true });
});

test("a program that has ended by itself is one that was stopped: a recovery starts another", async () => {
  const { clock, control, urls, program } = await scene();
  const statuses = () => Promise.all(urls.map((url) => statusLine(url, "GET / HTTP/1.1")));
  program.kill("SIGKILL");
  await once(program, "exit");
  await expect.poll(async () => (await control.state()).instances[0]).toMatchObject({ answering: false });
  expect(await statuses()).toEqual(["HTTP/1.1 502 Bad Gateway", undefined, expect.stringContaining("HTTP/1.1 5")]);
  await clock.advance(300_000);
  expect((await control.state()).targetGroups.map(({ targets }) => targets[0]?.reason)).toEqual([
    "Target.FailedHealthChecks",
    "Target.FailedHealthChecks",
  ]);
  await control.post("recoveries", { instances: ["node"] });
  await clock.advance(300_000);
  expect((await control.state()).instances[0]).toMatchObject({ answering: true });
  expect((await control.state()).targetGroups.map(({ targets }) => targets[0]?.state)).toEqual(["healthy", "healthy"]);
  expect(await statuses()).toEqual(urls.map(() => "HTTP/1.1 200 OK"));
});
