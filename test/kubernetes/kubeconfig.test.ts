import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { connect as connectTcp, type Socket } from "node:net";
import { delimiter, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { SystemClock } from "../../src/drain/clock.ts";
import type { ApiServer } from "../../src/kubernetes/api-server.ts";
import type { ConnectOptions } from "../../src/kubernetes/connect.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { clientOf, connectBy, failure, folder, kubeconfig } from "../support/api-client.ts";
import { Authority } from "../support/certificates.ts";
import { FakeApiServer, TOKEN } from "../support/fake-api-server.ts";
import { never } from "../support/simulated-region.ts";

const NODES = "/api/v1/nodes";
const MINUTE_MS = 60_000;

async function scene() {
  const clock = new VirtualClock();
  const fake = await FakeApiServer.start(clock);
  fake.put(NODES, { metadata: { name: "node-1" } });
  const home = folder();
  /** Writes a kubeconfig with this user, and connects by it. */
  const connectAs = (user: object, cluster: object = {}, more: Partial<ConnectOptions> = {}) => {
    const path = join(home, "config");
    writeFileSync(path, kubeconfig({ server: fake.url, ca: fake.ca, user, cluster }));
    return connectBy(path, clock, more);
  };
  return { clock, fake, home, connectAs };
}

const asks = (server: ApiServer) => server.list(NODES, never);

describe("a kubeconfig of several files, as KUBECONFIG names them,", () => {
  test("is read together: an entry of an earlier file counts, and a file that is not there is left out", async () => {
    const { clock, fake, home } = await scene();
    const { clusters, users, contexts } = JSON.parse(kubeconfig({ server: fake.url, ca: fake.ca }));
    const other = folder();
    const base = { apiVersion: "v1", kind: "Config" };
    const wrong = { name: users[0].name, user: { token: "of the later file" } };
    const tokenFile = { name: users[0].name, user: { tokenFile: "token" } };
    writeFileSync(join(home, "token"), TOKEN);
    writeFileSync(join(home, "a"), JSON.stringify({ ...base, users: [tokenFile] }));
    const rest = { ...base, users: [wrong], clusters, contexts, "current-context": contexts[0].name };
    writeFileSync(join(other, "b"), JSON.stringify(rest));
    const paths = [join(home, "missing"), join(home, "a"), join(other, "b")];
    await asks(await connectBy(paths.join(delimiter), clock));
    expect(fake.requests.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${TOKEN}`]);
  });

  test("is refused where a file can't be read, or none is there", async () => {
    const { clock, home } = await scene();
    writeFileSync(join(home, "a"), "- a list");
    const there = [join(home, "a"), join(home, "missing")].join(delimiter);
    await expect(connectBy(there, clock)).rejects.toThrow(/\/a', which can't be used: it is not a kubeconfig/);
    const missing = [join(home, "x"), join(home, "y")].join(delimiter);
    await expect(connectBy(missing, clock)).rejects.toThrow(/\/x', which can't be used: there is no such file/);
  });
});

describe("a user of a kubeconfig may have", () => {
  test("a client certificate, in the file or in files beside it", async () => {
    const { fake, home, connectAs } = await scene();
    const { cert, key } = fake.certificate("drainer");
    const data = (text: string) => Buffer.from(text).toString("base64");
    await asks(await connectAs({ "client-certificate-data": data(cert), "client-key-data": data(key) }));
    writeFileSync(join(home, "client.crt"), cert);
    writeFileSync(join(home, "client.key"), key);
    await asks(await connectAs({ "client-certificate": "client.crt", "client-key": "client.key" }));
    expect(fake.requests.map(({ client }) => client)).toEqual(["drainer", "drainer"]);
  });

  test("a token, and another user that it acts as", async () => {
    const { fake, connectAs } = await scene();
    const server = await connectAs({ token: TOKEN, as: "drainer" });
    await asks(server);
    expect(fake.requests[0]?.headers).toMatchObject({
      authorization: `Bearer ${TOKEN}`,
      "impersonate-user": "drainer",
    });
    expect(server.name).toBe("production");
  });

  test("a user name and a password", async () => {
    const { fake, connectAs } = await scene();
    fake.intercept = () => ({ status: 200, body: { metadata: { resourceVersion: "1" }, items: [] } });
    await asks(await connectAs({ username: "drainer", password: "password-of-the-drainer" }));
    const basic = Buffer.from("drainer:password-of-the-drainer").toString("base64");
    expect(fake.requests[0]?.headers.authorization).toBe(`Basic ${basic}`);
  });

  test("a token file beside it, which is read again once a minute, and at once after a 401", async () => {
    const { clock, fake, home, connectAs } = await scene();
    writeFileSync(join(home, "token"), `${TOKEN}\n`);
    const server = await connectAs({ tokenFile: "token" });
    await asks(server);
    writeFileSync(join(home, "token"), "second-token");
    await asks(server);
    await clock.advance(MINUTE_MS);
    fake.token = "second-token";
    await asks(server);
    expect(fake.requests.map(({ headers }) => headers.authorization)).toEqual([
      `Bearer ${TOKEN}`,
      `Bearer ${TOKEN}`,
      "Bearer second-token",
    ]);
    writeFileSync(join(home, "token"), "third-token");
    fake.token = "third-token";
    await asks(server);
    expect(fake.requests.slice(3).map(({ headers }) => headers.authorization)).toEqual([
      "Bearer second-token",
      "Bearer third-token",
    ]);
    expect(fake.connections).toBe(1);
  });
});

test("a token file that is away for a while changes nothing while its token is valid", async () => {
  const { clock, fake, home, connectAs } = await scene();
  const token = join(home, "token");
  writeFileSync(token, TOKEN);
  const server = await connectAs({ tokenFile: token });
  writeFileSync(join(home, "config"), "gone");
  await clock.advance(2 * MINUTE_MS);
  await asks(server);
  fake.token = "another";
  expect(await failure(asks(server))).toMatchObject({ reason: "Configuration" });
});

test("two hundred requests that are refused at the same time read the credentials again once", async () => {
  const { clock, fake, home, connectAs } = await scene();
  writeFileSync(join(home, "token"), TOKEN);
  let reads = 0;
  const read = async (path: string) => {
    reads++;
    return readFileSync(path, "utf8");
  };
  const problem = () => "";
  const server = await connectAs({ tokenFile: "token" }, {}, { files: { read, problem } });
  fake.token = "second-token";
  writeFileSync(join(home, "token"), "second-token");
  reads = 0;
  await clock.outside(Promise.all(Array.from({ length: 20 }, () => asks(server))));
  expect(reads).toBe(1);
});

test("a cluster whose authority was replaced is trusted again after the file was", async () => {
  const { clock, fake, home } = await scene();
  const path = join(home, "config");
  const other = new Authority("another authority");
  writeFileSync(path, kubeconfig({ server: fake.url, ca: other.cert }));
  const server = await connectBy(path, clock);
  expect((await failure(asks(server))).message).toMatch(
    /^GET \/api\/v1\/nodes: the certificate of 127\.0\.0\.1:\d+ is not trusted \(/,
  );
  writeFileSync(path, kubeconfig({ server: fake.url, ca: fake.ca }));
  await asks(server);
});

describe("an exec plug-in", () => {
  /** Writes a plug-in that runs `script`, and notes its runs. */
  function plugIn(home: string, script: string) {
    const path = join(home, "plug-in");
    writeFileSync(path, `#!/bin/sh\necho run >> '${home}/runs'\n${script}\n`);
    chmodSync(path, 0o755);
    const runs = () =>
      existsSync(join(home, "runs")) ? readFileSync(join(home, "runs"), "utf8").split("\n").length - 1 : 0;
    return {
      exec: { apiVersion: "client.authentication.k8s.io/v1", command: "./plug-in", interactiveMode: "Never" },
      runs,
    };
  }
  const credential = (token: string, expires?: string) =>
    JSON.stringify({ kind: "ExecCredential", status: { token, ...(expires && { expirationTimestamp: expires }) } });

  test("gives a token, which is kept until it expires or is refused", async () => {
    const { clock, fake, home, connectAs } = await scene();
    const { exec, runs } = plugIn(home, `cat '${home}/credential'`);
    writeFileSync(join(home, "credential"), credential(TOKEN, "2999-01-01T00:00:00Z"));
    const server = await connectAs({ exec });
    await asks(server);
    await clock.advance(10 * MINUTE_MS);
    await asks(server);
    expect(runs()).toBe(1);
    writeFileSync(join(home, "credential"), credential("second-token", "2999-01-01T00:00:00Z"));
    fake.token = "second-token";
    await clock.outside(asks(server));
    expect(runs()).toBe(2);
  });

  test("that states no expiry is run once a minute at most, however many requests there are", async () => {
    const { clock, home, connectAs } = await scene();
    const { exec, runs } = plugIn(home, `echo '${credential(TOKEN)}'`);
    const server = await connectAs({ exec });
    for (let at = 0; at < 20; at++) await asks(server);
    expect(runs()).toBe(1);
    await clock.advance(MINUTE_MS);
    for (let at = 0; at < 20; at++) await clock.outside(asks(server));
    expect(runs()).toBe(2);
  });

  test("gives a client certificate", async () => {
    const { fake, home, connectAs } = await scene();
    const { cert, key } = fake.certificate("from-a-plug-in");
    const status = { clientCertificateData: cert, clientKeyData: key, expirationTimestamp: "2999-01-01T00:00:00Z" };
    writeFileSync(join(home, "credential"), JSON.stringify({ kind: "ExecCredential", status }));
    await asks(await connectAs({ exec: plugIn(home, `cat '${home}/credential'`).exec }));
    expect(fake.requests[0]?.client).toBe("from-a-plug-in");
  });

  test("gets its variables and arguments, and learns of the cluster when it asks for it", async () => {
    const { fake, home, connectAs } = await scene();
    const { exec } = plugIn(
      home,
      `echo "$CLUSTER $1 $KUBERNETES_EXEC_INFO" > '${home}/asked'; echo '${credential(TOKEN)}'`,
    );
    const more = { args: ["get-token"], env: [{ name: "CLUSTER", value: "production" }], provideClusterInfo: true };
    await connectAs({ exec: { ...exec, ...more } });
    const [cluster, argument, ...info] = readFileSync(join(home, "asked"), "utf8").trim().split(" ");
    expect([cluster, argument]).toEqual(["production", "get-token"]);
    expect(JSON.parse(info.join(" "))).toMatchObject({
      apiVersion: "client.authentication.k8s.io/v1",
      kind: "ExecCredential",
      spec: { interactive: false, cluster: { server: fake.url } },
    });
  });

  test.each<[string, string, string]>([
    ["fails", "echo 'no session: log in' >&2; exit 3", "failed: no session: log in. Run it by hand"],
    ["fails without a word", "exit 3", "failed: it failed and said nothing. Run it by hand"],
    [
      "prints something else",
      "echo 'secret-in-garbage'",
      "failed: it printed no ExecCredential with a token or a client certificate. Run it by hand",
    ],
    [
      "prints no status",
      "echo '{}'",
      "failed: it printed no ExecCredential with a token or a client certificate. Run it by hand",
    ],
    [
      "prints nothing",
      "true",
      "failed: it printed no ExecCredential with a token or a client certificate. Run it by hand",
    ],
    [
      "prints a status without credentials",
      "echo '{\"status\":{}}'",
      "failed: it printed no ExecCredential with a token or a client certificate. Run it by hand",
    ],
    ["does not end", "sleep 60", "failed: it had not ended after 1 s. Run it by hand"],
  ])("that %s is named, without what it printed", async (_, script, problem) => {
    const { home, connectAs } = await scene();
    const { exec } = plugIn(home, script);
    const error = await failure(connectAs({ exec }, {}, { execTimeoutMs: 1_000 }));
    expect(error).toMatchObject({ status: 0, reason: "Credentials" });
    expect(error.message).toBe(`the exec plug-in '${join(home, "plug-in")}' of KUBERNETES ${problem}`);
  });

  test("that is not installed is named, with the hint of the kubeconfig", async () => {
    const { connectAs } = await scene();
    const exec = {
      apiVersion: "client.authentication.k8s.io/v1",
      command: "no-such-plug-in",
      installHint: "Install it.",
    };
    expect((await failure(connectAs({ exec }))).message).toBe(
      "the exec plug-in 'no-such-plug-in' of KUBERNETES can't be started (ENOENT): install it, or give its absolute path (Install it.)",
    );
  });
});

describe("a configuration that can't be used is named, with what to do:", () => {
  const CONTEXTS = [{ name: "production", context: { cluster: "production", user: "us" } }];
  const CLUSTERS = [{ name: "production", cluster: { server: "https://127.0.0.1:1" } }];
  const USERS = [{ name: "us", user: { token: "secret-of-a-file" } }];
  const whole = { "current-context": "production", contexts: CONTEXTS, clusters: CLUSTERS, users: USERS };
  const server = (address: unknown, more: object = {}) => ({
    ...whole,
    clusters: [{ name: "production", cluster: { server: address, ...more } }],
  });
  const user = (given: object) => ({ ...whole, users: [{ name: "us", user: given }] });
  const pem = Buffer.from(new Authority().cert).toString("base64");

  test.each<[string, string | object, string]>([
    [
      "malformed YAML",
      "users:\n  - token: secret-of-a-file\n -",
      "which can't be used: it is not valid YAML in line 3",
    ],
    ["an empty file", "", "which can't be used: it is not a kubeconfig"],
    ["a text", "just a text", "which can't be used: it is not a kubeconfig"],
    ["a list", "- a\n- b", "which can't be used: it is not a kubeconfig"],
    ["no contexts", {}, "which has no current-context: set it, or give KUBERNETES_CONTEXT. It has no contexts"],
    [
      "no current context",
      { ...whole, "current-context": "" },
      "which has no current-context: set it, or give KUBERNETES_CONTEXT. It has: production",
    ],
    [
      "a current context that it does not have",
      { ...whole, "current-context": "staging" },
      "whose current-context is 'staging', which the file does not have. It has: production",
    ],
    [
      "a cluster that it does not have",
      { ...whole, clusters: [] },
      "whose context 'production' names the cluster 'production', which the file does not have",
    ],
    [
      "a user that it does not have",
      { ...whole, users: [] },
      "whose context 'production' names the user 'us', which the file does not have",
    ],
    [
      "a cluster without a server",
      server(""),
      "which is not a valid kubeconfig: clusters[0].cluster.server is missing: add it",
    ],
    ["a server that is a number", server(7), "which is not a valid kubeconfig: an entry has another shape"],
    [
      "null in place of a user",
      { ...whole, users: [null] },
      "which is not a valid kubeconfig: an entry has another shape",
    ],
  ])("%s", async (_, content, problem) => {
    const path = join(folder(), "config");
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
    const error = await failure(connectBy(path, new SystemClock()));
    expect(error).toMatchObject({ status: 0, reason: "Configuration" });
    expect(error.message).toBe(`KUBERNETES is '${path}', ${problem}`);
    expect(error.message).not.toContain("secret-of-a-file");
  });

  test.each<[string, object, string, string]>([
    [
      "a server that is no address",
      server("10.0.0.1:6443"),
      "Configuration",
      "KUBERNETES names the server '10.0.0.1:6443': give an address such as https://10.0.0.1:6443",
    ],
    [
      "a server without TLS",
      server("http://10.0.0.1:8080"),
      "Configuration",
      "KUBERNETES names the server 'http://10.0.0.1:8080', which is not https: tokens would be sent in the clear",
    ],
    [
      "an exec plug-in without a command",
      user({ exec: {} }),
      "Configuration",
      "KUBERNETES names an exec plug-in without a command: give 'command'",
    ],
    [
      "an authority that is no certificate",
      server("https://127.0.0.1:1", { "certificate-authority-data": "aGVsbG8=" }),
      "Credentials",
      "the certificate authority of KUBERNETES is no PEM certificate",
    ],
    [
      "an authority file that does not exist",
      server("https://127.0.0.1:1", { "certificate-authority": "/none/ca.crt" }),
      "Credentials",
      "KUBERNETES names the file '/none/ca.crt', which can't be used: there is no such file (ENOENT)",
    ],
    [
      "a token file that does not exist",
      user({ tokenFile: "/none/token" }),
      "Credentials",
      "KUBERNETES names the file '/none/token', which can't be used: there is no such file (ENOENT)",
    ],
    [
      "a client certificate without its key",
      user({ "client-certificate-data": pem }),
      "Credentials",
      "KUBERNETES gives a client certificate without its key: give both",
    ],
    [
      "a client key that is none",
      user({ "client-certificate-data": pem, "client-key-data": "aGVsbG8=" }),
      "Credentials",
      "the client key of KUBERNETES is no PEM private key",
    ],
    [
      "a key of another certificate",
      user({
        "client-certificate-data": pem,
        "client-key-data": Buffer.from(new Authority().sign("other").key).toString("base64"),
      }),
      "Credentials",
      "the client key of KUBERNETES is not the key of its client certificate",
    ],
    [
      "a token that a header can't carry",
      user({ token: "a\u0001b" }),
      "Credentials",
      "GET /api/v1/nodes: the token has characters that a header can't carry: check the token file",
    ],
  ])("%s", async (_, content, reason, message) => {
    const path = join(folder(), "config");
    writeFileSync(path, JSON.stringify(content));
    const error = await failure(connectBy(path, new SystemClock()).then(asks));
    expect(error).toMatchObject({ status: 0, reason, message });
  });

  test("a file that does not exist, and a context that is not in it", async () => {
    expect((await failure(connectBy("/none/config", new SystemClock()))).message).toBe(
      "KUBERNETES is '/none/config', which can't be used: there is no such file (ENOENT)",
    );
    const path = join(folder(), "config");
    writeFileSync(path, JSON.stringify(whole));
    const wrong = connectBy(path, new SystemClock(), { source: { kind: "kubeconfig", path, context: "staging" } });
    expect((await failure(wrong)).message).toMatch(
      /, and KUBERNETES_CONTEXT is 'staging', which the file does not have\. It has: production$/,
    );
  });

  test("in-cluster outside of a pod", async () => {
    const wrong = connectBy("", new SystemClock(), { source: { kind: "in-cluster" } });
    expect((await failure(wrong)).message).toBe(
      "KUBERNETES is 'in-cluster', but KUBERNETES_SERVICE_HOST is not set: run this program in a pod, or give the path of a kubeconfig",
    );
  });
});

test("a service account's token and authority are read from its folder, and its token again when it rotates", async () => {
  const { clock, fake, home } = await scene();
  writeFileSync(join(home, "ca.crt"), fake.ca);
  writeFileSync(join(home, "token"), TOKEN);
  const { hostname, port } = new URL(fake.url);
  const server = await connectBy("", clock, {
    source: { kind: "in-cluster", folder: home },
    environment: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port },
  });
  expect(server.name).toBe("in-cluster");
  await asks(server);
  writeFileSync(join(home, "token"), "second-token");
  fake.token = "second-token";
  await asks(server);
});

test("a server's path stands before the API's, as behind a proxy for many clusters", async () => {
  const { clock, fake, home } = await scene();
  writeFileSync(join(home, "config"), kubeconfig({ server: `${fake.url}/k8s/clusters/c-1/`, ca: fake.ca }));
  await failure(asks(await connectBy(join(home, "config"), clock)));
  expect(fake.requests[0]?.path).toBe(`/k8s/clusters/c-1${NODES}`);
});

describe("a proxy on the way to the API server", () => {
  /** A proxy that connects, and notes to where. */
  async function proxy() {
    const asked: string[] = [];
    const sockets = new Set<Socket>();
    const server = createServer().on("connect", (request: IncomingMessage, socket: Socket) => {
      asked.push(request.url ?? "");
      const [host = "", port = ""] = (request.url ?? "").split(":");
      const onwards = connectTcp(Number(port), host, () => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
      for (const one of [socket, onwards]) sockets.add(one.on("error", () => {}));
      onwards.pipe(socket).pipe(onwards);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return { asked, url: `http://127.0.0.1:${(server.address() as { readonly port: number }).port}` };
  }

  test("may be the kubeconfig's, or the environment's; the kubeconfig's wins", async () => {
    const { fake, connectAs } = await scene();
    const [own, other] = [await proxy(), await proxy()];
    const { host } = new URL(fake.url);
    await asks(await connectAs({ token: TOKEN }, { "proxy-url": own.url }, { proxyFor: () => other.url }));
    expect([own.asked, other.asked]).toEqual([[host], []]);
    const server = await connectAs({ token: TOKEN }, {}, { proxyFor: () => other.url });
    await asks(server);
    await asks(server);
    expect([own.asked, other.asked]).toEqual([[host], [host]]);
  });
});

test("no error has the token, wherever it comes from", async () => {
  const { clock, fake } = await scene();
  const server = await clientOf(fake, clock);
  fake.intercept = () => ({ status: 200, body: `garbage ${TOKEN}` });
  const error = await failure(asks(server));
  expect(`${error.stack} ${JSON.stringify(error)} ${error.cause}`).not.toContain(TOKEN);
});
