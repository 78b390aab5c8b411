import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { newAbort, withAnyOf } from "../../src/drain/abort.ts";
import { withLimit } from "../../src/drain/limit.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";

/** What Node keeps in a signal about signals that depend on it. */
function dependants(signal: AbortSignal): number {
  const key = Object.getOwnPropertySymbols(signal).find(({ description }) => description === "kDependantSignals");
  return key === undefined ? 0 : ((signal as unknown as Record<symbol, Set<unknown> | undefined>)[key]?.size ?? 0);
}

describe("a signal that lives as long as the service keeps nothing of what waited for it:", () => {
  test("not of work with several signals, however it ended", async () => {
    const { signal } = newAbort();
    for (let time = 0; time < 10; time++) {
      await withAnyOf([signal, newAbort().signal], async () => {});
      await withAnyOf([signal, newAbort().signal], () => Promise.reject(new Error("failed"))).catch(() => {});
    }
    expect(getEventListeners(signal, "abort")).toEqual([]);
    expect(dependants(signal)).toBe(0);
  });

  test("not of work under a limit", async () => {
    const { signal } = newAbort();
    const clock = new VirtualClock();
    const limit = { reason: "timeout", at: clock.now() + 1_000 } as const;
    for (let time = 0; time < 10; time++) await withLimit({ clock, limit, signal }, async () => {});
    expect(getEventListeners(signal, "abort")).toEqual([]);
    expect(dependants(signal)).toBe(0);
  });
});

describe("work with several signals", () => {
  test("is told by the first that aborts, with its reason, and by no other", async () => {
    const [one, other] = [newAbort(), newAbort()];
    const seen = await withAnyOf([one.signal, other.signal], async (signal) => {
      other.abort("the other");
      one.abort("the one");
      return signal.reason;
    });
    expect(seen).toBe("the other");
  });

  test("begins aborted where one has aborted already", async () => {
    const gone = newAbort();
    gone.abort("gone");
    expect(await withAnyOf([newAbort().signal, gone.signal], async (signal) => signal.reason)).toBe("gone");
  });
});
