import { expect, test } from "vitest";
import { SharedCall } from "../../src/aws/shared-call.ts";
import { newAbort } from "../../src/drain/abort.ts";
import type { CallFor } from "../../src/drain/cloud-provider.ts";
import { never } from "../support/simulated-region.ts";

/** Calls that wait until the test sends them, and then until it answers. */
class Scene {
  readonly calls: {
    send: () => readonly string[];
    answer: (text: string) => void;
    fail: (error: unknown) => void;
    by: CallFor;
  }[] = [];
  readonly shared = new SharedCall<string, string>((about, by) => {
    return new Promise((resolve, reject) => {
      this.calls.push({ send: () => [...about()], answer: resolve, fail: reject, by });
      by.signal.addEventListener("abort", () => reject(by.signal.reason));
    });
  });

  ask(about: string, signal: AbortSignal = never, deadline = Number.POSITIVE_INFINITY): Promise<string> {
    return this.shared.ask(about, { urgency: () => ({ purpose: "find", deadline }), signal });
  }
}

test("all who ask before it is sent share one call, who asks later gets the next", async () => {
  const scene = new Scene();
  const early = [scene.ask("a"), scene.ask("b")];
  expect(scene.calls[0]?.send()).toEqual(["a", "b"]);
  const late = scene.ask("c");
  scene.calls[0]?.answer("first");
  expect(scene.calls[1]?.send()).toEqual(["c"]);
  scene.calls[1]?.answer("second");
  expect(await Promise.all([...early, late])).toEqual(["first", "first", "second"]);
});

test("one who asks twice is asked about twice", async () => {
  const scene = new Scene();
  const by: CallFor = { urgency: () => ({ purpose: "find", deadline: 0 }), signal: never };
  const both = [scene.shared.ask("a", by), scene.shared.ask("b", by)];
  expect(scene.calls[0]?.send()).toEqual(["a", "b"]);
  scene.calls[0]?.answer("x");
  expect(await Promise.all(both)).toEqual(["x", "x"]);
});

test("it is as urgent as the most urgent of those who still wait", () => {
  const scene = new Scene();
  const leaving = newAbort();
  void scene.ask("a", never, 9_000);
  scene.ask("b", leaving.signal, 1_000).catch(() => {});
  expect(scene.calls[0]?.by.urgency().deadline).toBe(1_000);
  leaving.abort();
  expect(scene.calls[0]?.by.urgency().deadline).toBe(9_000);
  scene.calls[0]?.answer("x");
});

test("whoever leaves is not asked about, and leaves the others' call alone; the last one ends it", async () => {
  const scene = new Scene();
  const [first, second] = [newAbort(), newAbort()];
  const asks = [scene.ask("a", first.signal), scene.ask("b", second.signal)];
  first.abort("one");
  await expect(asks[0]).rejects.toBe("one");
  expect(scene.calls[0]?.by.signal.aborted).toBe(false);
  expect(scene.calls[0]?.send()).toEqual(["b"]);
  second.abort("two");
  await expect(asks[1]).rejects.toBe("two");
  expect(scene.calls[0]?.by.signal.aborted).toBe(true);
});

test("a call that everybody left before it was sent is nobody's any more", async () => {
  const scene = new Scene();
  const leaving = newAbort();
  const left = scene.ask("a", leaving.signal);
  leaving.abort("gone");
  const next = scene.ask("b");
  await expect(left).rejects.toBe("gone");
  expect(scene.calls).toHaveLength(2);
  expect(scene.calls[1]?.send()).toEqual(["b"]);
  scene.calls[1]?.answer("x");
  expect(await next).toBe("x");
});

test("its failure is everybody's, and the next ask makes a new call", async () => {
  const scene = new Scene();
  const asks = [scene.ask("a"), scene.ask("b")];
  scene.calls[0]?.fail("broken");
  expect(await Promise.allSettled(asks)).toMatchObject([{ reason: "broken" }, { reason: "broken" }]);
  const next = scene.ask("c");
  scene.calls[1]?.answer("x");
  expect(await next).toBe("x");
});

test("who comes with an aborted signal asks nobody", async () => {
  const scene = new Scene();
  await expect(scene.ask("a", AbortSignal.abort("gone"))).rejects.toBe("gone");
  expect(scene.calls).toEqual([]);
});
