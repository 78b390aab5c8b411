import { describe, expect, test } from "vitest";
import { createEngine } from "../../src/app/engine.ts";
import { readConfig } from "../../src/config/config.ts";
import type { DrainEvent } from "../../src/drain/events.ts";
import { jsonLog, type Log } from "../../src/observe/log.ts";
import type { Listed } from "../../src/observe/log-line.ts";
import { LOG_LINES } from "../../src/observe/log-lines.ts";
import { drainLog } from "../../src/observe/logging.ts";
import { elbError, never, SimulatedRegion } from "../support/simulated-region.ts";

interface Line {
  readonly msg: string;
  readonly time: string;
  readonly repeated?: number;
}

const SECONDS = 1_000;

/** A log whose time a test sets. */
function logAt(start = 0) {
  const lines: (Line & Readonly<Record<string, unknown>>)[] = [];
  const at = { now: start };
  const log = jsonLog({ level: "debug", now: () => at.now, write: (line) => lines.push(JSON.parse(line)) });
  /** Says the same every five seconds, for so long. */
  const every5s = (seconds: number, say: (log: Log) => void) => {
    for (const end = at.now + seconds * SECONDS; at.now < end; at.now += 5 * SECONDS) say(log);
  };
  return { lines, at, log, every5s };
}

const RETRIED = Object.entries(LOG_LINES as Readonly<Record<string, Listed>>).filter(([, { subject }]) => subject);

describe("a failure that is retried every few seconds", () => {
  test.each(RETRIED)("has a line at once and one a minute, which counts the others: %s", (message, { fields }) => {
    const { lines, every5s } = logAt();
    const values = Object.fromEntries(fields.filter((name) => !name.endsWith("?")).map((name) => [name, "x"]));
    every5s(600, (log) => (log as (message: string, fields: object) => void)(message, values));
    expect(lines.map(({ time }) => (Date.parse(time) / SECONDS) % 60)).toEqual(Array.from({ length: 10 }, () => 0));
    expect(lines.map(({ repeated }) => repeated)).toEqual([undefined, ...Array.from({ length: 9 }, () => 11)]);
  });

  test("has a line at once when it changes", () => {
    const { lines, every5s } = logAt();
    every5s(30, (log) => log("queue read failed", { code: "unreachable", error: "1" }));
    every5s(30, (log) => log("queue read failed", { code: "access-denied", error: "2" }));
    expect(lines.map(({ code, time }) => [code, Date.parse(time) / SECONDS])).toEqual([
      ["unreachable", 0],
      ["access-denied", 30],
    ]);
  });

  test("has a line at once for each drain that it keeps waiting, and one a minute for all of them", () => {
    const { lines, every5s } = logAt();
    const pool = { kind: "alb", pool: "web", target: "i-1:80" };
    every5s(600, (log) => {
      for (let drain = 0; drain < 50; drain += 1)
        log("target health read failed", {
          drain: `d-${drain}`,
          node: "i-1",
          ...pool,
          code: "access-denied",
          error: "",
        });
    });
    expect(lines.filter(({ time }) => Date.parse(time) === 0)).toHaveLength(50);
    expect(lines).toHaveLength(50 + 9);
    expect(lines.reduce((sum, { repeated = 0 }) => sum + 1 + repeated, 0)).toBeGreaterThan(50 * 107);
  });

  test("is news after it was over, and the line that says so counts what was left out", () => {
    const { lines, log, every5s } = logAt();
    every5s(30, () => log("queue read failed", { code: "unreachable", error: "1" }));
    log("queue read recovered", {});
    every5s(30, () => log("queue read failed", { code: "unreachable", error: "1" }));
    expect(lines.map(({ msg, repeated }) => [msg, repeated])).toEqual([
      ["queue read failed", undefined],
      ["queue read recovered", 5],
      ["queue read failed", undefined],
    ]);
  });

  test("is written although the clock was set back by an hour", () => {
    const { lines, at, log } = logAt(7_200 * SECONDS);
    log("file reload failed", { error: "it is empty" });
    at.now = 3_600 * SECONDS;
    log("file reload failed", { error: "it is empty" });
    expect(lines).toHaveLength(2);
  });

  test("does not fill the memory, however many drains it is about", () => {
    const { lines, log } = logAt();
    for (let drain = 0; drain < 20_000; drain += 1)
      log("registrations read failed", { drain: `d-${drain}`, node: "i-1", code: "throttled", error: "" });
    expect(lines).toHaveLength(1_000);
  });
});

test("a look that AWS denies for ten minutes, in five pools, takes a line a minute of the log", async () => {
  const region = new SimulatedRegion();
  const node = region.node();
  for (const name of ["a", "b", "c", "d", "e"]) region.group({ name, nodes: [node, region.node()], delaySeconds: 30 });
  const lines: Line[] = [];
  const log = jsonLog({ level: "info", now: () => region.clock.now(), write: (line) => lines.push(JSON.parse(line)) });
  const events: DrainEvent[] = [];
  const environment = { CLOUDPROVIDER: "aws", SECRET: "s", AWS_REGION: region.world.region, INDEX_RATE: "0" };
  const { drainer } = createEngine(readConfig({ verb: "serve", environment }), {
    clock: region.clock,
    aws: region.aws(),
    observers: [drainLog(log), (event) => events.push(event)],
  });
  region.world.watch(({ type }) => {
    if (type !== "target-deregistered") return;
    region.intercept = ({ action }) =>
      action === "DescribeTargetHealth" ? elbError("AccessDenied", "User: x is not authorized", 403) : undefined;
  });
  const request = { node: { by: "id", value: node.id }, dryRun: false, timeoutMs: 600_000 } as const;
  expect(await region.clock.run(drainer.drain(request, never))).toMatchObject({ status: "deadline-passed" });
  const looks = events.filter(({ type }) => type === "poll-failed").length;
  const written = lines.filter(({ msg }) => msg === "target health read failed");
  expect(looks).toBeGreaterThan(500);
  expect(written.length).toBeLessThanOrEqual(11);
  expect(written.reduce((sum, { repeated = 0 }) => sum + 1 + repeated, 0)).toBeGreaterThan(looks - 70);
});
