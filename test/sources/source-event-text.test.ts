import { describe, expect, test } from "vitest";
import { DrainError } from "../../src/drain/errors.ts";
import { LOG_LINES } from "../../src/observe/log-lines.ts";
import { sourceLine } from "../../src/sources/source-event-text.ts";
import type { HookEvent, QueueEvent } from "../../src/sources/source-events.ts";
import { unlistedIn } from "../support/listed-lines.ts";

const error = new DrainError("access-denied", "AWS denied it");
const action = { groupName: "workers", hookName: "drain", token: "87654321-4321-4321-4321-210987654321" };
const messageId = "m-1";
const announcement = {
  kind: "autoscaling-terminate",
  instanceId: "i-00000001",
  reason: "scale-in",
  eventId: "e-1",
  region: "eu-west-1",
  lifecycleAction: action,
} as const;
const hook = { action, instanceId: "i-00000001" };
const failed = { code: "access-denied", error: "AWS denied it" };
const waiting = { node: "i-00000001", group: "workers", hook: "drain" };

const ROWS: readonly (readonly [QueueEvent | HookEvent, level: string, about: object])[] = [
  [
    { type: "announced", messageId, announcement, deadline: 0 },
    "info",
    {
      messageId: "m-1",
      event: "autoscaling-terminate",
      reason: "scale-in",
      eventId: "e-1",
      region: "eu-west-1",
      deadline: "1970-01-01T00:00:00.000Z",
      ...waiting,
    },
  ],
  [{ type: "redelivered", messageId }, "info", { messageId: "m-1" }],
  [{ type: "nothing-asked", messageId, what: "a\u001b[31mb" }, "info", { messageId: "m-1", detail: "a?[31mb" }],
  [
    { type: "malformed", messageId, problem: "why", receives: 3 },
    "warn",
    { messageId: "m-1", error: "why", receives: 3 },
  ],
  [
    { type: "foreign", messageId, announcement: { ...announcement, region: "us-east-1" } },
    "info",
    expect.objectContaining({ region: "us-east-1", node: "i-00000001" }),
  ],
  [
    { type: "settled", messageId, instanceIds: ["i-1"], message: "delete" },
    "info",
    { messageId: "m-1", nodes: ["i-1"] },
  ],
  [
    { type: "settled", messageId, instanceIds: ["i-1"], message: "leave" },
    "warn",
    { messageId: "m-1", nodes: ["i-1"] },
  ],
  [
    { type: "settled", messageId, instanceIds: ["i-1"], message: "release" },
    "info",
    { messageId: "m-1", nodes: ["i-1"] },
  ],
  [{ type: "not-settled", messageId, error }, "error", { messageId: "m-1", ...failed }],
  [{ type: "hidden-too-long", messageId }, "warn", { messageId: "m-1" }],
  [{ type: "not-hidden", messageId, error }, "warn", { messageId: "m-1", ...failed }],
  [{ type: "not-receiving", error }, "error", failed],
  [{ type: "receiving" }, "info", {}],
  [{ type: "hook-heartbeat", ...hook }, "debug", waiting],
  [{ type: "hook-heartbeat-failed", ...hook, error }, "warn", { ...waiting, ...failed }],
  [{ type: "hook-continued", ...hook }, "info", waiting],
  [{ type: "hook-over", ...hook }, "info", waiting],
  [{ type: "hook-not-completed", ...hook, error }, "error", { ...waiting, ...failed }],
];

describe("the log of a queue", () => {
  test.each(ROWS)("of $type says which message, node and hook, and what was done", (event, level, about) => {
    const line = sourceLine(event);
    expect(line.fields).toEqual(about);
    expect(LOG_LINES[line.message].level).toBe(level);
    expect(unlistedIn(JSON.stringify({ level, msg: line.message, ...line.fields }))).toEqual([]);
  });

  test("says each thing in words of its own, and a hook's token never", () => {
    const lines = ROWS.map(([event]) => sourceLine(event));
    expect(new Set(lines.map(({ message }) => message)).size).toBe(ROWS.length);
    expect(JSON.stringify(lines)).not.toContain(action.token);
  });
});
