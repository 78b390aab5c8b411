import { describe, expect, test } from "vitest";
import { SharedCall } from "../../src/aws/shared-call.ts";
import { newAbort } from "../../src/drain/abort.ts";
import type { CallFor } from "../../src/drain/cloud-provider.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { never } from "../support/simulated-region.ts";

/** Calls that wait until the test sends them, and then until it answers. */
class Scene {
  readonly calls: {
    send: () => readonly string[];
    answer: (text: string) => void;
    fail: (error: unknown) => void;
    by: CallFor;
  }[] = [];
  readonly shared: SharedCall<string, string>;

  constructor(clock?: VirtualClock) {
    const make: ConstructorParameters<typeof SharedCall<string, string>>[0] = (about, by) =>
      new Promise((resolve, reject) => {
        this.calls.push({ send: () => [...about()], answer: resolve, fail: reject, by });
        if (by.signal.aborted) reject(by.signal.reason);
        by.signal.addEventListener("abort", () => reject(by.signal.reason));
      });
    this.shared = new SharedCall(make, clock);
  }

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

test.each(["is answered", "fails", "is left"])(
  "a call that %s hears no more of what made its callers more urgent",
  async (end) => {
    const { shared, calls } = new Scene();
    const rises = new Set<() => void>();
    const onRise = (rise: () => void) => {
      rises.add(rise);
      return () => rises.delete(rise);
    };
    const leaving = newAbort();
    const urgency = () => ({ purpose: "verify", deadline: Number.POSITIVE_INFINITY }) as const;
    const asked = ["a", "b"].map((about) => shared.ask(about, { urgency, onRise, signal: leaving.signal }));
    expect(rises.size).toBe(2);
    calls[0]?.send();
    if (end === "is answered") calls[0]?.answer("yes");
    else if (end === "fails") calls[0]?.fail(new Error("no"));
    else leaving.abort(new Error("left"));
    await Promise.allSettled(asked);
    await new Promise(setImmediate);
    expect(rises.size).toBe(0);
  },
);

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

test("with a clock, those who ask one by one while a call is under way share the next one", async () => {
  const clock = new VirtualClock();
  const scene = new Scene(clock);
  const first = scene.ask("a");
  scene.calls[0]?.send();
  const late = ["b", "c"].map((about) => scene.ask(about));
  await clock.advance(499);
  late.push(scene.ask("d"));
  expect(scene.calls).toHaveLength(1);
  scene.calls[0]?.answer("x");
  expect(await first).toBe("x");
  await clock.advance(0);
  expect(scene.calls[1]?.send()).toEqual(["b", "c", "d"]);
  scene.calls[1]?.answer("y");
  expect(await Promise.all(late)).toEqual(["y", "y", "y"]);
  expect(clock.sleeping).toBe(0);
});

test.each(["fails", "is left by everybody"])("a call that %s keeps the next one waiting no longer", async (end) => {
  const clock = new VirtualClock();
  const scene = new Scene(clock);
  const leaving = newAbort();
  const first = scene.ask("a", leaving.signal);
  scene.calls[0]?.send();
  const next = scene.ask("b");
  if (end === "fails") scene.calls[0]?.fail("over");
  else leaving.abort("over");
  await expect(first).rejects.toBe("over");
  await clock.advance(0);
  expect(scene.calls[1]?.send()).toEqual(["b"]);
  scene.calls[1]?.answer("y");
  expect(await next).toBe("y");
});

test("a call that is not answered keeps the next one waiting for half a second", async () => {
  const clock = new VirtualClock();
  const scene = new Scene(clock);
  const hanging = scene.ask("a");
  scene.calls[0]?.send();
  const next = scene.ask("b");
  await clock.advance(500);
  expect(scene.calls[1]?.send()).toEqual(["b"]);
  const third = scene.ask("c");
  // An old call's end is nobody's signal.
  scene.calls[0]?.answer("x");
  await clock.advance(0);
  expect(scene.calls).toHaveLength(2);
  scene.calls[1]?.answer("y");
  await clock.advance(0);
  scene.calls[2]?.answer("z");
  expect(await Promise.all([hanging, next, third])).toEqual(["x", "y", "z"]);
});

test("whoever leaves while it gathers is not asked about, and the last one leaves nothing behind", async () => {
  const clock = new VirtualClock();
  const scene = new Scene(clock);
  const first = scene.ask("a");
  expect(scene.calls[0]?.send()).toEqual(["a"]);
  const leaving = newAbort();
  const left = scene.ask("b", leaving.signal);
  leaving.abort("gone");
  await expect(left).rejects.toBe("gone");
  await clock.advance(0);
  expect(clock.sleeping).toBe(0);
  const next = scene.ask("c");
  scene.calls[0]?.answer("x");
  await clock.advance(0);
  const others = scene.calls.slice(1).flatMap(({ by, send }) => (by.signal.aborted ? [] : [send()]));
  expect(others).toEqual([["c"]]);
  scene.calls.at(-1)?.answer("y");
  expect(await Promise.all([first, next])).toEqual(["x", "y"]);
});

test("a call that asks what it is about before it waits for anything is made like any other", async () => {
  const made: (readonly string[])[] = [];
  const shared = new SharedCall<string, number>(async (about) => made.push(about()));
  const by: CallFor = { urgency: () => ({ purpose: "find", deadline: 0 }), signal: never };
  expect(await Promise.all([shared.ask("a", by), shared.ask("b", by)])).toEqual([1, 2]);
  expect(made).toEqual([["a"], ["b"]]);
  expect(await shared.ask("c", by)).toBe(3);
});

test("a call that fails before it waits for anything fails those who asked, and no later ones", async () => {
  let fails = true;
  const shared = new SharedCall<string, readonly string[]>((about) => {
    if (fails) throw new Error("no");
    return Promise.resolve(about());
  });
  const by: CallFor = { urgency: () => ({ purpose: "find", deadline: 0 }), signal: never };
  await expect(shared.ask("a", by)).rejects.toThrow("no");
  fails = false;
  expect(await shared.ask("b", by)).toEqual(["b"]);
});

describe("a call in flight", () => {
  const by = (signal: AbortSignal = never): CallFor => ({ urgency: () => ({ purpose: "guard", deadline: 0 }), signal });

  function inFlight() {
    const clock = new VirtualClock();
    const scene = new Scene(clock);
    const first = scene.ask("a");
    scene.calls[0]?.send();
    return { clock, scene, first, sentAt: clock.now() };
  }

  test("answers a caller for whom the moment of its sending is late enough", async () => {
    const { scene, first, sentAt } = inFlight();
    const second = scene.shared.askSince(sentAt, "b", by());
    scene.calls[0]?.answer("x");
    expect(await Promise.all([first, second])).toEqual(["x", "x"]);
    expect(scene.calls).toHaveLength(1);
  });

  test("does not answer a caller that asks for a later one", async () => {
    const { clock, scene, first, sentAt } = inFlight();
    const second = scene.shared.askSince(sentAt + 1, "b", by());
    scene.calls[0]?.answer("x");
    expect(await first).toBe("x");
    await clock.advance(1_000);
    expect(scene.calls[1]?.send()).toEqual(["b"]);
    scene.calls[1]?.answer("y");
    expect(await second).toBe("y");
  });

  test("goes on for a caller that has joined when the first one leaves", async () => {
    const clock = new VirtualClock();
    const scene = new Scene(clock);
    const leaving = newAbort();
    const first = scene.ask("a", leaving.signal);
    scene.calls[0]?.send();
    const second = scene.shared.askSince(clock.now(), "b", by());
    leaving.abort();
    await expect(first).rejects.toThrow();
    scene.calls[0]?.answer("x");
    expect(await second).toBe("x");
  });

  test("that all callers have left is not joined any more", async () => {
    const clock = new VirtualClock();
    const scene = new Scene(clock);
    const leaving = newAbort();
    const first = scene.ask("a", leaving.signal);
    scene.calls[0]?.send();
    leaving.abort();
    const second = scene.shared.askSince(clock.now(), "b", by());
    await expect(first).rejects.toThrow();
    await clock.advance(1_000);
    expect(scene.calls[1]?.send()).toEqual(["b"]);
    scene.calls[1]?.answer("y");
    expect(await second).toBe("y");
  });
});

test("those who only verify wait a second after the call before, and a caller who searches does not", async () => {
  const clock = new VirtualClock();
  const scene = new Scene(clock);
  const verify = (about: string) =>
    scene.shared.ask(about, {
      urgency: () => ({ purpose: "verify", deadline: Number.POSITIVE_INFINITY }),
      signal: never,
    });
  const first = verify("a");
  expect(scene.calls[0]?.send()).toEqual(["a"]);
  scene.calls[0]?.answer("x");
  await first;
  const second = [verify("b")];
  await clock.advance(900);
  second.push(verify("c"));
  expect(scene.calls).toHaveLength(1);
  await clock.advance(100);
  expect(scene.calls[1]?.send()).toEqual(["b", "c"]);
  scene.calls[1]?.answer("y");
  expect(await Promise.all(second)).toEqual(["y", "y"]);
  const third = [verify("d"), scene.ask("e")];
  await clock.advance(0);
  expect(scene.calls[2]?.send()).toEqual(["d", "e"]);
  scene.calls[2]?.answer("z");
  await Promise.all(third);
  await clock.advance(0);
  expect(clock.sleeping).toBe(0);
});
