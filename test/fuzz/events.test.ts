import fc, { type Arbitrary } from "fast-check";
import { describe, expect, test } from "vitest";
import { nodeReference } from "../../src/drain/request.ts";
import type { Announcement, EventReading } from "../../src/sources/announcement.ts";
import { readEvent } from "../../src/sources/events/read-event.ts";
import { BODY_NAMES, body } from "../sources/events/bodies.ts";
import { countOfCases } from "../support/cases.ts";
import { bytes, mangled, nearlyRight } from "./event-bodies.ts";
import { SEED } from "./fuzz-seed.ts";

const BODIES = BODY_NAMES.map(body);
/** What may stand in a line of a log. */
const ONE_LINE = /^[^\p{C}\p{Zl}\p{Zp}]{1,400}$/u;
const FIELD_CHARACTERS_MAX = 255;

const counts: Record<EventReading["reading"], number> = { announced: 0, "nothing-asked": 0, malformed: 0 };

function expectSoundAnnouncement(announcement: Announcement): void {
  const { instanceId, announcedAt, deadline, lifecycleAction, accountId, region, reason } = announcement;
  expect(nodeReference("id", instanceId).value).toBe(instanceId);
  for (const moment of [announcedAt, deadline]) if (moment !== undefined) expect(moment).toSatisfy(Number.isFinite);
  const { groupName, hookName, token } = lifecycleAction ?? { groupName: "-", hookName: "-", token: "-" };
  for (const text of [token, accountId, region, reason]) {
    if (text !== undefined) expect(text).toMatch(ONE_LINE);
  }
  // Names are their owner's: AWS allows characters in them that a log does not print as they are.
  for (const text of [groupName, hookName, token, accountId, region, reason]) {
    if (text !== undefined) expect([...text].length).toBeLessThanOrEqual(FIELD_CHARACTERS_MAX);
  }
}

/** One of the three readings, whole, and nothing thrown. */
function expectSoundReading(text: string): void {
  const reading = readEvent(text);
  counts[reading.reading] += 1;
  if (reading.reading === "announced") {
    expect(reading.announcements.length).toBeGreaterThan(0);
    for (const announcement of reading.announcements) expectSoundAnnouncement(announcement);
    // A hook whose name or token can't be read is left to its timeout, which is said.
    const isLeft = reading.announcements.some(
      ({ kind, lifecycleAction }) => kind === "autoscaling-terminate" && lifecycleAction === undefined,
    );
    if (isLeft) expect(reading.problems?.length).toBeGreaterThan(0);
  } else {
    expect(reading.reading === "malformed" ? reading.problem : reading.what).toMatch(ONE_LINE);
  }
}

const KINDS: readonly [what: string, texts: Arbitrary<string>, runs: number][] = [
  ["that are nearly right", nearlyRight(BODIES), 6_000],
  ["made of right ones, mangled", mangled(BODIES), 2_000],
  ["of any JSON", fc.json(), 1_000],
  ["of any bytes", bytes(), 1_000],
];

describe(`bodies of events by the thousand are read, and nothing is thrown (FUZZ_SEED=${SEED})`, () => {
  test.each(KINDS)("%s", (_, texts, runs) => {
    fc.assert(fc.property(texts, expectSoundReading), { seed: SEED, numRuns: countOfCases(runs) });
  });

  test("of all of them each reading was had by many", () => {
    expect(counts.announced + counts["nothing-asked"] + counts.malformed).toBe(countOfCases(10_000));
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(countOfCases(1_000));
  });
});
