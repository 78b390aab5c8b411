import fc from "fast-check";
import { expect, test } from "vitest";
import { type Bucket, RequestQuota } from "../../src/aws/request-quota.ts";
import { newAbort } from "../../src/drain/abort.ts";
import { PURPOSES, Rises, type Urgency, type Urgent } from "../../src/drain/urgency.ts";
import { UrgencyQueue } from "../../src/drain/urgency-queue.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { SimpleQuota } from "../support/simple-quota.ts";
import { never } from "../support/simulated-region.ts";

const BUCKET: Bucket = "v2-read";

/** A caller whose urgency a test changes. It announces a rise alone. */
class Caller {
  asked = 0;
  #urgency: Urgency;
  readonly #rises = new Rises();
  readonly by: Urgent = {
    urgency: () => {
      this.asked += 1;
      return this.#urgency;
    },
    onRise: this.#rises.on,
  };

  constructor(urgency: Urgency) {
    this.#urgency = urgency;
  }

  becomes(urgency: Urgency, isMore: boolean): void {
    this.#urgency = urgency;
    if (isMore) this.#rises.announce();
  }

  get urgency(): Urgency {
    return this.#urgency;
  }
}

/** One call for several callers, as urgent as the most urgent of them. */
class Shared {
  readonly callers = new UrgencyQueue<Caller>();
  readonly by: Urgent = {
    urgency: () => this.callers.first?.urgency ?? NO_CALLER,
    onRise: this.callers.onRise,
  };
}

const NO_CALLER: Urgency = { purpose: "refresh", deadline: Number.POSITIVE_INFINITY };

function mostUrgent(callers: Iterable<Caller>): Urgency {
  const [first = NO_CALLER] = [...callers].map(({ urgency }) => urgency).sort(inOrder);
  return first;
}

function inOrder(a: Urgency, b: Urgency): number {
  return PURPOSES.indexOf(a.purpose) - PURPOSES.indexOf(b.purpose) || a.deadline - b.deadline;
}

/** Leaves no room in the bucket. */
async function exhausted(clock: VirtualClock): Promise<RequestQuota> {
  const quota = new RequestQuota({ clock, share: 1 });
  const by = { urgency: () => NO_CALLER, signal: never };
  while (quota.msFor(BUCKET, 1) === 0) await quota.permit(BUCKET, by);
  return quota;
}

const urgencies = fc.record({ purpose: fc.constantFrom(...PURPOSES), deadline: fc.nat(3) });
const steps = fc.oneof(
  fc.record({ type: fc.constant("asks" as const), callers: fc.array(urgencies, { minLength: 1, maxLength: 3 }) }),
  fc.record({ type: fc.constant("joins" as const), call: fc.nat(30), urgency: urgencies }),
  fc.record({ type: fc.constant("changes" as const), call: fc.nat(30), caller: fc.nat(3), urgency: urgencies }),
  fc.record({ type: fc.constant("quits" as const), call: fc.nat(30), caller: fc.nat(3) }),
  fc.record({ type: fc.constant("leaves" as const), call: fc.nat(30) }),
  fc.record({ type: fc.constant("passes" as const), calls: fc.nat(4) }),
);

test("the next call is the one that asking every caller at each permit would choose", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { maxLength: 60 }), async (script) => {
      const clock = new VirtualClock();
      const quota = await exhausted(clock);
      const model = new SimpleQuota();
      // Those permits count for the one in twenty as well.
      for (let granted = 0; granted < 40; granted++) {
        model.add({ name: -1, by: { urgency: () => NO_CALLER } });
        model.next();
      }
      const calls: { readonly shared: Shared; readonly signal: AbortController }[] = [];
      const granted: number[] = [];
      const expected: (number | undefined)[] = [];
      const pass = async (count: number) => {
        for (let call = 0; call < count; call++) {
          const next = model.next();
          // Room that no call takes would let several through at once.
          if (next === undefined) return;
          expected.push(next);
          await clock.advance(100);
        }
      };
      for (const step of script) {
        const call = "call" in step ? calls[step.call % Math.max(1, calls.length)] : undefined;
        const callers = [...(call?.shared.callers ?? [])];
        const caller = "caller" in step ? callers[step.caller % Math.max(1, callers.length)] : undefined;
        if (step.type === "asks") {
          const name = calls.length;
          const shared = new Shared();
          for (const urgency of step.callers) shared.callers.add(new Caller(urgency));
          const signal = newAbort();
          calls.push({ shared, signal });
          model.add({ name, by: { urgency: () => mostUrgent(shared.callers) } });
          quota.permit(BUCKET, { ...shared.by, signal: signal.signal }).then(
            () => granted.push(name),
            () => {},
          );
        }
        if (step.type === "joins") call?.shared.callers.add(new Caller(step.urgency));
        if (step.type === "changes" && caller !== undefined)
          caller.becomes(step.urgency, inOrder(step.urgency, caller.urgency) < 0);
        if (step.type === "quits" && caller !== undefined) call?.shared.callers.delete(caller);
        if (step.type === "leaves" && call !== undefined) {
          model.delete(calls.indexOf(call));
          call.signal.abort();
        }
        if (step.type === "passes") await pass(step.calls);
      }
      await pass(calls.length);
      expect(granted).toEqual(expected);
    }),
    { numRuns: 300 },
  );
});

test.each([10, 100, 1_000])("with %i calls that wait, each permit asks as few callers", async (waiting) => {
  const clock = new VirtualClock();
  const quota = await exhausted(clock);
  const callers = Array.from({ length: waiting }, (_, index) => new Caller({ purpose: "find", deadline: index % 7 }));
  const stop = newAbort();
  for (const caller of callers) quota.permit(BUCKET, { ...caller.by, signal: stop.signal }).catch(() => {});
  const asked = () => callers.reduce((sum, caller) => sum + caller.asked, 0);
  const before = asked();
  for (let permit = 0; permit < 8; permit++) await clock.advance(100);
  stop.abort();
  await clock.advance(0);
  // Each call was asked when it came. From then on: the one that gets the permit.
  expect(before).toBe(waiting);
  expect(asked() - before).toBe(8);
});

test.each([10, 100, 1_000])("with %i callers of one call, one more of them asks as few others", (waiting) => {
  const shared = new Shared();
  const callers = Array.from(
    { length: waiting },
    (_, index) => new Caller({ purpose: "find", deadline: 9 - (index % 7) }),
  );
  for (const caller of callers) shared.callers.add(caller);
  shared.by.urgency();
  const asked = callers.reduce((sum, caller) => sum + caller.asked, 0);
  shared.callers.add(new Caller({ purpose: "deregister", deadline: 0 }));
  expect(shared.by.urgency()).toEqual({ purpose: "deregister", deadline: 0 });
  expect(callers.reduce((sum, caller) => sum + caller.asked, 0) - asked).toBeLessThanOrEqual(1);
});
