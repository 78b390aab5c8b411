import { randomBytes } from "node:crypto";
import { describe, expect, onTestFinished, test } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import type { SharedLog } from "../../src/drain/shared-log.ts";
import { ChunkLog } from "../../src/kubernetes/chunk-log.ts";
import type { ConfigMap } from "../../src/kubernetes/ledger-chunk.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { clientOf } from "../support/api-client.ts";
import { FakeApiServer, type FakeRequest, type Intercepted, refusal } from "../support/fake-api-server.ts";
import { LogStore, MemoryLog } from "../support/memory-log.ts";
import { never } from "../support/simulated-region.ts";

const DOWN = refusal(500, "InternalError", "etcdserver: leader changed");
const MAPS = "/api/v1/namespaces/hlv/configmaps";
const name = (number: number) => `hlv-ledger-${String(number).padStart(10, "0")}`;

async function* of(...parts: readonly (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const part of parts) yield Buffer.from(part);
}

/** What a process that takes the log over reads. Damages stand in brackets. */
async function taken(log: SharedLog): Promise<string> {
  const parts: Buffer[] = [];
  for await (const piece of (await log.takeOver(never)).pieces)
    parts.push("bytes" in piece ? piece.bytes : Buffer.from(`[${piece.damage}]`));
  return Buffer.concat(parts).toString("utf8");
}

/** An API server, and any number of processes with a log on it. */
async function scene() {
  const clock = new VirtualClock();
  const fake = await FakeApiServer.start(clock);
  const replaced: string[] = [];
  const notDeleted: string[] = [];
  const notTaken: string[] = [];
  const server = await clientOf(fake, clock);
  const log = (identity = "pod") =>
    new ChunkLog({
      ...{ server, clock, namespace: "hlv", name: "hlv", identity },
      onReplaced: ({ message }) => replaced.push(message),
      onNotDeleted: ({ message }) => notDeleted.push(message),
      onNotTaken: ({ message }) => notTaken.push(message),
    });
  const opened = async () => {
    const one = log();
    await taken(one);
    return one;
  };
  const append = (to: SharedLog, text: string) => to.append(Buffer.from(text), never);
  const replace = (of: SharedLog, ...parts: readonly (string | Buffer)[]) => of.replace(partsOf(parts), never);
  const read = () => taken(log("reader"));
  const stored = (number: number) => fake.stored(MAPS, name(number)) as ConfigMap | undefined;
  const numbers = () =>
    Array.from({ length: 40 }, (_, number) => number).filter((number) => stored(number) !== undefined);
  /** The next request of this kind is answered so; with `late`, it is done all the same. */
  const failNext = (
    method: string,
    answer: Intercepted | "late",
    isMeant: (request: FakeRequest) => boolean = () => true,
  ) => {
    fake.intercept = (request) => {
      if (request.method !== method || !isMeant(request)) return undefined;
      fake.intercept = () => undefined;
      if (answer !== "late") return answer;
      fake.put(request.path, request.body as ConfigMap);
      return DOWN;
    };
  };
  return { clock, fake, log, opened, append, replace, read, stored, numbers, failNext, replaced, notDeleted, notTaken };
}

const partsOf = (parts: readonly (string | Buffer)[]) => of(...parts);
const failed = (work: Promise<unknown>) =>
  work.then(
    () => "kept",
    (error: Error) => error.message,
  );
const PART = 512 * 1_024;

const SHARED_LOGS: Readonly<Record<string, () => Promise<() => SharedLog>>> = {
  ConfigMaps: async () => {
    const { log } = await scene();
    return log;
  },
  memory: async () => {
    const store = new LogStore();
    return () => new MemoryLog(store);
  },
};

describe.each(Object.entries(SHARED_LOGS))("SharedLog: %s", (_, make) => {
  test("is new until it is taken over, and gives back what was appended, in order", async () => {
    const open = await make();
    const first = open();
    expect((await first.takeOver(never)).isNew).toBe(true);
    await first.append(Buffer.from("a\n"), never);
    await first.append(Buffer.from("b\nc\n"), never);
    const second = open();
    const { isNew, pieces } = await second.takeOver(never);
    const read: string[] = [];
    for await (const piece of pieces) if ("bytes" in piece) read.push(piece.bytes.toString("utf8"));
    expect([isNew, read.join("")]).toEqual([false, "a\nb\nc\n"]);
    expect((await open().takeOver(never)).isNew).toBe(false);
  });

  test("takes nothing more of a process whose log another one has taken over", async () => {
    const open = await make();
    const [first, second] = [open(), open()];
    await taken(first);
    await first.append(Buffer.from("a\n"), never);
    expect(await taken(second)).toBe("a\n");
    expect(await failed(first.append(Buffer.from("b\n"), never))).toMatch("another replica has taken the ledger over");
    expect(await failed(first.replace(of("c\n"), never))).toMatch("another replica has taken the ledger over");
    await second.append(Buffer.from("d\n"), never);
    expect(await taken(open())).toBe("a\nd\n");
  });

  test("is replaced in one step, has few pieces then, and goes on", async () => {
    const open = await make();
    const first = open();
    await taken(first);
    for (let count = 0; count < 20; count++) await first.append(Buffer.from(`${count}\n`), never);
    expect(first.pieceCount).toBeGreaterThanOrEqual(20);
    await first.replace(of("18\n", "19\n"), never);
    expect(first.pieceCount).toBeLessThanOrEqual(2);
    await first.append(Buffer.from("20\n"), never);
    expect(await taken(open())).toBe("18\n19\n20\n");
  });

  test("ends a call with its signal", async () => {
    const open = await make();
    const log = open();
    await taken(log);
    const gone = newAbort();
    gone.abort(new Error("the term is over"));
    expect(await failed(log.append(Buffer.from("a\n"), gone.signal))).toBe("the term is over");
  });
});

describe("a log of ConfigMaps", () => {
  test("has one immutable ConfigMap for each append, which kubectl shows as text, and says who wrote it", async () => {
    const { opened, append, stored, numbers } = await scene();
    await append(await opened(), '{"drain":"d-1"}\n');
    expect(numbers()).toEqual([1, 2]);
    expect(stored(2)).toMatchObject({
      immutable: true,
      metadata: {
        labels: { "hasta-la-vista.io/ledger": "hlv" },
        annotations: {
          "hasta-la-vista.io/base": "1",
          "hasta-la-vista.io/part": "1",
          "hasta-la-vista.io/last": "true",
          "hasta-la-vista.io/writer": expect.stringMatching(/^pod\/[0-9a-f]{8}$/),
        },
      },
      data: { entries: '{"drain":"d-1"}\n' },
    });
  });

  test("keeps large appends and generations in parts, compressed, whatever their bytes are", async () => {
    const { opened, append, replace, read, stored } = await scene();
    const log = await opened();
    const large = `${JSON.stringify({ text: "ä€😀".repeat(200_000) })}\n`;
    await append(log, large);
    expect(Object.keys(stored(2)?.binaryData ?? {})).toEqual(["entries.gz"]);
    expect(JSON.stringify(stored(2)).length).toBeLessThan(20_000);
    expect(await read()).toBe(large);
    const next = await opened();
    const random = randomBytes(3 * PART + 5).toString("base64");
    await replace(next, random.slice(0, 7), random.slice(7));
    expect(await read()).toBe(random);
  });

  test("is taken over by one of several that begin at the same time, and the others learn it with their first append", async () => {
    const { clock, log } = await scene();
    const all = Array.from({ length: 5 }, (_, at) => log(`pod-${at}`));
    await clock.run(Promise.all(all.map(taken)));
    const ends = await clock.run(
      Promise.all(all.map((each, at) => failed(each.append(Buffer.from(`${at}\n`), never)))),
    );
    expect(ends.filter((end) => end === "kept")).toHaveLength(1);
    expect(await clock.run(taken(log()))).toMatch(/^\d\n$/);
  });

  test("is taken over as soon as the API server answers, and each failed attempt is reported", async () => {
    const { clock, opened, append, log, fake, notTaken } = await scene();
    await append(await opened(), "a\n");
    const until = clock.now() + 2_500;
    fake.intercept = () => (clock.now() < until ? DOWN : undefined);
    expect(await clock.run(taken(log()))).toBe("a\n");
    expect(notTaken).toHaveLength(3);
    expect(new Set(notTaken)).toEqual(new Set([expect.stringContaining("leader changed")]));
  });

  test("tells a process that it was replaced once, and that one asks no more", async () => {
    const { clock, opened, append, replaced, fake } = await scene();
    const first = await opened();
    await append(await opened(), "a\n");
    expect(await clock.run(failed(first.append(Buffer.from("b\n"), never)))).toMatch(
      /^another replica has taken the ledger over: pod\//,
    );
    const before = fake.requests.length;
    await clock.run(failed(first.append(Buffer.from("b\n"), never)));
    expect(fake.requests).toHaveLength(before);
    expect(replaced).toHaveLength(1);
  });

  test("deletes what a generation has made superfluous, and so does the next process", async () => {
    const { clock, opened, append, replace, numbers, failNext, notDeleted } = await scene();
    const log = await opened();
    for (const text of ["a\n", "b\n"]) await append(log, text);
    await replace(log, "b\n");
    await clock.advance(1_000);
    // The first one has the mark of the takeover.
    expect(numbers()).toEqual([1, 4]);
    failNext("DELETE", refusal(403, "Forbidden"));
    await append(log, "c\n");
    await replace(log, "c\n");
    await clock.advance(1_000);
    expect(numbers()).toEqual([1, 4, 5, 6]);
    expect(notDeleted).toEqual([expect.stringMatching(/403 Forbidden/)]);
    await opened();
    await clock.advance(1_000);
    expect(numbers()).toEqual([1, 6, 7]);
  });
});

describe("an append of which the answer is lost", () => {
  test.each<[string, Intercepted | "late"]>([
    ["was not stored", DOWN],
    ["was stored", "late"],
  ])("and that %s is stored once when it is repeated with more", async (_, answer) => {
    const { clock, opened, append, read, failNext } = await scene();
    const log = await opened();
    failNext("POST", answer);
    expect(await clock.run(failed(log.append(Buffer.from("a\n"), never)))).toMatch(/leader changed/);
    await append(log, "a\nb\n");
    await append(log, "c\n");
    expect(await read()).toBe("a\nb\nc\n");
  });

  test("is stored once though it comes through only while it is repeated", async () => {
    const { clock, fake, opened, append, read } = await scene();
    const log = await opened();
    let late: FakeRequest | undefined;
    fake.intercept = (request) => {
      if (request.method !== "POST") return undefined;
      if (late === undefined) {
        late = request;
        return "hang";
      }
      fake.put(late.path, late.body as ConfigMap);
      fake.intercept = () => undefined;
      return undefined;
    };
    expect(await clock.run(failed(log.append(Buffer.from("a\n"), never)))).toMatch(/no complete answer within 4 s/);
    await append(log, "a\nb\n");
    expect(await read()).toBe("a\nb\n");
  });

  test("in several parts goes on with the part that failed", async () => {
    const { opened, append, read, failNext } = await scene();
    const log = await opened();
    const large = randomBytes(PART).toString("base64");
    for (const answer of [DOWN, "late"] as const) {
      let posts = 0;
      failNext("POST", answer, () => ++posts === 2);
      expect(await failed(log.append(Buffer.from(large), never))).toMatch(/leader changed/);
      await append(log, `${large}|`);
    }
    expect(await read()).toBe(`${large}|${large}|`);
  });
});

test.each([
  [413, "RequestEntityTooLarge"],
  [403, "Forbidden"],
  [507, "InsufficientStorage"],
  [429, "TooManyRequests"],
  [500, "InternalError"],
])(
  "an append that the API server refuses with %s fails with the reason, and is stored by the next one",
  async (status, reason) => {
    const { clock, opened, append, read, failNext } = await scene();
    const log = await opened();
    failNext("POST", refusal(status, reason, "etcdserver: no space"));
    expect(await clock.run(failed(log.append(Buffer.from("a\n"), never)))).toContain(
      `${status} ${reason}: etcdserver: no space`,
    );
    await append(log, "a\nb\n");
    expect(await read()).toBe("a\nb\n");
  },
);

test("a log that is taken over again and again keeps few ConfigMaps", async () => {
  const { clock, opened, append, replace, fake, read } = await scene();
  for (let term = 1; term <= 60; term++) {
    const log = await opened();
    await append(log, "a\n");
    await replace(log, `${term}\n`);
    await clock.advance(1_000);
  }
  expect(await read()).toBe("60\n");
  expect(fake.asked("list", MAPS).length).toBeGreaterThan(60);
  const all = Array.from({ length: 300 }, (_, number) => fake.stored(MAPS, name(number)));
  expect(all.filter((one) => one !== undefined).length).toBeLessThanOrEqual(45);
});

test.each([
  'configmaps "hlv-ledger-0000000002" is forbidden: exceeded quota: objects, requested: count/configmaps=1, used: 9',
  'configmaps "hlv-ledger-0000000002" is forbidden: unable to create new content in namespace hlv because it is being terminated',
])("an append that is refused for another reason than its role is not told to change that: %s", async (text) => {
  const { clock, opened, failNext } = await scene();
  const log = await opened();
  failNext("POST", refusal(403, "Forbidden", text));
  expect(await clock.run(failed(log.append(Buffer.from("a\n"), never)))).toMatch(new RegExp(`${text}$`));
});

test("a log is taken over as soon as the API server can be reached again", async () => {
  const { clock, fake, log, opened, append } = await scene();
  await append(await opened(), "a\n");
  fake.kill();
  const read = taken(log());
  await clock.advance(30_000);
  await clock.outside(fake.restart());
  expect(await clock.run(read)).toBe("a\n");
});

test("a log that may not be read says which permission is missing", async () => {
  const { clock, fake, log } = await scene();
  fake.intercept = () => refusal(403, "Forbidden", "no configmaps");
  await expect(clock.run(taken(log()))).rejects.toThrow(/403 Forbidden: no configmaps\. Grant the permission/);
});

describe("a process that dies at each step of a generation of three parts", () => {
  test.each([0, 1, 2, 3])("after %s of them leaves the old log or the new one", async (count) => {
    const { clock, fake, opened, append, replace, read } = await scene();
    const log = await opened();
    for (const text of ["a\n", "b\n", "c\n"]) await append(log, text);
    const parts = ["x", "y", "z"].map((letter) => letter.repeat(PART));
    let posts = 0;
    fake.intercept = ({ method }) => (method === "DELETE" || (method === "POST" && ++posts > count) ? DOWN : undefined);
    expect(await failed(replace(log, ...parts))).toMatch(count === 3 ? "kept" : /leader changed/);
    await clock.advance(1_000);
    fake.intercept = () => undefined;
    const expected = count === 3 ? parts.join("") : "a\nb\nc\n";
    expect(await read()).toBe(expected);
    // As the next process appends, and the one after reads.
    await append(await opened(), "d\n");
    expect(await read()).toBe(`${expected}d\n`);
    const next = await opened();
    await replace(next, "e\n");
    await clock.advance(1_000);
    expect(await read()).toBe("e\n");
  });

  test.each([1, 2, 3])("and one whose part %s failed goes on with appends, and makes it later", async (part) => {
    for (const answer of [DOWN, "late"] as const) {
      const { clock, opened, append, replace, read, failNext } = await scene();
      const log = await opened();
      await append(log, "a\n");
      const parts = ["x", "y", "z"].map((letter) => letter.repeat(PART));
      let posts = 0;
      failNext("POST", answer, () => ++posts === part);
      expect(await failed(replace(log, ...parts))).toMatch(/leader changed/);
      await append(log, "b\n");
      const isNew = part === 3 && answer === "late";
      expect(await read()).toBe(isNew ? `${parts.join("")}b\n` : "a\nb\n");
      const next = await opened();
      await replace(next, ...parts);
      await clock.advance(1_000);
      expect(await read()).toBe(parts.join(""));
    }
  });

  test("does nothing more once another one has taken the log over in between", async () => {
    const { clock, fake, opened, append, replace, read, log } = await scene();
    const first = await opened();
    await append(first, "a\n");
    let posts = 0;
    let second: Promise<string> | undefined;
    fake.intercept = ({ method }) => {
      if (method === "POST" && ++posts === 2) {
        fake.intercept = () => undefined;
        second = taken(log("second"));
        return DOWN;
      }
      return undefined;
    };
    const parts = ["x", "y", "z"].map((letter) => letter.repeat(PART));
    expect(await failed(replace(first, ...parts))).toMatch(/leader changed/);
    expect(await clock.run(second ?? Promise.reject(new Error("it was not taken over")))).toBe("a\n");
    expect(await failed(replace(first, ...parts))).toMatch("another replica has taken the ledger over");
    expect(await read()).toBe("a\n");
  });
});

describe("a log in which another program has", () => {
  async function written() {
    const at = await scene();
    const log = await at.opened();
    for (const text of ["a\n", "b\n", "c\n"]) await at.append(log, text);
    return at;
  }

  test("deleted a ConfigMap names it, and reads the others", async () => {
    const { fake, read } = await written();
    fake.remove(MAPS, name(3));
    expect(await read()).toBe("a\n[the ConfigMap hlv/hlv-ledger-0000000003 was deleted by another program]c\n");
  });

  test("deleted several, the first one among them, names them", async () => {
    const { fake, read } = await written();
    for (const number of [1, 2, 3]) fake.remove(MAPS, name(number));
    expect(await read()).toBe(
      "[ConfigMaps hlv/hlv-ledger-0000000001 to hlv/hlv-ledger-0000000003 were deleted by another program]c\n",
    );
  });

  test("deleted a part of the generation that it begins with names it", async () => {
    const { fake, opened, replace, append, read, clock } = await written();
    const log = await opened();
    await replace(log, "x".repeat(PART), "y".repeat(PART), "z\n");
    await append(log, "d\n");
    await clock.advance(1_000);
    const [second, third] = [7, 8];
    fake.remove(MAPS, name(second));
    expect(await read()).toBe(
      `${"x".repeat(PART)}[the ConfigMap hlv/${name(second)} was deleted by another program]z\nd\n`,
    );
    fake.remove(MAPS, name(third));
    expect(await read()).toBe(
      `${"x".repeat(PART)}[ConfigMaps hlv/${name(second)} to hlv/${name(third)} were deleted by another program]d\n`,
    );
  });

  test("deleted the last part of a generation before anything was appended names it", async () => {
    const { fake, opened, replace, read, numbers, clock } = await written();
    await replace(await opened(), "x".repeat(PART), "y\n");
    await clock.advance(1_000);
    const last = numbers().at(-1) ?? 0;
    fake.remove(MAPS, name(last));
    const damaged = `${"x".repeat(PART)}[the ConfigMap hlv/${name(last)} was deleted by another program]`;
    expect(await read()).toBe(damaged);
  });

  test.each<[string, (map: ConfigMap) => object, string]>([
    [
      "changed the entries of",
      (map) => ({ ...map, data: { entries: "B\n" } }),
      "B\n[X was changed by another program]",
    ],
    ["emptied", (map) => ({ ...map, data: {} }), "[X was changed by another program]"],
    [
      "changed the numbers of",
      (map) => ({ ...map, metadata: { ...map.metadata, annotations: { "hasta-la-vista.io/base": "many" } } }),
      "[X was changed by another program]",
    ],
    [
      "put something that is not compressed into",
      ({ data: _, ...map }) => ({ ...map, binaryData: { "entries.gz": "AAAA" } }),
      "[X was changed by another program]",
    ],
    [
      "removed the label of",
      (map) => ({ ...map, metadata: { ...map.metadata, labels: {} } }),
      "[X was deleted by another program]",
    ],
  ])("%s a ConfigMap names it, and reads the others", async (_, change, expected) => {
    const { fake, stored, read } = await written();
    fake.put(MAPS, change(stored(3) ?? {}));
    const found = expected.replace("X", `the ConfigMap hlv/${name(3)}`);
    expect(await read()).toBe(`a\n${found}c\n`);
  });

  test("made a ConfigMap with the label and a number far away goes on after it", async () => {
    const { fake, opened, append, read } = await written();
    const labels = { "hasta-la-vista.io/ledger": "hlv" };
    fake.put(MAPS, { metadata: { name: "hlv-ledger-000000100000000", namespace: "hlv", labels } });
    await append(await opened(), "d\n");
    expect(await read()).toMatch(/^a\nb\nc\n\[.*deleted.*\]\[.*changed.*\]d\n$/);
  });

  test("taken the newest ConfigMap out of the list by its label does not keep a process from taking over", async () => {
    const { fake, stored, opened, append, read } = await written();
    const newest = stored(4) ?? {};
    fake.put(MAPS, { ...newest, metadata: { ...newest.metadata, labels: {} } } as ConfigMap);
    await append(await opened(), "d\n");
    expect(await read()).toMatch(/^a\nb\n\[.*deleted.*\]d\n$/);
  });
});

test("a process that takes the log over while the one before appends misses nothing of it", async () => {
  const { clock, fake, opened, log, replaced } = await scene();
  const first = await opened();
  let appended: Promise<string> | undefined;
  fake.intercept = ({ method, body }) => {
    const writer = (body as ConfigMap | undefined)?.metadata?.annotations?.["hasta-la-vista.io/writer"] ?? "";
    if (method !== "POST" || !writer.startsWith("second/") || appended !== undefined) return undefined;
    // Between its list and its mark.
    appended = failed(first.append(Buffer.from("a\n"), never));
    return "drop";
  };
  expect(await clock.run(taken(log("second")))).toBe("a\n");
  expect(await appended).toBe("kept");
  expect(replaced).toEqual([]);
  onTestFinished(() => fake.kill());
});
