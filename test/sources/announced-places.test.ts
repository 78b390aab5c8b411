import { describe, expect, test } from "vitest";
import { AnnouncedPlaces, type NamedPlace } from "../../src/sources/announced-places.ts";
import { type Announcement, announced } from "../../src/sources/announcement.ts";
import { isOfOtherAccount, isOfOthers } from "../../src/sources/settlement.ts";

const OTHER = "444455556666";
const PLACES: readonly NamedPlace[] = [
  { name: "eu-west-1", region: "eu-west-1" },
  { name: `${OTHER}/eu-west-1`, region: "eu-west-1", accountId: OTHER },
  { name: `${OTHER}/us-east-1`, region: "us-east-1", accountId: OTHER },
];
const ACTION = { groupName: "workers", hookName: "drain" };

/** Where the hook of such an event waits, as a service that drains in `PLACES` reads it. */
function placeOf(event: Partial<Announcement>): string | undefined {
  const one: Announcement = {
    kind: "autoscaling-terminate",
    instanceId: "i-0123456789abcdef0",
    reason: "scale-in",
    lifecycleAction: ACTION,
    ...event,
  };
  const reading = new AnnouncedPlaces(PLACES).reading(() => announced([one]))("");
  if (reading.reading !== "announced") throw new Error("it announces something");
  return reading.announcements[0]?.lifecycleAction?.place;
}

describe("a service with several accounts and regions", () => {
  test.each([
    [{ region: "eu-west-1", accountId: OTHER }, `${OTHER}/eu-west-1`],
    [{ region: "us-east-1", accountId: OTHER }, `${OTHER}/us-east-1`],
    [{ region: "eu-west-1", accountId: "123456789012" }, "eu-west-1"],
    [{ region: "eu-west-1" }, "eu-west-1"],
    // Sent to the queue by Auto Scaling itself: such a message names no region.
    [{ accountId: OTHER }, `${OTHER}/eu-west-1`],
    [{ region: "us-east-1", accountId: "123456789012" }, undefined],
    [{ region: "ap-south-1", accountId: OTHER }, undefined],
  ])("answers the hook of an event of %j in the place %s", (event, place) => {
    expect(placeOf(event)).toBe(place);
    // Without the region there is no telling.
    if ("region" in event) expect(isOfOthers(event, PLACES)).toBe(place === undefined);
  });

  test("knows of a machine that comes back where that is", () => {
    const places = new AnnouncedPlaces(PLACES);
    const one: Announcement = {
      kind: "autoscaling-terminate",
      instanceId: "i-0123456789abcdef0",
      reason: "root volume",
      returns: true,
      region: "us-east-1",
      accountId: OTHER,
    };
    places.reading(() => announced([one]))("");
    expect(places.of(one.instanceId)).toBe(`${OTHER}/us-east-1`);
    expect(places.of("i-0123456789abcdef1")).toBeUndefined();
  });

  test("takes an instance that it does not find for another account's, unless that account is one of its own", () => {
    expect(isOfOtherAccount("999988887777", "123456789012", PLACES)).toBe(true);
    expect(isOfOtherAccount(OTHER, "123456789012", PLACES)).toBe(false);
    expect(isOfOtherAccount("123456789012", "123456789012", PLACES)).toBe(false);
    expect(isOfOtherAccount(OTHER, "123456789012")).toBe(true);
  });
});
