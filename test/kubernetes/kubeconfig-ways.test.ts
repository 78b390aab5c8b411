import { writeFileSync } from "node:fs";
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { SystemClock } from "../../src/drain/clock.ts";
import { connectBy, failure, folder, kubeconfig } from "../support/api-client.ts";
import { FakeApiServer, TOKEN } from "../support/fake-api-server.ts";
import { never } from "../support/simulated-region.ts";

const NODES = "/api/v1/nodes";
const SECRET = "password-of-the-proxy";

interface Proxy {
  readonly url: string;
  /** To where it was asked to connect. */
  readonly asked: string[];
}

async function listening(server: Server, sockets: ReadonlySet<Socket>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Connects the two with each other. */
function tie(one: Socket, other: Socket, sockets: Set<Socket>): void {
  for (const socket of [one, other]) sockets.add(socket.on("error", () => {}));
  one.pipe(other).pipe(one);
}

async function httpProxy(): Promise<Proxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const server = createHttpServer().on("connect", (request: IncomingMessage, socket: Socket) => {
    asked.push(request.url ?? "");
    const [host = "", port = ""] = (request.url ?? "").split(":");
    const onwards = connect(Number(port), host, () => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
    tie(onwards, socket, sockets);
  });
  return { asked, url: `http://127.0.0.1:${await listening(server, sockets)}` };
}

/** RFC 1928: version 5, no authentication, a connection to an IPv4 address or to a name. */
async function socksProxy(scheme: string): Promise<Proxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    socket.once("data", () => {
      socket.write(Buffer.from([5, 0]));
      socket.once("data", (request: Buffer) => {
        const isName = request[3] === 3;
        const end = isName ? 5 + (request[4] ?? 0) : 8;
        const host = isName ? request.subarray(5, end).toString() : [...request.subarray(4, 8)].join(".");
        const port = request.readUInt16BE(end);
        asked.push(`${host}:${port}`);
        const onwards = connect(port, host, () => {
          socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
          tie(onwards, socket, sockets);
        });
      });
    });
  });
  return { asked, url: `${scheme}://127.0.0.1:${await listening(server, sockets)}` };
}

async function scene() {
  const clock = new SystemClock();
  const fake = await FakeApiServer.start(clock);
  fake.put(NODES, { metadata: { name: "node-1" } });
  const path = join(folder(), "config");
  const connectAs = (user: object, cluster: object = {}) => {
    writeFileSync(path, kubeconfig({ server: fake.url, ca: fake.ca, user, cluster }));
    return connectBy(path, clock);
  };
  return { fake, path, connectAs };
}

const WAYS: readonly (readonly [string, () => Promise<Proxy | undefined>])[] = [
  ["directly", async () => undefined],
  ["an HTTP proxy", httpProxy],
  ["a SOCKS proxy", () => socksProxy("socks5")],
  ["a SOCKS proxy that resolves names", () => socksProxy("socks5h")],
];

describe.each(WAYS)("by %s, the API server", (_, start) => {
  test("is asked with a token, and watched", async () => {
    const { fake, connectAs } = await scene();
    const proxy = await start();
    const server = await connectAs({ token: TOKEN }, proxy && { "proxy-url": proxy.url });
    expect((await server.list(NODES, never)).items).toHaveLength(1);
    const lines: string[] = [];
    const onLine = (line: string) => {
      lines.push(line);
      fake.endWatches();
    };
    const request = { path: NODES, query: { watch: true, resourceVersion: "0" }, limitMs: 60_000 };
    await server.lines(request, never, { onOpen: () => {}, onLine });
    expect(lines.length).toBeGreaterThan(0);
    expect(fake.requests.every(({ headers }) => headers.authorization === `Bearer ${TOKEN}`)).toBe(true);
    if (proxy !== undefined) expect(new Set(proxy.asked)).toEqual(new Set([new URL(fake.url).host]));
  });

  test("is asked with a client certificate", async () => {
    const { fake, connectAs } = await scene();
    const proxy = await start();
    const { cert, key } = fake.certificate("by-certificate");
    const inBase64 = (text: string) => Buffer.from(text).toString("base64");
    const user = { "client-certificate-data": inBase64(cert), "client-key-data": inBase64(key) };
    const server = await connectAs(user, proxy && { "proxy-url": proxy.url });
    await server.list(NODES, never);
    expect(fake.requests[0]?.client).toBe("by-certificate");
  });

  test("has its certificate held against tls-server-name", async () => {
    const { fake, connectAs } = await scene();
    const proxy = await start();
    const named = (name: string) =>
      connectAs({ token: TOKEN }, { "tls-server-name": name, ...(proxy && { "proxy-url": proxy.url }) });
    await (await named("localhost")).list(NODES, never);
    const error = await failure((await named("kubernetes.internal")).list(NODES, never));
    expect(error.message).toMatch(/is not trusted \(ERR_TLS_CERT_ALTNAME_INVALID\): check .* the server's name$/);
    expect(fake.requests).toHaveLength(1);
  });
});

test.each(["ftp://127.0.0.1:1", "127.0.0.1:3128", "http//proxy"])(
  "a proxy-url '%s' is named, with what to give",
  async (url) => {
    const { connectAs } = await scene();
    const error = await failure(connectAs({ token: TOKEN }, { "proxy-url": url }));
    expect(error.reason).toBe("Configuration");
    expect(error.message).toMatch(
      /^KUBERNETES names a proxy-url that can't be used: give http:\/\/, https:\/\/ or socks5:\/\/ and the address of the proxy$/,
    );
  },
);

test("the password of a proxy is in no error", async () => {
  const { connectAs } = await scene();
  const server = await connectAs({ token: TOKEN }, { "proxy-url": `socks5://us:${SECRET}@127.0.0.1:9` });
  const error = await failure(server.list(NODES, never));
  expect(error.reason).toBe("Unreachable");
  expect(`${error.stack} ${JSON.stringify(error)} ${error.cause}`).not.toContain(SECRET);
});

describe("the auth-provider oidc", () => {
  const provider = (config: object) => ({ "auth-provider": { name: "oidc", config } });
  const config = { "client-id": "kubernetes", "idp-issuer-url": "https://127.0.0.1:9", "refresh-token": "refresh" };

  test("gives its id-token, which is read again when another program has replaced it", async () => {
    const { fake, path, connectAs } = await scene();
    const server = await connectAs(provider({ ...config, "id-token": TOKEN }));
    await server.list(NODES, never);
    // Refused once, and then read again.
    fake.token = "second-id-token";
    const user = provider({ ...config, "id-token": "second-id-token" });
    writeFileSync(path, kubeconfig({ server: fake.url, ca: fake.ca, user }));
    await server.list(NODES, never);
    expect(fake.requests.at(-1)?.headers.authorization).toBe("Bearer second-id-token");
  });

  test("is not refreshed: a token that has expired is refused by the API server, and no one else is asked", async () => {
    const { connectAs } = await scene();
    const expired = `e30.${Buffer.from(JSON.stringify({ exp: 1 })).toString("base64url")}.c2ln`;
    const error = await failure((await connectAs(provider({ ...config, "id-token": expired }))).list(NODES, never));
    expect(error).toMatchObject({ status: 401 });
    expect(error.message).toContain("Check the token");
    expect(error.message).not.toContain(expired);
  });

  test("without an id-token is named, with what to do", async () => {
    const { connectAs } = await scene();
    for (const user of [provider(config), { "auth-provider": { name: "oidc" } }]) {
      const error = await failure(connectAs(user));
      expect(error.message).toBe(
        "KUBERNETES uses the auth-provider 'oidc' without an id-token: log in with kubectl, or use an exec plug-in",
      );
    }
  });
});
