import { describe, expect, test } from "vitest";
import type { EventReading } from "../../src/sources/announcement.ts";
import { MalformedEvent } from "../../src/sources/events/event-fields.ts";
import { type MetadataKind, readIdentity } from "../../src/sources/metadata/metadata-kind.ts";
import { scheduledMaintenance } from "../../src/sources/metadata/scheduled-maintenance.ts";
import { spotAction } from "../../src/sources/metadata/spot-action.ts";
import { targetLifecycleState } from "../../src/sources/metadata/target-lifecycle-state.ts";
import { ID } from "../support/account.ts";

const IDENTITY = { instanceId: ID, region: "eu-west-1", accountId: "123456789012" };
const announcementsOf = (reading: EventReading) => (reading.reading === "announced" ? reading.announcements : []);
const read = (kind: MetadataKind, body: string) => announcementsOf(kind.read(body, IDENTITY));

const MAINTENANCE = {
  NotBefore: "21 Jan 2019 09:00:43 GMT",
  NotAfter: "21 Jan 2019 09:17:23 GMT",
  Code: "system-reboot",
  Description: "scheduled reboot",
  EventId: "instance-event-0d59937288b749b32",
  State: "active",
};

describe("of this machine's departure", () => {
  test.each(["terminate", "stop", "hibernate", "whatever-comes"])("a spot action tells: %s", (action) => {
    expect(read(spotAction, JSON.stringify({ action, time: "2020-04-24T17:11:44Z" }))).toEqual([
      {
        kind: "spot-interruption",
        ...IDENTITY,
        deadline: Date.UTC(2020, 3, 24, 17, 11, 44),
        reason: `spot interruption: ${action}`,
      },
    ]);
  });

  test("a spot action tells without a time too, which hibernation needs none of", () => {
    const [announcement] = read(spotAction, '{"action":"hibernate"}');
    expect(announcement).toEqual({ kind: "spot-interruption", ...IDENTITY, reason: "spot interruption: hibernate" });
  });

  test.each(["instance-reboot", "instance-retirement", "instance-stop", "system-maintenance", "system-reboot"])(
    "scheduled maintenance tells: %s",
    (Code) => {
      expect(read(scheduledMaintenance, JSON.stringify([{ ...MAINTENANCE, Code }]))).toEqual([
        {
          kind: "scheduled-change",
          ...IDENTITY,
          deadline: Date.UTC(2019, 0, 21, 9, 0, 43),
          eventId: "instance-event-0d59937288b749b32",
          ...(/reboot|maintenance/.test(Code) ? { reboots: true } : {}),
          reason: `scheduled maintenance: ${Code}`,
        },
      ]);
    },
  );

  test("maintenance tells of each that is active, and of no other", () => {
    const events = ["completed", "canceled", "active", "active"].map((State, index) => ({
      ...MAINTENANCE,
      State,
      EventId: `e-${index}`,
    }));
    expect(read(scheduledMaintenance, JSON.stringify(events)).map(({ eventId }) => eventId)).toEqual(["e-2", "e-3"]);
    expect(read(scheduledMaintenance, "[]")).toEqual([]);
    expect(read(scheduledMaintenance, JSON.stringify([{ ...MAINTENANCE, Code: "party" }]))).toEqual([]);
  });

  test.each([
    ["Terminated", true],
    ["Terminating:Retained", true],
    ["Warmed:Terminating:Retained", true],
    ["Warmed:Stopped", true],
    ["Warmed:Hibernated\n", true],
    ["InService", false],
    ["Standby", false],
    ["Detached", false],
  ])("Auto Scaling's target state %j tells: %s", (state, tells) => {
    const reason = `Auto Scaling: ${state.trim()}`;
    expect(read(targetLifecycleState, state)).toEqual(
      tells ? [{ kind: "autoscaling-terminate", ...IDENTITY, reason }] : [],
    );
  });
});

test("the identity document says which machine it is, and where", () => {
  expect(readIdentity(JSON.stringify({ ...IDENTITY, availabilityZone: "eu-west-1a", billingProducts: null }))).toEqual(
    IDENTITY,
  );
});

describe("maintenance is judged item by item", () => {
  const ONE = { kind: "scheduled-change", ...IDENTITY, reboots: true, reason: "scheduled maintenance: system-reboot" };

  test("one that can't be read hides no other, and is told of", () => {
    const body = JSON.stringify([{ Description: "x" }, "x", MAINTENANCE, { ...MAINTENANCE, NotBefore: "soon" }]);
    expect(scheduledMaintenance.read(body, IDENTITY)).toMatchObject({
      reading: "announced",
      announcements: [{ eventId: MAINTENANCE.EventId }],
      problems: [
        "the body[1] is a text, not an object",
        "the body[0].Code is missing",
        "the body[3].NotBefore is 'soon', not a time",
      ],
    });
  });

  test("one without a state or an id is announced, for neither is needed", () => {
    expect(read(scheduledMaintenance, '[{"Code":"system-reboot"}]')).toEqual([ONE]);
    expect(read(scheduledMaintenance, '[{"Code":"system-reboot","State":"active"}]')).toEqual([ONE]);
  });

  test("one in place of a list is a list of one", () => {
    expect(read(scheduledMaintenance, '{"Code":"system-reboot","State":"active"}')).toEqual([ONE]);
    expect(scheduledMaintenance.read("{}", IDENTITY)).toEqual({
      reading: "malformed",
      problem: "the body[0].Code is missing",
    });
  });

  test("a code that AWS may add counts by what it speaks of", () => {
    const termination = JSON.stringify([{ ...MAINTENANCE, Code: "instance-termination" }]);
    expect(read(scheduledMaintenance, termination)).toMatchObject([{ kind: "scheduled-change" }]);
    expect(read(scheduledMaintenance, JSON.stringify([{ ...MAINTENANCE, Code: "instance-network" }]))).toEqual([]);
  });

  test("where none can be read, nobody knows whether there is some", () => {
    expect(scheduledMaintenance.read('["x"]', IDENTITY)).toEqual({
      reading: "malformed",
      problem: "the body[0] is a text, not an object",
    });
  });
});

test("a machine whose root volume is replaced comes back", () => {
  expect(read(targetLifecycleState, "RootVolumeReplaced")).toMatchObject([{ returns: true }]);
  expect(read(targetLifecycleState, "Terminated")[0]).not.toHaveProperty("returns");
});

describe("what can't be understood is malformed, and the problem names it in one short line:", () => {
  const spot = (body: string) => spotAction.read(body, IDENTITY);
  const maintenance = (body: string) => scheduledMaintenance.read(body, IDENTITY);
  const state = (body: string) => targetLifecycleState.read(body, IDENTITY);
  test.each([
    ["no JSON", spot, "<html>", /^the body is not JSON: it begins with '<html>'$/],
    ["an empty body", spot, "", /^the body is not JSON/],
    ["a list", spot, "[]", /^the body is a list, not an object$/],
    ["no action", spot, "{}", /^action is missing$/],
    ["a number as action", spot, '{"action":1}', /^action is 1, not a text$/],
    ["a time that is none", spot, '{"action":"stop","time":"soon"}', /^time is 'soon', not a time$/],
    ["an escape sequence", spot, '{"action":"\\u001b[31m"}', /^action is '\?\[31m', not 1 to 255 printable/],
    ["a text in place of a list", maintenance, '"x"', /^the body is a text, not a list$/],
    ["a page as state", state, "<html>", /^the body is '<html>', not a lifecycle state$/],
    ["a state without end", state, "x".repeat(100_000), /^the body is 'x{80}…', not a lifecycle state$/],
    ["an identity without an id", readIdentity, "{}", /^instanceId is missing$/],
    ["an identity of something else", readIdentity, '{"instanceId":"mi-0"}', /^instanceId is 'mi-0', not an instance/],
  ] as const)("%s", (_, reader, body, says) => {
    const problem = () => reader(body);
    expect(problem).toThrow(MalformedEvent);
    expect(problem).toThrow(says);
  });
});
