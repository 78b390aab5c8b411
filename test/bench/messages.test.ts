import { expect, test } from "vitest";
import { type Ended, faultsOf } from "../../bench/messages/faults.ts";
import { messagesOf, mixOf } from "../../bench/messages/mix.ts";
import { outcomesOf } from "../../bench/messages/outcomes.ts";
import { messagesRow } from "../../bench/messages/rows.ts";
import { messagesTable } from "../../bench/messages/table.ts";
import { readEvent } from "../../src/sources/events/read-event.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");

function waitingFor({ nodes }: ReturnType<typeof mixOf>) {
  const hooked = nodes.filter(({ departs }) => departs === "scaledIn");
  return hooked.map(({ id }) => ({ instanceId: id, group: "asg", hook: "drain", token: "0".repeat(36) }));
}

test("a mix is as many messages as it says, which the product's own readers take for what they are", () => {
  const mix = mixOf(300);
  const messages = messagesOf(mix, waitingFor(mix), NOW);
  expect(messages).toHaveLength(300);
  const readings = messages.map(readEvent);
  const asked = readings.flatMap((one) => (one.reading === "announced" ? one.announcements : []));
  const asking = asked.filter(({ isVoluntary }) => isVoluntary !== true);
  expect(asking).toHaveLength(mix.asking);
  expect(new Set(asking.map(({ instanceId }) => instanceId))).toEqual(new Set(mix.nodes.map(({ id }) => id)));
  expect(asked.filter(({ lifecycleAction }) => lifecycleAction !== undefined)).toHaveLength(60);
  expect(readings.filter(({ reading }) => reading === "malformed")).toHaveLength(mix.malformed);
  expect(messagesOf(mix, waitingFor(mix), NOW)).toEqual(messages);
  expect(() => mixOf(150)).toThrow("150 messages are no whole hundreds");
});

test("a run that has lost anything, or done it twice, is told for what it is", () => {
  const mix = mixOf(100);
  const line = (node: string, outcome: string) => JSON.stringify({ node, outcome });
  const lines = mix.nodes.map(({ id, isRegistered }) => line(id, isRegistered ? "drained" : "nothing-registered"));
  const deregisteredAt = Object.fromEntries(mix.nodes.map(({ id }) => [id, NOW]));
  const report = { hooksContinued: 20, hookCalls: 20, stillRegistered: 0, deregisteredAt, isRead: true };
  const good: Ended = { mix, outcomes: outcomesOf(lines), report, left: mix.malformed };
  expect(faultsOf(good)).toEqual([]);
  const [first = { id: "" }] = mix.nodes;
  expect(faultsOf({ ...good, left: 3 })).toEqual(["3 messages are left, not the 2 malformed ones"]);
  expect(faultsOf({ ...good, report: { ...report, hooksContinued: 19 } })).toEqual(["19 of 20 hooks were completed"]);
  expect(faultsOf({ ...good, report: { ...report, hookCalls: 21 } })).toEqual(["21 calls completed 20 hooks"]);
  expect(faultsOf({ ...good, report: { ...report, stillRegistered: 1 } })).toEqual(["1 registrations stayed"]);
  expect(faultsOf({ ...good, outcomes: outcomesOf(lines.slice(1)) })).toContain(`nobody has drained ${first.id}`);
  const failed = outcomesOf([...lines, line(first.id, "failed")]);
  expect(faultsOf({ ...good, outcomes: failed })).toEqual([`a drain of ${first.id} ended as failed`]);
  const { [first.id]: _, ...others } = deregisteredAt;
  expect(faultsOf({ ...good, report: { ...report, deregisteredAt: others } })).toEqual([
    `${first.id} was never deregistered`,
  ]);
});

test("the service empties a queue of a hundred mixed messages, as does the bare loop that it is compared with", async () => {
  const row = await messagesRow({ messages: 100, runs: 1 }, () => {});
  expect(row).toMatchObject({ messages: 100, nodes: 70 });
  expect(row.joined).toBeGreaterThanOrEqual(0);
  for (const [name, value] of Object.entries(row)) expect(Number.isFinite(value), name).toBe(true);
  expect(row.peakMiB).toBeGreaterThan(20);
  const [head, rule, line] = messagesTable([row]).split("\n");
  expect(line?.length).toBe(head?.length);
  expect(rule?.length).toBe(head?.length);
});
