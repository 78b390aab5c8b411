import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Clock } from "../../src/drain/clock.ts";
import { Delivery, type DeliveryObserver } from "../../src/notify/delivery.ts";
import type { Notification } from "../../src/notify/notification.ts";
import { readReceivers } from "../../src/notify/receivers.ts";

/** A whole second, as dates in headers are. The library that verifies signatures compares them with the time of day. */
const START = Math.floor(Date.now() / 1_000) * 1_000;

const notification = (number: number, more: Partial<Notification> = {}): Notification => ({
  id: `n-${number}`,
  event: "failed",
  level: "error",
  at: START,
  node: { id: `i-${number}` },
  title: `Title ${number}`,
  text: "Text.",
  targets: [],
  targetsLeftOut: 0,
  resolves: [],
  ...more,
});

interface Got {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const SECRET = "whsec_bm90aGluZy10aGF0LWlzLXNlY3JldC1hdC1hbGw=";
/** Far more than any try needs. */
const WITHIN = { timeout: 60_000 };

const ANSWERED_WITHIN_MS = 10_000;

/** Waits between tries are over at once, and counted. A receiver is given up only where `isLate` says so. */
class TryClock implements Clock {
  readonly waits: number[] = [];
  isLate = () => false;
  #now = START;

  now(): number {
    return this.#now;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (ms === ANSWERED_WITHIN_MS) {
      while (!this.isLate()) {
        await this.turn();
        signal.throwIfAborted();
      }
      return;
    }
    this.waits.push(ms);
    this.#now += ms;
    await this.turn();
  }

  turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }
}

/** A receiver on this machine, and what it got. `answer` may leave a request without an answer. */
async function scene(answer: (response: ServerResponse, number: number) => void, form = "webhook") {
  const got: Got[] = [];
  const clock = new TryClock();
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      body += chunk;
    });
    request.once("end", () => {
      got.push({ headers: request.headers, body });
      answer(response, got.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a-secret-part`;
  const more = form === "webhook" ? "bearerTokenFile: token, secretFile: secret" : "";
  const [receiver] = readReceivers(
    `receivers: [{ name: a, level: info, ${form}: { url: "${url}", ${more} } }]`,
  ).receivers;
  if (receiver === undefined) throw new Error("no receiver");
  const said: string[] = [];
  const observer: DeliveryObserver = {
    ended: (name, result, count, why) => said.push(`${name}: ${count} ${result}${why === undefined ? "" : `, ${why}`}`),
    failed: (name, error) => said.push(`${name} failed: ${error}`),
    recovered: (name) => said.push(`${name} recovered`),
  };
  const readFile = (path: string) => Promise.resolve(path === "token" ? "the-token" : SECRET);
  const delivery = new Delivery({ receiver, clock, observer, readFile, agentFor: () => undefined });
  const end = new AbortController();
  const running = delivery.run(end.signal);
  onTestFinished(async () => {
    end.abort();
    await running;
  });
  return { got, said, delivery, clock, end, running };
}

const ok = (response: ServerResponse) => void response.end("ok");
const untilFlushed = (delivery: Delivery) => delivery.flushed(new AbortController().signal);

test("a notification is sent with the token, and signed so that a library of Standard Webhooks verifies it", async () => {
  const { got, said, delivery } = await scene(ok);
  delivery.add(notification(1));
  await untilFlushed(delivery);
  const [{ headers, body }] = got as [Got];
  expect(headers).toMatchObject({
    "content-type": "application/json",
    authorization: "Bearer the-token",
    "webhook-id": "n-1",
  });
  expect(new Webhook(SECRET).verify(body, headers as Record<string, string>)).toMatchObject({ id: "n-1" });
  expect(said).toEqual(["a: 1 sent"]);
});

test("a receiver that fails gets the same notification again, and the next ones after it", async () => {
  const { got, said, delivery, clock } = await scene((response, number) => {
    response.statusCode = number < 4 ? 500 : 200;
    response.end("broken");
  });
  delivery.add(notification(1));
  delivery.add(notification(2));
  await untilFlushed(delivery);
  expect(got.map(({ headers }) => headers["webhook-id"])).toEqual(["n-1", "n-1", "n-1", "n-1", "n-2"]);
  expect(said).toEqual([
    ...Array.from({ length: 3 }, () => "a failed: it answered 500: broken"),
    "a recovered",
    "a: 1 sent",
    "a: 1 sent",
  ]);
  expect(clock.waits).toEqual([1_000, 2_000, 4_000]);
});

test("a receiver that refuses a notification does not get it again", async () => {
  const { said, got, delivery } = await scene((response, number) => {
    response.statusCode = number === 1 ? 404 : 200;
    response.end("\n<h1>no_service</h1>\r\n");
  });
  delivery.add(notification(1));
  delivery.add(notification(2));
  await untilFlushed(delivery);
  expect(got).toHaveLength(2);
  expect(said).toEqual(["a: 1 rejected, it answered 404: <h1>no_service</h1>", "a: 1 sent"]);
});

test.each([
  ["the path of the address", "Cannot POST /a-secret-part"],
  ["the path in JSON of another program", '{"path":"\\/a-secret-part"}'],
  ["the token", "no such token: THE-TOKEN"],
  ["the secret, after more than is shown", `${"x".repeat(190)} ${SECRET}`],
])("what a receiver answers is not shown where it repeats %s", async (_, body) => {
  const { said, delivery } = await scene((response) => {
    response.statusCode = 404;
    response.end(body);
  });
  delivery.add(notification(1));
  await untilFlushed(delivery);
  expect(said).toEqual(["a: 1 rejected, it answered 404"]);
});

test("a receiver that redirects is not followed", async () => {
  const { said, delivery } = await scene((response) => {
    response.writeHead(302, { Location: "http://127.0.0.1:1/" }).end();
  });
  delivery.add(notification(1));
  await untilFlushed(delivery);
  expect(said).toEqual(["a: 1 rejected, it answered 302"]);
});

test.each([
  ["60", 60_000],
  [new Date(START + 120_000).toUTCString(), 120_000],
  ["86400", 300_000],
  ["soon", 1_000],
])("a receiver that answers 429 with Retry-After: %s is left alone for %i ms", async (retryAfter, waitMs) => {
  const { got, said, delivery, clock } = await scene((response, number) => {
    if (number === 1) response.writeHead(429, { "Retry-After": retryAfter }).end();
    else response.end();
  }, "slack");
  delivery.add(notification(1));
  await untilFlushed(delivery);
  expect(got).toHaveLength(2);
  expect(said[0]).toBe("a failed: it answered 429");
  expect(clock.waits).toEqual([waitMs]);
});

test("a receiver that hangs is given up after ten seconds, and gets it again", async () => {
  const { got, said, delivery, clock } = await scene((response, number) => {
    if (number > 1) response.end();
  });
  clock.isLate = () => got.length === 1 && said.length === 0;
  delivery.add(notification(1));
  await untilFlushed(delivery);
  expect(got).toHaveLength(2);
  expect(said).toEqual(["a failed: it did not answer within 10 s", "a recovered", "a: 1 sent"]);
});

test("a receiver that answers 500 for a day costs the oldest and least serious notifications, and no more memory than a thousand need", async () => {
  const { said, delivery, clock } = await scene((response) => {
    response.statusCode = 500;
    response.end();
  });
  delivery.add(notification(0));
  await vi.waitFor(() => expect(said.length).toBeGreaterThan(0), WITHIN);
  delivery.add(notification(1, { level: "error" }));
  for (let number = 2; number < 1_012; number++) delivery.add(notification(number, { level: "info" }));
  expect(said.filter((one) => one === "a: 1 dropped, 1000 notifications wait")).toHaveLength(11);
  await vi.waitFor(() => expect(said).toContain("a: 1 dropped, they could not be delivered within a day"), WITHIN);
  // Five minutes at the most between two tries: about 288 of them a day.
  expect(Math.max(...clock.waits)).toBe(300_000);
});

test("Slack gets what has gathered meanwhile in one message", async () => {
  const { got, delivery } = await scene(ok, "slack");
  for (let number = 0; number < 45; number++) delivery.add(notification(number));
  await untilFlushed(delivery);
  expect(got.map(({ body }) => body.match(/Title/g)?.length)).toEqual([20, 20, 5]);
});

test("an address that nothing listens at is told by its code alone, for the address may be a secret", async () => {
  const { said, delivery, clock, end, running } = await scene(ok);
  const [receiver] = readReceivers(
    `receivers: [{ name: b, webhook: { url: "http://127.0.0.1:1/a-secret-part" } }]`,
  ).receivers;
  if (receiver === undefined) throw new Error("no receiver");
  const observer = { ended: () => {}, failed: (_: string, error: string) => said.push(error), recovered: () => {} };
  const options = {
    receiver,
    clock,
    observer,
    readFile: () => Promise.resolve(""),
    agentFor: () => undefined,
  };
  const other = new Delivery(options);
  const otherRuns = other.run(end.signal);
  other.add(notification(1));
  await vi.waitFor(() => expect(said[0]).toBe("could not send it to the receiver's address (ECONNREFUSED)"), WITHIN);
  end.abort();
  await Promise.all([running, otherRuns, delivery.flushed(end.signal)]);
});
