import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { newAbort, whenAborted } from "../../src/drain/abort.ts";
import { SystemClock } from "../../src/drain/clock.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { ImdsClient, type MetadataAnswer, sendOverHttp } from "../../src/sources/imds-client.ts";
import { ID } from "../support/account.ts";
import { InstanceMetadataServer, LIFECYCLE, SPOT } from "../support/instance-metadata.ts";

function scene() {
  const clock = new VirtualClock();
  const imds = new InstanceMetadataServer(clock, { instanceId: ID });
  const client = new ImdsClient({ clock, send: imds.send });
  const { signal } = newAbort();
  return { clock, imds, read: (path: string) => clock.run(client.read(path, signal)) };
}

describe("instance metadata is read", () => {
  test("with one token for many reads, and what is absent is no failure", async () => {
    const { imds, read } = scene();
    expect([await read(LIFECYCLE), await read(SPOT), await read(LIFECYCLE)]).toEqual([
      "InService",
      undefined,
      "InService",
    ]);
    expect(imds.requests.map(({ method }) => method)).toEqual(["PUT", "GET", "GET", "GET"]);
  });

  test.each([
    ["that was asked for", undefined, 21_600],
    ["that AWS gives instead", 60, 60],
  ])("with a new token before the end of the time %s, and not sooner", async (_, ttlSeconds, lives) => {
    const { clock, imds, read } = scene();
    imds.ttlSeconds = ttlSeconds;
    await read(LIFECYCLE);
    await clock.advance(lives * 850);
    expect([await read(LIFECYCLE), imds.countOf("PUT")]).toEqual(["InService", 1]);
    await clock.advance(lives * 140);
    expect([await read(LIFECYCLE), imds.countOf("PUT")]).toEqual(["InService", 2]);
    // None met the end of its token.
    expect(imds.requests.map(({ method }) => method)).toEqual(["PUT", "GET", "GET", "PUT", "GET"]);
  });

  test("with another token where the first is refused, and never with both", async () => {
    const { imds, read } = scene();
    await read(LIFECYCLE);
    imds.dropTokens();
    expect(await read(LIFECYCLE)).toBe("InService");
    expect(imds.requests.map(({ method }) => method)).toEqual(["PUT", "GET", "GET", "PUT", "GET"]);
    expect(imds.requests.at(-1)?.headers["x-aws-ec2-metadata-token"]).toMatch(/^[^,]+$/);
  });

  test("over IPv6 as over IPv4", async () => {
    const imds = new InstanceMetadataServer(new SystemClock(), { instanceId: ID });
    const read = async (host: string) =>
      new ImdsClient({ clock: new SystemClock(), send: sendOverHttp(await imds.listen(host)) }).read(
        LIFECYCLE,
        newAbort().signal,
      );
    expect([await read("127.0.0.1"), await read("::1")]).toEqual(["InService", "InService"]);
  });
});

describe("a read of instance metadata fails", () => {
  const answers = (answer: Partial<MetadataAnswer>) => () => answer;
  test.each([
    [
      "when tokens are refused for ever",
      "GET",
      401,
      "",
      "cloud-error",
      /answered 401, which IMDSv2 does not: check the endpoint/,
    ],
    ["when it is throttled", "GET", 429, "", "throttled", /answered 429: too many requests/],
    ["when it is busy", "GET", 503, "", "throttled", /answered 503: too many requests/],
    ["when it breaks", "GET", 500, "", "unavailable", /answered 500/],
    ["when it redirects", "GET", 302, "", "cloud-error", /answered 302/],
    ["when it is switched off", "PUT", 403, "", "cloud-error", /check that instance metadata is enabled/],
    [
      "where there is only the first version",
      "PUT",
      404,
      "",
      "cloud-error",
      /answered 404, which IMDSv2 does not: check the endpoint/,
    ],
    ["when the token is no token", "PUT", 200, "a\nb", "cloud-error", /returned no token/],
    ["when the token is empty", "PUT", 200, "", "cloud-error", /returned no token/],
    ["when the token has no end", "PUT", 200, "x".repeat(1_025), "cloud-error", /returned no token/],
  ] as const)("%s", async (_, method, status, body, code, says) => {
    const { imds, read } = scene();
    const answer = answers({ status, body });
    imds.intercept = (request) => (request.method === method ? answer() : undefined);
    await expect(read(LIFECYCLE)).rejects.toMatchObject({ code, message: expect.stringMatching(says) });
    // Whatever is refused, nothing is asked for without a token.
    for (const request of imds.requests) {
      if (request.method === "GET") expect(request.headers["x-aws-ec2-metadata-token"]).toBeTruthy();
    }
    imds.intercept = () => undefined;
    expect(await read(LIFECYCLE)).toBe("InService");
  });

  test("after two seconds without an answer, and says what pods need", async () => {
    const clock = new VirtualClock();
    let sent: AbortSignal | undefined;
    const send = (_: unknown, signal: AbortSignal) => {
      sent = signal;
      return new Promise<never>(() => {});
    };
    const reading = new ImdsClient({ clock, send }).read(LIFECYCLE, newAbort().signal);
    await expect(clock.run(reading)).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(
        /no answer within 2 s: give the pod hostNetwork, or its instance a metadata hop limit of 2/,
      ),
    });
    expect([clock.elapsedMs, sent?.aborted]).toEqual([2_000, true]);
  });

  test("at once when nobody wants it any more", async () => {
    const stop = newAbort();
    const send = (_: unknown, signal: AbortSignal) => whenAborted(signal);
    const reading = new ImdsClient({ clock: new VirtualClock(), send }).read(LIFECYCLE, stop.signal);
    stop.abort("enough");
    await expect(reading).rejects.toBe("enough");
  });

  test("where nobody listens, and where an answer has no end", async () => {
    const read = (endpoint: string) =>
      new ImdsClient({ clock: new SystemClock(), send: sendOverHttp(endpoint) }).read(LIFECYCLE, newAbort().signal);
    const server = createServer((_, response) => void response.end("x".repeat(65_537)));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    await expect(read(url)).rejects.toMatchObject({ message: expect.stringMatching(/larger than 65536 bytes/) });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await expect(read(url)).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(/ECONNREFUSED/),
    });
  });
});
