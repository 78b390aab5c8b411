import { expect, test } from "vitest";
import { drainRecord } from "../../src/drain/drain-record.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { turnOf } from "../support/cases.ts";
import { type Life, live } from "../support/lives.ts";
import { never, SimulatedRegion } from "../support/simulated-region.ts";

/** When the process ends: at the entry or the call to AWS with this number, counted from the cancel. */
type Death = { readonly entry: number } | { readonly call: number; readonly when: "before" | "after" };

/** A drain that is cancelled after `seconds`, in a process that ends at `death`; and the next process, to the end. */
async function restarted(seconds: number, death: Death) {
  const region = new SimulatedRegion();
  const node = region.node();
  const web = region.group({ name: "web", nodes: [node], delaySeconds: 60 });
  const tcp = region.group({ name: "tcp", type: "network", nodes: [node], delaySeconds: 30 });
  const legacy = region.classic({ name: "legacy", nodes: [node], drainingSeconds: 5 });
  const ledger = new MemoryLedger();
  let cancelled = false;
  let entries = 0;
  let calls = 0;
  let first: Life | undefined;
  first = live(region, ledger, {
    onEntry: () => {
      if (cancelled && "entry" in death && ++entries === death.entry) first?.die();
    },
    onCall: (_, when) => {
      if (cancelled && "call" in death && when === death.when && ++calls === death.call) first?.die();
    },
  });
  void first.ask(node.id);
  await region.clock.advance(seconds * 1_000);
  const drainId = ledger.list(1)[0]?.drain ?? "";
  cancelled = true;
  void first.drainer.cancel(drainId, undefined, never).catch(() => {});
  await region.clock.advance(60_000);
  const hasDied = first.isDead;
  const next = live(region, ledger);
  await region.clock.run(next.takeUp());
  await region.clock.advance(600_000);
  const listed = [web, tcp].map((group) =>
    group.listed(region.clock.now()).map(({ deregisteredAt }) => deregisteredAt),
  );
  const record = drainRecord((await ledger.read(drainId)) ?? []);
  const isIn = legacy.isRegistered(node.id);
  return { hasDied, listed, isIn, record, unfinished: await ledger.unfinished(), sleeping: region.clock.sleeping };
}

/** Seconds after which the drain is cancelled: before its pools are held, while they are, and when it has ended. */
const CANCELLED_AFTER = [4, 20, 400];

test.each(CANCELLED_AFTER)(
  "an undo goes on after a restart at any point, when cancelled after %s s",
  async (seconds) => {
    const calls = Array.from({ length: 8 }, (_, index) => index + 1);
    const all: Death[] = [
      ...[1, 2, 3, 4, 5, 6].map((entry) => ({ entry })),
      ...calls.flatMap((call) => (["before", "after"] as const).map((when) => ({ call, when }))),
    ];
    const deaths = turnOf(all, CANCELLED_AFTER.indexOf(seconds), CANCELLED_AFTER.length);
    let died = 0;
    for (const death of deaths) {
      const { hasDied, listed, isIn, record, unfinished, sleeping } = await restarted(seconds, death);
      if (hasDied) died += 1;
      const what = JSON.stringify(death);
      expect(listed, what).toEqual([[undefined], [undefined]]);
      expect(isIn, what).toBe(true);
      expect(
        record?.undo?.end?.registrations.map(({ state }) => state),
        what,
      ).toEqual(Array(3).fill("registered"));
      expect(unfinished, what).toEqual([]);
      expect(sleeping, what).toBe(0);
    }
    expect(died).toBeGreaterThan(deaths.length / 2);
  },
);
