import { expect, test } from "vitest";
import { Successors } from "../../src/app/successors.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";

const instanceOf = async (node: string) => `i-${node}`;

test("a leader hands over where its node leaves, and a replica is on a node that stays", async () => {
  const successors = new Successors(new VirtualClock());
  successors.heard({ from: "other", node: "b" });
  successors.leaves("i-b");
  expect(await successors.comparedWith("a", instanceOf)).toEqual({ leaves: false, hasBetter: false });
  successors.leaves("i-a");
  expect(await successors.comparedWith("a", instanceOf)).toEqual({ leaves: true, hasBetter: false });
});

test("a node whose drain was cancelled, refused or undone does not leave any more", async () => {
  const successors = new Successors(new VirtualClock());
  successors.heard({ from: "other", node: "b" });
  for (const id of ["i-a", "i-b"]) successors.leaves(id);
  successors.stays("i-b");
  expect(await successors.comparedWith("a", instanceOf)).toEqual({ leaves: true, hasBetter: true });
  successors.stays("i-a");
  expect(await successors.comparedWith("a", instanceOf)).toEqual({ leaves: false, hasBetter: false });
});
