import { connect } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import { account, ID, OTHER_ID } from "../support/account.ts";
import { checkAnswer } from "../support/api-answers.ts";
import { ALL_CASES, countOfCases } from "../support/cases.ts";
import { Child } from "../support/child-process.ts";
import { RANDOM_SECRET, searchForSecrets } from "../support/secret-search.ts";
import { elbError } from "../support/simulated-region.ts";
import { SEED } from "./fuzz-seed.ts";
import { FAULTY, type GeneratedRequest, rawBytes, requests, unwaitedDrains } from "./http-requests.ts";

const SECRET = RANDOM_SECRET;
const BATCH = 20;
const BATCHES = countOfCases(500, 10);
/** Where the first look that counts is: a fifth of all. */
const EARLY = BATCHES / 5;
/** A rehearsal, for the first look of all finds caches that later ones don't; then twice, far apart. */
const MEASURED_AT = [EARLY - 1, EARLY, BATCHES];
/**
 * Bytes of the heap that a request may leave behind: a tenth of what a kept request or connection has, of few requests a
 * quarter. What the heap varies by from one look to the next, and the drains that a ledger remembers, are less of so many.
 */
const LEFT_BYTES_MAX = ALL_CASES ? 400 : 1_000;

/** How much code is compiled by when, and thrown away again, is chance: here none is, beyond what runs. */
const NODE_FLAGS = ["--expose-gc", "--no-opt", "--no-sparkplug", "--no-flush-bytecode"];
/** Answers SIGUSR2 with what the heap holds once all that can be collected is. */
const HEAP_REPORT = `data:text/javascript,process.on("SIGUSR2",()=>{gc();setImmediate(()=>{gc();console.log(JSON.stringify({heap:process.memoryUsage().heapUsed}))})})`;

/** The built service, quick and without an index, before an account. */
async function service() {
  const { env } = await account(({ params }) =>
    params.toString().includes(FAULTY) ? elbError("AccessDenied", "you may not", 403) : undefined,
  );
  const quick = { ALB_PROPAGATION: "0", NLB_PROPAGATION: "0", CLASSIC_MINIMUM: "0", QUOTA_SHARE: "100", TIMEOUT: "2" };
  const command = [process.execPath, ...NODE_FLAGS, "--import", HEAP_REPORT, "dist/service.js"];
  const child = new Child({ command, options: {} }, [], {
    ...env,
    ...quick,
    SECRET,
    CLOUDPROVIDER: "aws",
    HOST: "127.0.0.1",
    PORT: "0",
    INDEX_RATE: "0",
  });
  const { port } = JSON.parse(await child.line(/"listening"/));
  let measured = 0;
  const isQuiet = async () => {
    const metrics = await (
      await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: "close" } })
    ).text();
    return /^hasta_la_vista_drains_running 0$/m.test(metrics);
  };
  const heapBytes = async () => {
    // What a busy machine has not ended yet is not what was left behind.
    await expect.poll(isQuiet).toBe(true);
    child.signal("SIGUSR2");
    measured += 1;
    const report = () => child.output.split("\n").filter((line) => line.startsWith('{"heap"'))[measured - 1];
    await expect.poll(report).toBeDefined();
    return JSON.parse(report() ?? "").heap as number;
  };
  return { child, port, heapBytes };
}

const OVERVIEW_STREAM = /^content-type: text\/event-stream\r\n[\s\S]*\nevent: overview\n/im;

/** All that comes back until the connection ends. `ends`: the caller has nothing more to say, and says so. */
function exchange(port: number, bytes: Buffer, ends: boolean): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk;
      // It goes on for as long as somebody follows.
      if (OVERVIEW_STREAM.test(text)) socket.destroy();
    });
    socket.on("error", () => {});
    socket.once("close", () => resolve(text));
    if (ends) socket.end(bytes);
    else socket.write(bytes);
  });
}

interface Parsed {
  readonly status: number;
  readonly response: Response;
}

/** The first final answer of what came; undefined where nothing did. */
function parsed(text: string): Parsed | undefined {
  const final = text.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, "");
  if (final === "") return undefined;
  const [head = "", body = ""] = [
    final.slice(0, final.indexOf("\r\n\r\n")),
    final.slice(final.indexOf("\r\n\r\n") + 4),
  ];
  const [first = "", ...lines] = head.split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1]);
  const headers = lines.map((line): [string, string] => {
    const at = line.indexOf(":");
    return [line.slice(0, at), line.slice(at + 1).trim()];
  });
  const length = Number(new Headers(headers).get("content-length") ?? Buffer.byteLength(body));
  const own = Buffer.from(body).subarray(0, length).toString();
  return { status, response: new Response(own, { status, headers }) };
}

/** An answer to what may not even be a request is a problem, and never a fault of the service's. */
async function expectSoundAnswer(text: string): Promise<void> {
  const answer = parsed(text);
  if (answer === undefined) return;
  expect([500, 501, 505]).not.toContain(answer.status);
  if (answer.status < 400 || !(await answer.response.clone().text())) return;
  expect(answer.response.headers.get("content-type")).toBe("application/problem+json");
  expect(await answer.response.json()).toMatchObject({ status: answer.status, detail: expect.any(String) });
}

async function expectDescribedAnswer(text: string, { method, url }: GeneratedRequest): Promise<void> {
  const answer = parsed(text);
  if (answer === undefined) throw new Error("there was no answer");
  expect(answer.status).not.toBe(500);
  const where = `http://service${url}`;
  const path = URL.canParse(where) ? new URL(where).pathname : "/";
  await checkAnswer({ method, path, response: answer.response });
}

test(`thousands of requests, right, nearly right and of any bytes, are answered as described, and leave nothing behind (FUZZ_SEED=${SEED})`, {
  timeout: 600_000,
}, async () => {
  const { child, port, heapBytes } = await service();
  const heaps: number[] = [];
  const statuses = new Map<number, number>();
  let batches = 0;
  const one = async ({ request, bytes }: { request?: GeneratedRequest; bytes: Buffer }) => {
    const text = await exchange(port, bytes, request === undefined);
    searchForSecrets("an answer to what was generated", text);
    const status = parsed(text)?.status ?? 0;
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (request === undefined) await expectSoundAnswer(text);
    else await expectDescribedAnswer(text, request);
  };
  const generated = fc.oneof(
    { arbitrary: requests({ secret: SECRET }).map((request) => ({ request, bytes: request.bytes })), weight: 400 },
    {
      arbitrary: unwaitedDrains({ secret: SECRET }, [ID, OTHER_ID]).map((request) => ({
        request,
        bytes: request.bytes,
      })),
      weight: 2,
    },
    { arbitrary: rawBytes({ secret: SECRET }).map((bytes) => ({ bytes })), weight: 100 },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(generated, { minLength: BATCH, maxLength: BATCH, size: "max" }), async (batch) => {
      await Promise.all(batch.map(one));
      expect(
        await exchange(port, Buffer.from("GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), false),
      ).toContain("200 OK");
      batches += 1;
      if (MEASURED_AT.includes(batches)) heaps.push(await heapBytes());
    }),
    { seed: SEED, numRuns: BATCHES },
  );
  // On a slow machine the wrong secrets among them come so far apart that the service forgives each.
  const wrong = Buffer.from(
    "GET /drains HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer wrong\r\nConnection: close\r\n\r\n",
  );
  await Promise.all(Array.from({ length: 3 * BATCH }, () => one({ bytes: wrong })));
  expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 202, 400, 401, 403, 404, 405, 417, 429, 431, 502]));
  const [, early = 0, late = 0] = heaps;
  expect((late - early) / ((BATCHES - EARLY) * BATCH)).toBeLessThan(LEFT_BYTES_MAX);
  child.signal("SIGTERM");
  const { code, stdout, stderr } = await child.finished;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).not.toContain("internal error");
});
