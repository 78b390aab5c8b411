import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as requestHttps } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { account, ID } from "../support/account.ts";
import { kubeconfig } from "../support/api-client.ts";
import { Authority, type Certificate } from "../support/certificates.ts";
import { runCli } from "../support/child-process.ts";
import { FakeApiServer } from "../support/fake-api-server.ts";
import { stateDir } from "../support/ledger-entries.ts";
import { request, sendRaw } from "../support/raw-http.ts";
import { serveHere } from "../support/run-here.ts";
import { RANDOM_SECRET } from "../support/secret-search.ts";

const SECRET = RANDOM_SECRET;
const bearer = { authorization: `Bearer ${SECRET}` };

/** The service with HTTPS, and files that its callers may name. */
async function service({ wantsClients = false, hasReplica = false } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "tls-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = async (name: string, text: string) => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  const identityFiles = async (name: string, { cert, key }: Certificate) => ({
    TLS_CERT_FILE: await file(`${name}.crt`, cert),
    TLS_KEY_FILE: await file(`${name}.key`, key),
  });
  const authority = new Authority();
  const clients = new Authority("the clients' authority");
  const caFile = await file("ca.crt", authority.cert);
  const { env, clock } = await account();
  const renew = () => identityFiles("server", authority.sign("server"));
  const options = {
    ...{ ...env, SECRET, ...(await renew()) },
    ...(wantsClients ? { TLS_CLIENT_CA_FILE: await file("clients.crt", clients.cert) } : {}),
  };
  const fake = hasReplica ? await FakeApiServer.start(clock) : undefined;
  const config = fake && (await file("config", kubeconfig({ server: fake.url, ca: fake.ca })));
  const ofPod = async (name: string) => ({
    ...{ KUBERNETES: config, NODE_TRIGGERS: "none", LEASE: "hasta-la-vista", STATE_DIR: await stateDir() },
    ...{ POD_NAME: name, POD_NAMESPACE: "kube-system", POD_IP: "127.0.0.1", NODE_NAME: "elsewhere" },
  });
  const { child, url } = await serveHere({ ...options, ...(hasReplica && (await ofPod("pod-1"))) });
  if (hasReplica) await child.line(/"access check passed"/);
  const replica = hasReplica ? await serveHere({ ...options, ...(await ofPod("pod-2")) }) : undefined;
  return { child, url, port: Number(new URL(url).port), authority, clients, caFile, identityFiles, renew, replica };
}

/** The status, or the code of what went wrong. */
function ask(
  url: string,
  options: { readonly ca: string; readonly headers?: object; readonly method?: string } & Partial<Certificate>,
): Promise<number | string> {
  return new Promise((resolve) => {
    requestHttps(url, { ...options, headers: { ...options.headers }, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    })
      .once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      .end();
  });
}

describe("the service with TLS", () => {
  test("serves HTTPS to those who know its authority, and not to others", async () => {
    const { url, authority } = await service();
    expect(await ask(`${url}/health`, { ca: authority.cert })).toBe(200);
    expect(await ask(`${url}/nodes/${ID}`, { ca: authority.cert, headers: bearer })).toBe(200);
    expect(await ask(`${url}/health`, { ca: new Authority("another").cert })).toBe("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
  });

  test("drains for the command line, which takes the authority from NODE_EXTRA_CA_CERTS, and says so", async () => {
    const { url, caFile } = await service();
    const unknown = await runCli(["drain", ID, "--server", url], { SECRET });
    expect(unknown.stderr).toMatch(
      /not from a known authority \(.*\): name the file of its authority in NODE_EXTRA_CA_CERTS\n$/,
    );
    expect(unknown.code).toBe(1);
    const known = await runCli(["drain", ID, "--server", url], { SECRET, NODE_EXTRA_CA_CERTS: caFile });
    expect(known.stdout).toMatch(/is drained/);
    expect(known.code).toBe(0);
  });

  test("says nothing to what is no TLS, and goes on", async () => {
    const { child, url, port, authority } = await service();
    const plain = await sendRaw(port, request("GET /health"));
    expect(await plain.closed).toMatchObject({ text: "" });
    const socket = connect(port, "127.0.0.1");
    await new Promise<void>((resolve) => socket.write("\u0016\u0003\u0001", () => resolve()));
    socket.destroy();
    expect(await ask(`${url}/health`, { ca: authority.cert })).toBe(200);
    child.signal("SIGTERM");
    expect(await child.finished).toMatchObject({ code: 0, stderr: "" });
  });
});

describe("the service that wants clients' certificates", () => {
  test("takes the secret only together with one by the authority that it trusts", async () => {
    const { url, authority, clients } = await service({ wantsClients: true });
    const node = `${url}/nodes/${ID}`;
    const good = clients.sign("a caller");
    const { cert: ca } = authority;
    expect(await ask(node, { ca, headers: bearer, ...good })).toBe(200);
    expect(await ask(node, { ca, headers: bearer })).toBe(403);
    expect(await ask(node, { ca, headers: bearer, ...authority.sign("by the server's authority") })).toBe(403);
    expect(await ask(node, { ca, headers: bearer, ...new Authority("the clients' authority").sign("forged") })).toBe(
      403,
    );
    expect(await ask(node, { ca, ...good })).toBe(401);
    expect(await ask(node, { ca, headers: { authorization: "Bearer wrong" }, ...good })).toBe(403);
  });

  test("answers health checks and Prometheus without one", async () => {
    const { url, authority } = await service({ wantsClients: true });
    const open = ["/health", "/metrics", "/openapi.json"].map((path) => ask(`${url}${path}`, { ca: authority.cert }));
    expect(await Promise.all(open)).toEqual([200, 200, 200]);
  });

  test("answers such callers at each replica, also after the certificate was renewed", async () => {
    const { child, authority, clients, renew, replica } = await service({ wantsClients: true, hasReplica: true });
    await replica?.child.line(/"standing by"/);
    const node = `${replica?.url}/nodes/${ID}`;
    const caller = { ca: authority.cert, headers: bearer };
    expect(await ask(node, { ...caller, ...clients.sign("a caller") })).toBe(200);
    expect(await ask(node, caller)).toBe(403);
    await renew();
    for (const each of [child, replica?.child]) await each?.line(/"certificates reloaded"/);
    expect(await ask(node, { ...caller, ...clients.sign("a caller") })).toBe(200);
    expect(await ask(node, { ...caller, headers: {}, ...clients.sign("a caller") })).toBe(401);
  });

  test("serves the command line that has one, and tells one that has none what is missing", async () => {
    const { url, caFile, clients, identityFiles } = await service({ wantsClients: true });
    const env = { SECRET, NODE_EXTRA_CA_CERTS: caFile };
    const without = await runCli(["status", ID, "--server", url], env);
    expect(without).toMatchObject({
      code: 2,
      stderr:
        "hasta-la-vista: the service answered 403: no valid client certificate was presented: use one that an authority in TLS_CLIENT_CA_FILE has issued\n",
    });
    const files = await identityFiles("client", clients.sign("a caller"));
    expect(await runCli(["status", ID, "--server", url], { ...env, ...files })).toMatchObject({ code: 0, stderr: "" });
    const flags = ["--tls-cert-file", files.TLS_CERT_FILE, "--tls-key-file", files.TLS_KEY_FILE];
    expect(await runCli(["status", ID, "--server", url, ...flags], env)).toMatchObject({ code: 0, stderr: "" });
  });
});

test("--no-query-secret and QUERY_SECRET=false keep the secret out of queries", async () => {
  const { env } = await account();
  for (const [given, args] of [
    [{ QUERY_SECRET: "false" }, []],
    [{}, ["--no-query-secret"]],
    [{ QUERY_SECRET: "true" }, ["--no-query-secret"]],
  ] as const) {
    const { url } = await serveHere({ ...env, SECRET, ...given }, args);
    expect((await fetch(`${url}/nodes/${ID}?pw=${encodeURIComponent(SECRET)}`)).status).toBe(401);
    expect((await fetch(`${url}/nodes/${ID}`, { headers: bearer })).status).toBe(200);
  }
  const { url } = await serveHere({ ...env, SECRET });
  expect((await fetch(`${url}/nodes/${ID}?pw=${encodeURIComponent(SECRET)}`)).status).toBe(200);
});
