import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { request as requestHttps } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { startWeb } from "../../src/app/web.ts";
import { readConfig } from "../../src/config/config.ts";
import { newAbort } from "../../src/drain/abort.ts";
import { DrainError } from "../../src/drain/errors.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { type Log, withoutRepeats } from "../../src/observe/log.ts";
import { LOG_LINES } from "../../src/observe/log-lines.ts";
import { Metrics } from "../../src/observe/metrics.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { HttpSource } from "../../src/web/http-source.ts";
import { Authority } from "../support/certificates.ts";
import { checkAnswersFrom } from "../support/checked-fetch.ts";
import { keepSecret, searchForSecrets } from "../support/secret-search.ts";
import { historyOf } from "../support/web-app.ts";

const OLD = "the-secret-of-yesterday";
const NEW = "the-secret-of-tomorrow";
const BOTH = `${OLD}\n${NEW}\n`;
const REREAD_MS = 5_000;
const DENIED = { action: "ec2:DescribeInstances", error: new DrainError("access-denied", "not allowed") };

interface Line {
  readonly level: string;
  readonly fields: object;
  readonly message: string;
}

/** A log of which a test can await a line. */
function listeningLog(now: () => number) {
  const lines: Line[] = [];
  onTestFinished(() => searchForSecrets("the log", JSON.stringify(lines)));
  const write: Log = (message, fields) => void lines.push({ level: LOG_LINES[message].level, fields, message });
  const log = withoutRepeats(write, now);
  const said = (message: RegExp) => lines.filter((line) => message.test(line.message));
  return { log, lines, said };
}

/** The API as a configuration has it, on virtual time. */
async function web(environment: Readonly<Record<string, string>>) {
  for (const secret of [OLD, NEW]) keepSecret(secret);
  const config = readConfig({
    verb: "serve",
    environment: { CLOUDPROVIDER: "aws", HOST: "127.0.0.1", PORT: "0", ...environment },
  });
  const clock = new VirtualClock();
  const { log, lines, said } = listeningLog(() => clock.now());
  const stop = newAbort();
  const source = new HttpSource();
  const never = () => Promise.reject(new Error("nobody asks"));
  const metrics = new Metrics({ version: "1.2.3", now: () => clock.now() });
  const started = await startWeb(config, {
    ...{ log, clock, source, status: never, version: "1.2.3" },
    history: { ...historyOf(new MemoryLedger()), running: () => undefined },
    cancelNode: async () => Promise.reject(new Error("not asked")),
    cancel: never,
    examine: never,
    overview: { text: () => "{}", follow: () => () => {} },
    ready: () => ({ status: "not-ready", checkedAt: clock.now(), problems: [DENIED] }),
    metrics,
    environment: {},
  });
  const rereading = started.rereadFiles(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await rereading;
    await started.close(Promise.resolve());
  });
  const url = `http://127.0.0.1:${started.port}`;
  checkAnswersFrom(url);
  /** 400: the secret was right, and no node was named. */
  const ask = async (secret: string) =>
    (await fetch(`${url}/drain`, { method: "POST", headers: { authorization: `Bearer ${secret}` } })).status;
  const shown = async (series: string) =>
    Number(
      (await metrics.text()).body
        .split("\n")
        .find((line) => line.startsWith(`hasta_la_vista_${series} `))
        ?.split(" ")[1],
    );
  return { clock, lines, said, ask, stop, rereading, shown, port: started.port };
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "web-"));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

describe("SECRET_FILE is reread while the service runs:", () => {
  test("of several secrets each is right, and once one is gone from the file it is wrong", async () => {
    const SECRET_FILE = join(await folder(), "secret");
    await writeFile(SECRET_FILE, OLD);
    const { clock, ask, said } = await web({ SECRET_FILE });
    expect([await ask(OLD), await ask(NEW)]).toEqual([400, 403]);

    await writeFile(SECRET_FILE, BOTH);
    await clock.advance(REREAD_MS);
    await expect.poll(() => said(/secrets reloaded/)).toHaveLength(1);
    expect([await ask(OLD), await ask(NEW)]).toEqual([400, 400]);

    await writeFile(SECRET_FILE, NEW);
    await clock.advance(REREAD_MS);
    await expect.poll(() => said(/secrets reloaded/)).toHaveLength(2);
    expect([await ask(OLD), await ask(NEW)]).toEqual([403, 400]);
    expect(said(/secrets reloaded/).map(({ fields }) => fields)).toEqual([{ secrets: 2 }, { secrets: 1 }]);
  });

  test("replaced as Kubernetes does it, by a link to another folder", async () => {
    const place = await folder();
    for (const [name, secret] of [
      ["..1", OLD],
      ["..2", NEW],
    ] as const) {
      await mkdir(join(place, name));
      await writeFile(join(place, name, "secret"), secret);
    }
    await symlink("..1", join(place, "..data"));
    await symlink("..data/secret", join(place, "secret"));
    const { clock, ask, said } = await web({ SECRET_FILE: join(place, "secret") });
    await symlink("..2", join(place, "..data_tmp"));
    await rename(join(place, "..data_tmp"), join(place, "..data"));
    await clock.advance(REREAD_MS);
    await expect.poll(() => said(/secrets reloaded/)).toHaveLength(1);
    expect([await ask(OLD), await ask(NEW)]).toEqual([403, 400]);
  });

  test.each<[string, (path: string) => Promise<unknown>, RegExp]>([
    ["gone", (path) => rm(path), /^SECRET_FILE is '.*', which can't be used: there is no such file \(ENOENT\)$/],
    ["empty", (path) => writeFile(path, "\n"), /^SECRET_FILE is '.*', which can't be used: it is empty$/],
    ["of a line that is no secret", (path) => writeFile(path, `${NEW}\nno\u0007ne`), /: give at most 4096 characters/],
  ])("while it is %s the last ones count, and it is said once", async (_, spoil, problem) => {
    const SECRET_FILE = join(await folder(), "secret");
    await writeFile(SECRET_FILE, OLD);
    const { clock, ask, said, shown } = await web({ SECRET_FILE });
    expect(await shown("file_reload_failures_total")).toBe(0);
    await spoil(SECRET_FILE);
    await clock.advance(REREAD_MS);
    const failures = () => said(/file reload failed/);
    await expect.poll(failures).toHaveLength(1);
    expect(failures()).toEqual([
      expect.objectContaining({ level: "warn", fields: { error: expect.stringMatching(problem) } }),
    ]);
    expect([await ask(OLD), await ask(NEW)]).toEqual([400, 403]);

    // The next look comes once the last one has ended.
    await expect.poll(() => clock.sleeping).toBe(1);
    await clock.advance(REREAD_MS);
    await expect.poll(() => clock.sleeping).toBe(1);
    expect(failures()).toHaveLength(1);
    // The metric counts each attempt, so that it rises for as long as the file can't be read.
    expect(await shown("file_reload_failures_total")).toBe(2);
    await writeFile(SECRET_FILE, NEW);
    await clock.advance(REREAD_MS);
    await expect.poll(() => said(/secrets reloaded/)).toHaveLength(1);
    expect([await ask(OLD), await ask(NEW)]).toEqual([403, 400]);
  });

  test("not at all where SECRET is given, and no longer once the service stops", async () => {
    const fixed = await web({ SECRET: OLD });
    expect(fixed.clock.sleeping).toBe(0);
    const SECRET_FILE = join(await folder(), "secret");
    await writeFile(SECRET_FILE, OLD);
    const { clock, stop, rereading } = await web({ SECRET_FILE });
    expect(clock.sleeping).toBe(1);
    stop.abort();
    await rereading;
    expect(clock.sleeping).toBe(0);
  });
});

describe("a secret of fewer than 16 characters", () => {
  const short = (said: (message: RegExp) => readonly Line[]) => said(/short secret configured/);

  test("is warned about at the start, and one of 16 is not", async () => {
    const fifteen = await web({ SECRET: "fifteen-letters" });
    expect(short(fifteen.said)).toMatchObject([{ level: "warn", fields: { short: 1, secrets: 1 } }]);
    expect(await fifteen.ask("fifteen-letters")).toBe(400);
    expect(short((await web({ SECRET: "sixteen--letters" })).said)).toEqual([]);
  });

  test("is warned about when it comes by a file that is reread", async () => {
    const SECRET_FILE = join(await folder(), "secret");
    await writeFile(SECRET_FILE, OLD);
    const { clock, said } = await web({ SECRET_FILE });
    expect(short(said)).toEqual([]);
    await writeFile(SECRET_FILE, `${OLD}\ntoo-short`);
    await clock.advance(REREAD_MS);
    await expect.poll(() => short(said)).toHaveLength(1);
  });
});

test("the metrics count answers by status, and show what keeps the service from being ready", async () => {
  const { ask, shown } = await web({ SECRET: OLD });
  expect([await ask(OLD), await ask(NEW), await ask(NEW)]).toEqual([400, 403, 403]);
  expect(await shown('http_requests_total{code="400"}')).toBe(1);
  expect(await shown('http_requests_total{code="403"}')).toBe(2);
  expect(await shown("ready")).toBe(0);
  expect(await shown('readiness_problems{code="access-denied",action="ec2:DescribeInstances"}')).toBe(1);
  expect(await shown("certificate_expiry_timestamp_seconds")).toBeNaN();
});

test("a secret that was replaced is still kept out of what is logged, and refused where it would be", async () => {
  const SECRET_FILE = join(await folder(), "secret");
  await writeFile(SECRET_FILE, OLD);
  const { clock, ask, said, port } = await web({ SECRET_FILE });
  await writeFile(SECRET_FILE, NEW);
  await clock.advance(REREAD_MS);
  await expect.poll(() => said(/secrets reloaded/)).toHaveLength(1);
  expect([await ask(OLD), await ask(NEW)]).toEqual([403, 400]);
  for (const path of [`/nodes/${OLD}`, `/drains/${encodeURIComponent(OLD)}`]) {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { authorization: `Bearer ${NEW}` } });
    expect([answer.status, await answer.json()]).toMatchObject([
      400,
      { detail: expect.stringMatching(/^the secret is in/) },
    ]);
  }
});

test("what callers do with the secret is logged by where they come from alone", async () => {
  const { ask, said, lines, port } = await web({ SECRET: OLD });
  for (let time = 0; time < 12; time++) await ask(NEW);
  await fetch(`http://127.0.0.1:${port}/nodes/x_?pw=${OLD}`);
  expect(said(/client rate limited/)).toMatchObject([{ level: "warn", fields: { client: "127.0.0.1" } }]);
  expect(said(/secret received in query/)).toMatchObject([{ level: "warn", fields: { client: "127.0.0.1" } }]);
  const levels = lines.filter(({ message }) => /(answered|rejected)$/.test(message)).map(({ level }) => level);
  expect(levels).toEqual([...Array(10).fill("warn"), "debug", "debug", "info"]);
});

test("a certificate that is renewed is shown to the next connection, and one without its key never", async () => {
  const authority = new Authority();
  const place = await folder();
  const files = { TLS_CERT_FILE: join(place, "cert"), TLS_KEY_FILE: join(place, "key") };
  const write = async (name: string) => {
    const { cert, key } = authority.sign(name);
    await writeFile(files.TLS_CERT_FILE, cert);
    return () => writeFile(files.TLS_KEY_FILE, key);
  };
  await (await write("first"))();
  const { clock, said, port, ...metrics } = await web({ SECRET: OLD, ...files });
  expect(await metrics.shown("certificate_expiry_timestamp_seconds")).toBe(Date.parse("9999-12-31T23:59:59Z") / 1_000);
  const shown = () =>
    new Promise((resolve, reject) => {
      const options = { host: "127.0.0.1", port, path: "/health", ca: authority.cert, agent: false };
      requestHttps(options, (answer) => {
        resolve(
          (answer.socket as { getPeerCertificate?(): { subject: { CN: string } } }).getPeerCertificate?.().subject.CN,
        );
        answer.resume();
      })
        .once("error", reject)
        .end();
    });
  expect(await shown()).toBe("first");
  const writeKey = await write("second");
  await clock.advance(REREAD_MS);
  await expect.poll(() => said(/file reload failed/)).toHaveLength(1);
  expect(await shown()).toBe("first");
  await writeKey();
  await expect.poll(() => clock.sleeping).toBe(1);
  await clock.advance(REREAD_MS);
  await expect.poll(() => said(/certificates reloaded/)).toHaveLength(1);
  expect(await shown()).toBe("second");
});
