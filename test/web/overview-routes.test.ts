import { describe, expect, onTestFinished, test } from "vitest";
import { SECRET, webApp } from "../support/web-app.ts";

const bearer = { authorization: `Bearer ${SECRET}` };

/** An overview that says what the test lets it say. */
function scene() {
  const followers = new Set<(text: string) => void>();
  const overview = {
    text: () => '{"running":[]}',
    follow: (onChange: (text: string) => void) => {
      followers.add(onChange);
      return () => void followers.delete(onChange);
    },
  };
  const { app } = webApp({ overview });
  const open = async (address = "192.0.2.1", init: RequestInit = {}) => {
    const given = { headers: bearer, ...init };
    const response = await app.request("/overview/events", given, { incoming: { socket: { remoteAddress: address } } });
    const reader = response.body?.getReader();
    onTestFinished(() => reader?.cancel().catch(() => {}));
    return { response, reader };
  };
  const say = (text: string) => {
    for (const onChange of [...followers]) onChange(text);
  };
  return { app, followers, open, say };
}

async function next(reader: ReadableStreamDefaultReader<Uint8Array> | undefined): Promise<string> {
  return Buffer.from((await reader?.read())?.value ?? "").toString();
}

describe("GET /overview/events", () => {
  test("sends everything first, then what changes", async () => {
    const { open, say } = scene();
    const { response, reader } = await open();
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await next(reader)).toBe("retry: 3000\n\n");
    expect(await next(reader)).toBe('event: overview\ndata: {"running":[]}\n\n');
    say('{"over":["d-1"]}');
    expect(await next(reader)).toBe('event: changes\ndata: {"over":["d-1"]}\n\n');
  });

  test("needs the secret, as GET /overview does", async () => {
    const { app, followers } = scene();
    for (const path of ["/overview", "/overview/events"]) {
      expect((await app.request(path)).status).toBe(401);
      expect((await app.request(path, { headers: { authorization: "Bearer wrong" } })).status).toBe(403);
      expect((await app.request(`${path}?farce=1`, { headers: bearer })).status).toBe(400);
    }
    expect(followers.size).toBe(0);
  });

  test("is left when the reader goes, and never begun for HEAD", async () => {
    const { open, followers } = scene();
    const { reader } = await open();
    expect(followers.size).toBe(1);
    await reader?.cancel();
    expect(followers.size).toBe(0);
    await open("192.0.2.1", { method: "HEAD" });
    expect(followers.size).toBe(0);
  });

  test("drops a reader that takes nothing, and makes room for another", async () => {
    const { open, say, followers } = scene();
    const { reader } = await open();
    for (let change = 0; change < 30; change++) say("{}");
    expect(followers.size).toBe(0);
    await expect(reader?.read()).rejects.toThrow("the reader is too slow");
  });

  test("has a hundred readers of one address at most, and others of another", async () => {
    const { open, followers } = scene();
    const readers = await Promise.all(Array.from({ length: 100 }, () => open()));
    const { response, reader } = await open();
    expect(response.status).toBe(503);
    expect(await next(reader)).toContain("100 readers at this address");
    expect((await open("192.0.2.2")).response.status).toBe(200);
    await readers[0]?.reader?.cancel();
    expect((await open()).response.status).toBe(200);
    expect(followers.size).toBe(101);
  });
});
