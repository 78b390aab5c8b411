import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { Traffic } from "../../src/demo/traffic.ts";
import { ScaledClock } from "../../src/simulator/clock.ts";

/** Answers what comes to `/quick`, and holds everything else until it is let go. */
async function slowServer() {
  const held: ServerResponse[] = [];
  let isHolding = true;
  let quick = 0;
  const server = createServer((request, response) => {
    if (request.url === "/quick") quick += 1;
    if (request.url === "/slow" && isHolding) held.push(response);
    else response.end("here\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const letGo = () => {
    isHolding = false;
    for (const response of held) response.end("here\n");
  };
  return { url, held, quick: () => quick, letGo };
}

function start(url: string, paths: readonly string[], timeoutMs: number): Traffic {
  const destinations = paths.map((path) => ({ name: path, url: url + path }));
  const clock = new ScaledClock(1);
  return new Traffic({ destinations, clock, intervalMs: 1, timeoutMs, waitingMax: 3, connectionLifetimeMs: 500 });
}

test("clients who wait send no more, and those of other destinations go on", async () => {
  const { url, held, quick, letGo } = await slowServer();
  const traffic = start(url, ["/slow", "/quick"], 3_600_000);
  await expect.poll(quick).toBeGreaterThan(10);
  expect(held).toHaveLength(3);
  letGo();
  expect(await traffic.stop()).toEqual({ sent: traffic.sent, losses: [] });
});

test("a request that is answered late is not lost", async () => {
  const { url, held, letGo } = await slowServer();
  const traffic = start(url, ["/slow"], 300);
  // More than may wait at a time: the first have waited for as long as they do.
  await expect.poll(() => held.length).toBeGreaterThan(3);
  letGo();
  expect(await traffic.stop()).toEqual({ sent: traffic.sent, losses: [] });
});

test("a request that nobody answers is lost by a timeout", async () => {
  const { url, held } = await slowServer();
  const traffic = start(url, ["/slow"], 300);
  await expect.poll(() => held.length).toBe(3);
  const { sent, losses } = await traffic.stop();
  expect(losses.map(({ to, cause }) => `${to} ${cause}`)).toEqual(Array(sent).fill("/slow timeout"));
});
