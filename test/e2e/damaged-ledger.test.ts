import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import type { LedgerEntry } from "../../src/drain/ledger.ts";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import { World } from "../../src/simulator/world/world.ts";
import { EntriesOf, registered, stateDir } from "../support/ledger-entries.ts";
import { restrictChildren } from "../support/printed-policy.ts";
import { serveHere } from "../support/run-here.ts";
import { VPC } from "../support/simulated-region.ts";

const SECRET = "a-secret-for-a-damaged-ledger";
const bearer = { authorization: `Bearer ${SECRET}` };
const ID = "i-00000000000000001";

/** A node that an NLB does not list any more, and what a service needs to be asked for it. */
async function scene({ isListed }: { readonly isListed: boolean }) {
  const world = new World({ clock: new ScaledClock(1) });
  world.addInstance({ id: ID, vpcId: VPC, privateIp: "10.0.0.1", tags: {} });
  const group = world.addTargetGroup({ name: "tcp", vpcId: VPC, protocol: "TCP", port: 30080, targetType: "instance" });
  const nlb = world.addLoadBalancer({ name: "nlb", type: "network", vpcId: VPC });
  const groups = [{ arn: group.arn, weight: 1 }];
  world.addListener(nlb, { protocol: "TCP", port: 80, defaultActions: [{ type: "forward", groups }] });
  if (isListed) world.registerTarget(group, { id: ID }, { settled: true });
  const simulator = new Simulator(world);
  restrictChildren(simulator);
  const AWS_ENDPOINT_URL = await simulator.listen();
  onTestFinished(() => simulator.close());
  const folder = await stateDir();
  const path = join(folder, "drains.jsonl");
  const serve = { CLOUDPROVIDER: "aws", HOST: "127.0.0.1", PORT: "0", SECRET, MIN_HEALTHY: "0", AWS_ENDPOINT_URL };
  return { env: { ...serve, NLB_PROPAGATION: "3", STATE_DIR: folder }, path };
}

const ask = (url: string, more = "") => fetch(`${url}/drain?id=${ID}${more}`, { method: "POST", headers: bearer });

test("a ledger that is removed under the service is told everywhere, refuses who does not wait, and is written anew", async () => {
  const { env, path } = await scene({ isListed: true });
  const { url, child } = await serveHere(env);
  const first = (await (await ask(url, "&wait=false")).json()) as { drainId: string };
  await vi.waitFor(async () => expect((await fetch(`${url}/ready`)).status).toBe(200), { timeout: 60_000 });
  // Its last entry until it ends: another one would notice first.
  await vi.waitFor(async () => expect(await readFile(path, "utf8")).toContain('"type":"planned"'), { timeout: 60_000 });
  await rm(path);
  const refused = await ask(url, "&wait=false");
  expect([refused.status, await refused.json()]).toEqual([
    503,
    expect.objectContaining({ code: "ledger-unavailable", drainId: first.drainId }),
  ]);
  const ready = await fetch(`${url}/ready`);
  expect([ready.status, await ready.json()]).toEqual([
    503,
    expect.objectContaining({
      reason: "ledger-unavailable",
      detail: expect.stringMatching(/^the ledger in STATE_DIR was removed, replaced or changed by another program/),
    }),
  ]);
  expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/^hasta_la_vista_ledger_failures_total [1-9]/m);
  expect(await child.line(/"ledger write failed"/)).toContain("was removed while the service was running");
  expect((await ask(url, "&wait=false")).status).toBe(202);
  expect(await child.line(/"ledger write recovered"/)).toContain('"lost":0');
  expect((await fetch(`${url}/ready`)).status).toBe(200);
  const drains = await (await fetch(`${url}/drains`, { headers: bearer })).json();
  expect(drains).toMatchObject({ drains: [{ drainId: first.drainId }] });
});

test.each<[string, LedgerEntry["type"]]>([
  [
    "whose beginning is lost is named, and its node is not answered before it is held as long as it could be",
    "accepted",
  ],
  ["whose registrations are lost is named, and goes on as long as they could get traffic", "found"],
])("a drain %s", async (_, lost) => {
  const { env, path } = await scene({ isListed: false });
  const drain = new EntriesOf("d-0123456789", Date.now(), ID);
  const pool = { kind: "nlb", id: "arn:gone", name: "tcp" } as const;
  const entries = [
    drain.accepted(),
    drain.next({ type: "found", first: 0, registrations: [{ ...registered(`${ID}:30080`), pool }], elsewhere: [] }),
    drain.deregistered(0),
    drain.next({ type: "planned", longestHoldMs: 3_000, limit: { reason: "timeout", at: Date.now() }, warnings: [] }),
  ];
  const left = entries.filter(({ type }) => type !== lost);
  await writeFile(path, left.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
  const { url, child } = await serveHere(env);
  const damaged = JSON.parse(await child.line(/^(?=.*"ledger damaged")(?=.*"drain")/));
  expect(damaged).toMatchObject({ drain: "d-0123456789", node: ID });
  const answered = ask(url);
  const [extended] = await Promise.all([child.line(/"drain extended"/), answered]);
  const { until } = JSON.parse(extended) as { until: string };
  expect(await (await answered).json()).toMatchObject({ status: "nothing-registered" });
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(until) - 50);
});

test("no damaged number keeps the service from starting", async () => {
  const { env, path } = await scene({ isListed: false });
  const line = (fields: object) => `${JSON.stringify({ drain: "d-1", n: 1, at: Date.now(), ...fields })}\n`;
  const found = { n: 2, type: "found", registrations: [{ ...registered("i-1:80") }], elsewhere: [] };
  const lines = [
    ...new EntriesOf("d-1", Date.now(), ID)
      .whole()
      .slice(0, 1)
      .map((entry) => line(entry)),
    line({ ...found, first: 4_000_000_000 }),
    line({ ...found, n: 3, first: 100_000_000 }),
    line({ n: 4, type: "found", first: 0, registrations: [{ ...registered("i-1:80"), pool: {} }], elsewhere: [] }),
    line({
      drain: "d-2",
      type: "accepted",
      startedAt: 1e20,
      node: { id: "i-2", addresses: [] },
      request: { askedAt: 1 },
    }),
  ];
  await writeFile(path, lines.join(""));
  const { url, child } = await serveHere(env);
  expect(await child.line(/^(?=.*"ledger damaged")(?=.*be read)/)).toContain("2, 3, 4, 5");
  expect((await fetch(`${url}/drains`, { headers: bearer })).status).toBe(200);
  expect((await fetch(`${url}/drains/d-1`, { headers: bearer })).status).toBe(200);
  child.signal("SIGTERM");
  child.signal("SIGTERM");
  expect(await child.finished).toMatchObject({ code: 0 });
});
