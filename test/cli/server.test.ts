import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Call } from "../../src/cli/call.ts";
import { remoteFrom } from "../../src/cli/remote-from.ts";
import { RemoteService } from "../../src/cli/remote-service.ts";
import { newAbort } from "../../src/drain/abort.ts";
import { DrainError } from "../../src/drain/errors.ts";
import type { DrainOutcome } from "../../src/drain/outcome.ts";
import type { DrainPlan } from "../../src/drain/plan.ts";
import { Child } from "../support/child-process.ts";
import { other, service } from "../support/remote-scene.ts";
import { runHere } from "../support/run-here.ts";
import { serviceAccountToken } from "../support/service-account-token.ts";
import { never } from "../support/simulated-region.ts";
import { ID, NODE, SECRET, type WebAppOptions } from "../support/web-app.ts";

const POOL = {
  kind: "nlb",
  id: "tg/tcp",
  name: "tcp",
  loadBalancer: "tcp-lb",
} as const;
const REGISTRATION = {
  pool: POOL,
  target: `${ID}:80`,
  state: "draining",
  detail: "draining",
  isHealthy: false,
} as const;
const FATE = {
  registration: REGISTRATION,
  state: "holding",
  heldMs: 20_000,
  holdMs: 210_000,
  newTrafficStopped: false,
  cameBack: 0,
} as const;
const PLAN: DrainPlan = {
  node: NODE,
  registrations: [
    {
      registration: REGISTRATION,
      action: "hold",
      isWritable: true,
      waitMs: 0,
      holdMs: 210_000,
      shortByMs: 0,
      unsaved: [],
    },
  ],
  asOf: 0,
  elsewhere: [],
  longestHoldMs: 210_000,
  limit: { reason: "timeout", at: 0 },
  warnings: [],
};

const failed = (error: DrainError): DrainOutcome => ({ status: "failed", error, registrations: [] });

describe("drain --server", () => {
  test("drains through the service, without credentials here, and prints what is printed without it", async () => {
    const { run, requests } = await service();
    const none = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_REGION: undefined };
    const { code, stdout, stderr } = await run(["drain", "10.0.1.5", "--timeout", "90", "--reason", "spot"], none);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(
      new RegExp(`^${ID} is drained: 0 registrations deregistered and held, in \\d+ s. It can be terminated.\n$`),
    );
    expect(requests).toMatchObject([
      { node: { by: "ip", value: "10.0.1.5" }, dryRun: false, isVoluntary: true, timeoutMs: 90_000, reason: "spot" },
    ]);
  });

  test("tells the service when the machine may be gone, which nobody can say no to", async () => {
    const { run, requests, clock } = await service();
    const { code } = await run(["drain", ID, "--deadline", "120"]);
    expect(code).toBe(0);
    expect(requests).toMatchObject([{ deadline: clock.now() + 120_000, isVoluntary: false }]);
  });

  test("has the pods evicted as strictly as without a service, by each of the flags", async () => {
    const { run, requests } = await service();
    await run(["drain", ID, "--evict"]);
    await run(["drain", ID, "--evict", "--delete-emptydir-data", "--evict-unmanaged", "--disable-eviction"]);
    await run(["drain", ID, "--evict", "--grace-period", "5", "--pod-selector", "app=web"]);
    await run(["drain", ID]);
    expect(requests.map(({ evict }) => evict)).toEqual([
      {},
      { deletesEmptyDirData: true, evictsUnmanaged: true, disablesEviction: true },
      { gracePeriodSeconds: 5, podSelector: "app=web" },
      undefined,
    ]);
  });

  test("takes no flag of an eviction without one", async () => {
    const { run, requests } = await service();
    const { code, stderr } = await run(["drain", ID, "--grace-period", "5"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/--grace-period requires --evict: give both, or leave it out/);
    expect(requests).toEqual([]);
  });

  test("prints the service's JSON with --json", async () => {
    const { run } = await service();
    const { code, stdout, stderr } = await run(["drain", ID, "--json"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(JSON.parse(stdout)).toMatchObject({ status: "drained", drainId: "d-1", node: { id: ID } });
  });

  const ended = { drainId: "d-1", node: NODE };
  test.each<[string, DrainOutcome, number, RegExp]>([
    ["terminated", { status: "instance-gone", message: "it is terminated" }, 0, /it is terminated/],
    [
      "out of time",
      {
        ...ended,
        status: "deadline-passed",
        limit: { reason: "timeout", at: 0 },
        searched: true,
        registrations: [FATE],
      },
      1,
      /Not drained: the timeout came before the end of 1 registration\.\n {2}holding {5}nlb tcp-lb \/ tcp \S+, 20 s of 210 s/,
    ],
    ["abandoned", { ...ended, status: "abandoned", registrations: [FATE] }, 1, /stay deregistered:\n {2}holding/],
    ["not found", failed(new DrainError("node-not-found", "there is none")), 1, /there is none/],
    ["of another cluster", failed(new DrainError("other-cluster", "another")), 3, /another/],
    ["ambiguous", failed(new DrainError("ambiguous-node", "several")), 3, /several/],
    ["denied by AWS", failed(new DrainError("access-denied", "denied")), 1, /denied/],
    ["without the service's credentials", failed(new DrainError("no-credentials", "none")), 2, /none/],
  ])("ends with the code that it has without a service: %s", async (_, outcome, expected, text) => {
    const { run } = await service({ outcome });
    const { code, stdout } = await run(["drain", ID]);
    expect(stdout).toMatch(text);
    expect(code).toBe(expected);
  });

  test("with --no-wait is done when the drain has begun, with --wait not until it has ended", async () => {
    const begun: WebAppOptions = { answer: ({ accepted }) => accepted({ id: "d-1", node: NODE }) };
    const content = await (await service(begun)).run(["drain", ID, "--no-wait"]);
    expect(content).toEqual({
      code: 0,
      stdout: `The drain d-1 has begun and continues in the service. Run 'status ${ID}' to see its progress.\n`,
      stderr: "",
    });
    const waiting = await (await service(begun)).run(["drain", ID, "--wait", "0", "--json"]);
    expect(waiting.code).toBe(1);
    expect(JSON.parse(waiting.stdout)).toMatchObject({ status: "accepted", drainId: "d-1" });
  });

  test("says at Ctrl-C that the drain goes on", async () => {
    let asked = () => {};
    const begun = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const { url } = await service({ answer: () => asked() });
    const child = new Child("cli", ["drain", ID, "--server", url], { SECRET });
    await begun;
    child.signal("SIGINT");
    expect(await child.finished).toEqual({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(
        new RegExp(
          `^hasta-la-vista: stopped waiting: the drain of ${ID} continues in the service\\. See it: hasta-la-vista status ${ID} --server http://127\\.0\\.0\\.1:\\d+\\. Cancel it: hasta-la-vista uncordon ${ID} --server http`,
        ),
      ),
    });
  });

  test("drains several nodes beside each other, prints each as it ends, and is done only when all are", async () => {
    const outcomes: readonly DrainOutcome[] = [
      { status: "nothing-registered", drainId: "d-1", node: NODE, elsewhere: [] },
      failed(new DrainError("node-not-found", "there is none")),
    ];
    const answer: WebAppOptions["answer"] = ({ request, settle }) =>
      settle(request.node.value === ID ? (outcomes[0] as DrainOutcome) : (outcomes[1] as DrainOutcome));
    const { run, requests } = await service({ answer });
    const { code, stdout, stderr } = await run(["drain", ID, "10.0.1.5"]);
    expect(code).toBe(1);
    expect(requests.map(({ node }) => node.value).sort()).toEqual(["10.0.1.5", ID].sort());
    expect(stdout).toMatch(
      new RegExp(`^No load balancer that was searched lists ${ID}: it can be terminated\\.$`, "m"),
    );
    expect(stdout + stderr).toMatch(/there is none/);
    const json = await run(["drain", ID, "10.0.1.5", "--json"]);
    expect(JSON.parse(json.stdout)).toMatchObject({
      drains: [{ status: "nothing-registered" }, { outcome: { status: "failed" } }],
    });
    expect((await run(["drain", ID, `node/${ID}`])).code).toBe(0);
  });

  test("takes the secret from a file", async () => {
    const folder = await mkdtemp(join(tmpdir(), "secret-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, "secret"), `${SECRET}\n`);
    const { run } = await service();
    const env = { SECRET: undefined };
    expect((await run(["drain", ID], { ...env, SECRET_FILE: join(folder, "secret") })).code).toBe(0);
    expect((await run(["drain", ID, "--secret-file", join(folder, "secret")], env)).code).toBe(0);
  });
});

describe("plan --server", () => {
  test("shows the plan that the service makes", async () => {
    const { run, requests, clock } = await service({
      outcome: { status: "planned", drainId: "d-1", node: NODE, plan: PLAN },
    });
    const { code, stdout } = await run(["plan", ID, "--deadline", "120"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^nlb +tcp-lb \/ tcp +\S+:80 +draining +hold \(already draining\) +210 s +fits$/m);
    expect(requests).toMatchObject([{ dryRun: true, deadline: clock.now() + 120_000 }]);
    expect(JSON.parse((await run(["plan", ID, "--json"])).stdout)).toMatchObject({ longestHoldSeconds: 210 });
  });
});

describe("status --server", () => {
  test("shows where the node is registered, the drain that runs for it, and why", async () => {
    const drain = {
      drainId: "d-1",
      startedAt: 0,
      reasons: ["spot", "red\u001b[31m"],
      limit: { reason: "timeout", at: 270_000 },
      registrations: [FATE],
    } as const;
    const { run } = await service({
      status: async () => ({ node: NODE, asOf: 0, registrations: [REGISTRATION], elsewhere: [], drain }),
    });
    const { code, stdout } = await run(["status", "10.0.1.5"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^nlb +tcp-lb \/ tcp +\S+:80 +draining$/m);
    expect(stdout).toContain(
      "Drain d-1 has been running since 1970-01-01T00:00:00Z, because: spot, because: red?[31m; it ends at 1970-01-01T00:04:30Z at the latest.\n  holding     nlb tcp-lb / tcp",
    );
    expect(JSON.parse((await run(["status", ID, "--json"])).stdout)).toMatchObject({ drain: { drainId: "d-1" } });
  });

  test("says when no drain runs, and what is wrong", async () => {
    const { run } = await service();
    expect((await run(["status", ID])).stdout).toBe(
      `${ID}  n  vpc-1\n\nNo load balancer lists ${ID} now.\n\nRead from AWS at 1970-01-01T00:00:00Z.\n\nNo drain runs for it.\n`,
    );
    const lost = await service({
      status: async () => {
        throw new DrainError("node-not-found", "there is none");
      },
    });
    const { code, stderr } = await lost.run(["status", ID]);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: "hasta-la-vista: the service answered 404: there is none (node-not-found)\n",
    });
  });
});

describe("bad input gets a clear answer in one line:", () => {
  test.each<[string, readonly string[], RegExp]>([
    ["an address that is none", ["drain", ID, "--server", "localhost"], /: give the URL of the service, such as http/],
    ["another protocol", ["drain", ID, "--server", "ftp://x"], /: give the URL of the service, such as http/],
    ["a secret in the address", ["drain", ID, "--server", "http://x/drain?pw=y"], /the secret comes from SECRET/],
    [
      "options of the service",
      ["plan", ID, "--server", "http://x", "--region", "eu-west-1"],
      /--region has no effect with --server/,
    ],
    ["a wait without a service", ["drain", ID, "--wait", "5"], /--wait requires --server/],
    ["no wait without a service", ["drain", ID, "--no-wait"], /--no-wait requires --server/],
    ["a reason without a service", ["drain", ID, "--reason", "x"], /--reason requires --server/],
    [
      "a reason that is too long",
      ["drain", ID, "--server", "http://x", "--reason", "x".repeat(201)],
      /--reason has 201 characters: give at most 200/,
    ],
    [
      "a wait that is no number",
      ["drain", ID, "--server", "http://x", "--wait", "soon"],
      /--wait is '.*': give seconds from 0 to 86400/,
    ],
  ])("%s", async (_, args, message) => {
    const { code, stderr } = await runHere(args, { SECRET });
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  test("no secret, or two", async () => {
    const none = await runHere(["drain", ID, "--server", "http://x"]);
    expect(none.stderr).toMatch(/^hasta-la-vista: SECRET is not set/);
    const two = await runHere(["drain", ID, "--server", "http://x"], { SECRET, SECRET_FILE: "/x" });
    const file = await runHere(["drain", ID, "--server", "http://x", "--token-file", "/x"], { SECRET });
    expect(file.stderr).toMatch(/^hasta-la-vista: SECRET and --token-file are both set: set only one/);
    expect([none.code, two.code, file.code]).toEqual([2, 2, 2]);
  });
});

describe("a server that does not answer as it should is named, and the secret never is:", () => {
  test("a wrong secret", async () => {
    const { run } = await service();
    const { code, stdout, stderr } = await run(["drain", ID], { SECRET: "another-secret" });
    expect(stderr).toBe("hasta-la-vista: the service answered 403: the secret is wrong\n");
    expect(code).toBe(2);
    expect(stdout + stderr).not.toContain("another-secret");
  });

  test("nobody there", async () => {
    const server = createTcpServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const { code, stderr } = await runHere(["drain", ID, "--server", `http://127.0.0.1:${port}`], { SECRET });
    expect(stderr).toMatch(
      new RegExp(`^hasta-la-vista: could not reach the service at http://127.0.0.1:${port}/: .*ECONNREFUSED.*\n$`),
    );
    expect(code).toBe(1);
  });

  test("a server without TLS at an https:// address is named as such, without a word of OpenSSL's", async () => {
    const { url } = await service();
    const server = url.replace("http:", "https:");
    const { code, stderr } = await runHere(["drain", ID, "--server", server], { SECRET });
    expect(stderr).toBe(
      `hasta-la-vista: could not reach the service at ${server}/: it does not answer as a TLS server: check https:// in --server (${/\((\w+)\)/.exec(stderr)?.[1]})\n`,
    );
    expect(code).toBe(1);
  });

  test.each<[string, RequestListener, number, RegExp]>([
    [
      "a redirect",
      (_, response) => response.writeHead(302, { location: "/login" }).end(),
      2,
      /answered 302, a redirect: give the URL of the service itself/,
    ],
    [
      "a page",
      (_, response) => response.end("<html>"),
      2,
      /answered 200, which is not an answer of hasta-la-vista: check --server/,
    ],
    ["other JSON", (_, response) => response.end('{"status":"green"}'), 2, /not one of hasta-la-vista: check --server/],
    [
      "a gateway that has given up",
      (_, response) => response.writeHead(504).end("<html>"),
      1,
      /a proxy before http:\S+ answered 504: the drain may continue/,
    ],
    [
      "a connection that breaks",
      (_, response) => response.socket?.destroy(),
      1,
      /could not reach the service at http:\S+: the connection was closed before the answer \(ECONNRESET\)/,
    ],
  ])("%s", async (_, answer, expected, message) => {
    const url = await other(answer);
    const { code, stdout, stderr } = await runHere(["drain", ID, "--server", url], { SECRET });
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(code).toBe(expected);
    expect(stdout + stderr).not.toContain(SECRET);
  });
});

describe("a token from a file", () => {
  const [first, second] = [serviceAccountToken({ number: 1 }), serviceAccountToken({ number: 2 })];

  async function scene(content: string) {
    const folder = await mkdtemp(join(tmpdir(), "token-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, "token");
    await writeFile(file, content);
    const sent: unknown[] = [];
    const url = await other(({ headers }, response) => {
      sent.push(headers.authorization);
      response.writeHead(503).end('{"detail":"not now"}');
    });
    return { file, url, sent };
  }

  test("is sent in place of the secret", async () => {
    const { file, url, sent } = await scene(`${first}\n`);
    const { code, stderr } = await runHere(["status", ID, "--server", url], { TOKEN_FILE: file });
    expect(stderr).toBe("hasta-la-vista: the service answered 503: not now\n");
    expect(code).toBe(1);
    expect(sent).toEqual([`Bearer ${first}`]);
  });

  test("is read again before each request, as the kubelet replaces it, and kept while it can't be read", async () => {
    const { file, url, sent } = await scene(first);
    const command = { opts: () => ({}) };
    const call = { environment: { TOKEN_FILE: file }, command } as unknown as Call;
    const { service } = await remoteFrom(call, "status", new URL(url));
    const ask = () => service.ask("GET", "/", undefined, never);
    await ask();
    await writeFile(file, second);
    await ask();
    // As a pipe, which can be read only once.
    await writeFile(file, "");
    await ask();
    await rm(file);
    await ask();
    expect(sent).toEqual([first, second, second, second].map((token) => `Bearer ${token}`));
  });

  test.each([
    ["nothing", " \n", "it is empty"],
    [
      "more than a token",
      "apiVersion: v1\nkind: Config\n",
      "it is not a token: give a file that contains the token alone",
    ],
  ])("that has %s is refused at once", async (_, content, why) => {
    const { file, url, sent } = await scene(content);
    const { code, stderr } = await runHere(["status", ID, "--server", url, "--token-file", file]);
    expect(stderr).toBe(`hasta-la-vista: --token-file is '${file}', which can't be used: ${why}\n`);
    expect([code, sent]).toEqual([2, []]);
  });
});

describe("a service's answer", () => {
  test("is waited for however long it takes: only connecting has a time limit", async () => {
    const url = await other((_, response) => setTimeout(() => response.end("{}"), 300));
    const remote = new RemoteService({ url: new URL(url), secret: async () => SECRET, connectTimeoutMs: 50 });
    expect(await remote.ask("GET", "/", undefined, never)).toEqual({ status: 200, body: {} });
  });

  test("is asked for with the secret as UTF-8, below the address's path", async () => {
    const seen: unknown[] = [];
    const url = await other(({ url: path, headers }, response) => {
      seen.push(path, Buffer.from(headers.authorization ?? "", "latin1").toString("utf8"));
      response.end("{}");
    });
    const remote = new RemoteService({ url: new URL(`${url}/hasta/`), secret: async () => "gehéim€" });
    await remote.ask("POST", "/drain", { id: ID }, never);
    expect(seen).toEqual(["/hasta/drain", "Bearer gehéim€"]);
  });

  test("is not waited for any longer once nobody wants it", async () => {
    const url = await other(() => {});
    const stop = newAbort();
    const asked = new RemoteService({ url: new URL(url), secret: async () => SECRET }).ask(
      "GET",
      "/",
      undefined,
      stop.signal,
    );
    stop.abort(new Error("enough"));
    await expect(asked).rejects.toThrow("enough");
  });
});
