import fc from "fast-check";
import { expect } from "vitest";
import { script, world } from "./arbitraries.ts";
import type { ModelCase } from "./model-case.ts";
import { play } from "./play.ts";
import { type Run, runOf } from "./seeds.ts";

/** What so many cases must have seen, or they have shown nothing. */
const SEEN_AFTER_CASES = 1_000;
const TO_BE_SEEN = [
  ...["refused", "cancelled", "undone", "registered", "register-failed", "guarded"],
  ...["drained", "nothing-registered", "deadline-passed", "failed", "abandoned"],
  ...["joined", "resumed", "released", "deregistering-again", "deregister-failed", "poll-failed"],
];

const seen = new Set<string>();
let cases = 0;

/** Plays random scripts in random worlds. What a failure prints is the smallest script that fails the same way. */
export async function playCases(run: Run): Promise<void> {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on("unhandledRejection", note);
  try {
    const property = fc.asyncProperty(world, script, async (spec, commands) => {
      for (const kind of kindsOf(await play(spec, commands))) seen.add(kind);
      cases += 1;
      if (unhandled.length > 0) throw unhandled[0];
    });
    await fc.assert(property, runOf(run));
  } finally {
    process.off("unhandledRejection", note);
  }
}

/** What all cases of this process so far have met. */
export function expectAllSeen(): void {
  if (cases >= SEEN_AFTER_CASES) expect([...seen]).toEqual(expect.arrayContaining(TO_BE_SEEN));
}

function kindsOf({ events }: ModelCase): readonly string[] {
  return events.map(({ event }) => (event.type === "ended" ? event.outcome.status : event.type));
}
