import { appendFile, chmod, mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { SystemClock } from "../../src/drain/clock.ts";
import { openLedger } from "../../src/ledger/open-ledger.ts";
import { EntriesOf, stateDir } from "../support/ledger-entries.ts";
import { never } from "../support/simulated-region.ts";

const clock = new SystemClock();
const FILE = "drains.jsonl";

async function opened(folder: string, bounds = {}) {
  const one = await openLedger(folder, { clock, bounds });
  onTestFinished(() => one.close().catch(() => {}));
  return one;
}

/** A folder with a ledger of two whole drains, and nobody in it. */
async function written() {
  const folder = await stateDir();
  const { ledger, close } = await opened(folder);
  const drains = [new EntriesOf("d-1").whole(), new EntriesOf("d-2").whole()];
  for (const entry of drains.flat()) ledger.note(entry);
  await close();
  const path = join(folder, FILE);
  return { folder, path, drains, text: await readFile(path, "utf8") };
}

describe("the ledger's file", () => {
  test("is a line of JSON an entry, for its owner alone", async () => {
    const { path, drains, text } = await written();
    expect(
      text
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual(drains.flat());
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test("has an entry as soon as it is noted: who looks from outside sees it, and the death of the process can't lose it", async () => {
    const folder = await stateDir();
    const { ledger } = await opened(folder);
    const entry = new EntriesOf("d-1").accepted();
    ledger.note(entry);
    await ledger.noted();
    expect(JSON.parse(await readFile(join(folder, FILE), "utf8"))).toEqual(entry);
  });

  test("of 2.0.0-alpha.1 is read, which had other names for a failed poll and for the registrations of an end", async () => {
    const { folder, path } = await written();
    const of = [0];
    const error = { code: "throttled", message: "AWS throttled the call" } as const;
    const held = { of: 0, state: "released", heldMs: 20_000, cameBack: 0, newTrafficStopped: true } as const;
    const drain = new EntriesOf("d-3");
    const entries = [
      drain.accepted(),
      drain.found("i-1:80"),
      drain.next({ type: "poll-failed", of, error }),
      drain.next({ type: "ended", outcome: { status: "drained", registrations: [held] } }),
      drain.next({ type: "cancelled" }),
      drain.next({ type: "undone", registrations: [{ of: 0, state: "registered" }] }),
    ];
    const lines = entries.map(
      (entry) =>
        `${JSON.stringify(entry)
          .replace('"poll-failed"', '"look-failed"')
          .replace(/"registrations":(?=\[\{"of")/, '"fates":')}\n`,
    );
    expect(lines.join("").match(/look-failed|fates/g)).toEqual(["look-failed", "fates", "fates"]);
    await appendFile(path, lines.join(""));
    const { ledger, findings } = await opened(folder);
    expect(findings).toEqual([]);
    expect(await ledger.read("d-3", never)).toEqual(entries);
  });

  test("is read by the next process, which goes on where it ends", async () => {
    const { folder, drains } = await written();
    const { ledger, findings } = await opened(folder);
    expect(findings).toEqual([]);
    expect(await ledger.read("d-2", never)).toEqual(drains[1]);
    const third = new EntriesOf("d-3").accepted();
    await ledger.append(third);
    expect(await ledger.read("d-3", never)).toEqual([third]);
    expect(ledger.list(10).map(({ drain }) => drain)).toEqual(["d-3", "d-2", "d-1"]);
  });

  test.each([1, 2, 20, 60])(
    "may end within a line, %i bytes before its end, as a crash leaves it: the line is left out, and said",
    async (bytes) => {
      const { folder, path, drains, text } = await written();
      await writeFile(path, text.slice(0, -bytes));
      const { ledger, findings, close } = await opened(folder);
      expect(findings).toEqual([
        { error: expect.stringMatching(/last line of the ledger is incomplete.*\d+ bytes were dropped/) },
        { error: expect.stringMatching(/entry of the drain is missing/), drain: "d-2", node: "i-0123456789abcdef0" },
      ]);
      const left = await ledger.read("d-2", never);
      expect(left?.slice(0, -1)).toEqual(drains[1]?.slice(0, -1));
      expect(left?.at(-1)).toMatchObject({ n: 6, type: "gap" });
      await ledger.append(new EntriesOf("d-3").accepted());
      await close();
      const again = await opened(folder);
      expect(again.findings).toEqual([]);
      expect(await again.ledger.read("d-3", never)).toHaveLength(1);
    },
  );

  test("may end in zeros, as a power failure leaves it", async () => {
    const { folder, path, drains } = await written();
    await appendFile(path, Buffer.alloc(5_000));
    const { ledger, findings } = await opened(folder);
    expect(findings).toEqual([
      { error: expect.stringContaining("5000 bytes were dropped") },
      { error: expect.stringContaining("drains of any node are held longer") },
    ]);
    expect(await ledger.read("d-2", never)).toEqual(drains[1]);
  });

  test.each<[string, (line: string) => string]>([
    ["no JSON", (line) => line.slice(0, 40)],
    ["garbage", () => "\u0000\u0001\u0002"],
    ["empty", () => ""],
    ["JSON of another kind", () => "[1]"],
    ["an entry of an unknown kind", (line) => line.replace('"deregistered"', '"unregistered"')],
    ["an entry without its registrations", (line) => line.replace('"of":[0]', '"of":"0"')],
  ])(
    "with a line in its middle that is %s is kept aside, the line is named, and all other entries are kept",
    async (_, spoil) => {
      const { folder, path, drains, text } = await written();
      const lines = text.split("\n");
      lines[2] = spoil(lines[2] ?? "");
      await writeFile(path, lines.join("\n"));
      const { ledger, findings, close } = await opened(folder);
      const aside = (await readdir(folder)).find((name) => name.includes("damaged")) ?? "";
      expect(findings).toEqual([
        {
          error: `these lines of the ledger can't be read: 3: the damaged file was kept as ${join(folder, aside)}, and the ledger continues without them`,
        },
        { error: "an entry of the drain is missing: it had ended", drain: "d-1", node: "i-0123456789abcdef0" },
      ]);
      expect(await readFile(join(folder, aside), "utf8")).toBe(lines.join("\n"));
      const left = await ledger.read("d-1", never);
      expect(left?.filter(({ type }) => type !== "gap")).toEqual(drains[0]?.filter(({ n }) => n !== 3));
      expect(await ledger.read("d-2", never)).toEqual(drains[1]);
      await close();
      expect((await opened(folder)).findings).toEqual([]);
    },
  );

  test("that can't be read in many lines names some, and says how many more there are", async () => {
    const { folder, path, text } = await written();
    await writeFile(path, `${"spoilt\n".repeat(30)}${text}`);
    const { findings } = await opened(folder);
    expect(findings[0]?.error).toMatch(/can't be read: 1, 2, 3, .*, 20 and 10 more: the damaged file was kept as/);
  });
});

describe("the ledger's folder", () => {
  const refusal = (folder: string) =>
    opened(folder).then(
      () => "",
      (error: Error) => error.message,
    );

  test("is one process's at a time", async () => {
    const folder = await stateDir();
    const first = await opened(folder);
    expect(await refusal(folder)).toBe("another process uses it: give each process its own directory");
    await first.close();
    await opened(folder);
  });

  test("may have a long name", async () => {
    const folder = join(await stateDir(), "x".repeat(120));
    await mkdir(folder);
    await opened(folder);
    expect(await refusal(folder)).toMatch(/^another process uses it/);
  });

  test("is free again when its process has died and could not say so", async () => {
    const folder = await stateDir();
    const path = join(folder, "lock");
    const dead = createServer().listen(path);
    await new Promise((resolve) => dead.once("listening", resolve));
    // Closing removes the socket: what a dead process leaves is a socket without a listener.
    await rename(path, `${path}.kept`);
    await new Promise((resolve) => dead.close(resolve));
    await rename(`${path}.kept`, path);
    await opened(folder);
  });

  test("has to be there, a directory, and without somebody else's lock", async () => {
    const folder = await stateDir();
    expect(await refusal(join(folder, "none"))).toBe("the directory does not exist: create it");
    await writeFile(join(folder, "file"), "");
    expect(await refusal(join(folder, "file"))).toBe("it is not a directory");
    expect(await refusal(join(folder, "file", "below"))).toBe("the directory does not exist: create it");
    await writeFile(join(folder, "lock"), "");
    expect(await refusal(folder)).toBe("'lock' in it is not a lock of this program: remove it");
  });

  test.skipIf(process.getuid?.() === 0)("has to be writable", async () => {
    const folder = await stateDir();
    await chmod(folder, 0o500);
    expect(await refusal(folder)).toBe("this user has no permission to write there (EACCES)");
  });
});
