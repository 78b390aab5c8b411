import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { jsonLog } from "../../src/observe/log.ts";
import { LOG_LINES } from "../../src/observe/log-lines.ts";
import { unlistedIn } from "../support/listed-lines.ts";
import { describedLines, TABLES, withLogLines } from "../support/log-document.ts";
import { sourceFiles } from "../support/source-tree.ts";

const MESSAGES = Object.keys(LOG_LINES);

describe("the list of log lines", () => {
  test.each(MESSAGES)("has '%s', which the program logs", (message) => {
    const others = sourceFiles("src").filter(({ path }) => !TABLES.includes(path));
    expect(others.filter(({ text }) => text.includes(`"${message}"`)).length).toBeGreaterThan(0);
  });

  test("says of each line what it means, in sentences", () => {
    const described = describedLines();
    expect(described.map(({ message }) => message).sort()).toEqual([...MESSAGES].sort());
    expect(described.filter(({ meaning }) => !/^[A-Z`].*\.$/.test(meaning))).toEqual([]);
  });

  test("begins each message with its object or event, in words that can be searched for", () => {
    expect(MESSAGES.filter((message) => !/^[a-z]+( [a-z]+){0,4}$/.test(message.replace("TLS", "")))).toEqual([]);
  });

  test("is what docs/log.md shows (`npm run docs` writes it)", () => {
    const document = readFileSync("docs/log.md", "utf8");
    expect(document).toContain("`target deregistered`");
    expect(document).toBe(withLogLines(document));
  });

  test("has every field that docs/log.md explains, and no other", () => {
    const [table = ""] = readFileSync("docs/log.md", "utf8").split("<!-- lines -->");
    const explained = [...table.matchAll(/^\| (.+?) \|/gm)].flatMap(([, cell = ""]) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name),
    );
    const fields = new Set(
      Object.values(LOG_LINES).flatMap((line) => line.fields.map((name: string) => name.replace("?", ""))),
    );
    expect(explained.length).toBeGreaterThan(20);
    // Codes in an explanation's first cell are names of fields alone.
    expect(new Set(explained)).toEqual(fields);
  });
});

describe("what tests hold every program's log to", () => {
  const logged = (write: (log: ReturnType<typeof jsonLog>) => void) => {
    let output = "";
    write(jsonLog({ level: "debug", now: () => 0, write: (line) => (output += line) }));
    return output;
  };

  test("takes lines as they are listed", () => {
    const about = { node: "i-1", group: "g", hook: "h" };
    const output = logged((log) => {
      log("hook completed", about);
      log("hook heartbeat sent", about);
    });
    expect(output).toContain('"level":"debug"');
    expect(unlistedIn(`some text\n${output}`)).toEqual([]);
  });

  test("finds a message, a level and fields that are not listed, and one that is missing", () => {
    const output = [
      { level: "info", msg: "a new line" },
      { level: "warn", msg: "stopped" },
      { level: "info", msg: "drain resumed", drain: "d-1", problem: "x" },
    ];
    expect(unlistedIn(output.map((line) => JSON.stringify(line)).join("\n"))).toEqual([
      "'a new line' is not listed",
      "'stopped' is logged at warn, and listed at info",
      "'drain resumed' has 'problem', which is not listed",
      "'drain resumed' lacks 'node'",
    ]);
  });
});

describe("the log without a library", () => {
  test("leaves out what is below its level", () => {
    const lines: string[] = [];
    const log = jsonLog({ level: "warn", now: () => 0, write: (line) => lines.push(line) });
    log("stopped", {});
    log("client rate limited", { client: "192.0.2.1" });
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { level: "warn", time: "1970-01-01T00:00:00.000Z", client: "192.0.2.1", msg: "client rate limited" },
    ]);
  });
});
