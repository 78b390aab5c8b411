import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ALL_CASES } from "../support/cases.ts";
import type { Told } from "../support/crash-scene.ts";
import { SPARES } from "../support/crash-scene.ts";
import { lostByTheProduct } from "../support/loss-causes.ts";
import { ReplicaScene } from "../support/replica-scene.ts";

/** `FAILOVERS=50 npm test -- test/e2e/fail-over.test.ts` prints the figures of docs/reliability.md. */
const { FAILOVERS } = process.env;
const COUNT = Number(FAILOVERS ?? 1);
const SIDE_BY_SIDE = 4;

type Signal = "SIGKILL" | "SIGTERM";

interface FailOver {
  /** From the death of the leader, or from its SIGTERM, until the next one answers requests itself. */
  readonly seconds: number;
  readonly lost: number;
  readonly sent: number;
  readonly told: Told;
  /** Of the replica that stood by, in MiB. */
  readonly residentMiB: number;
}

/** The leader goes in the middle of a drain. */
async function failOver(signal: Signal): Promise<FailOver> {
  const scene = await ReplicaScene.open();
  const first = await scene.start();
  await scene.leader();
  const second = await scene.start();
  await scene.standsBy(second);
  const residentMiB = residentOf(second.service.child.pid);
  const told = second.service.drain();
  await scene.crash.until(() => scene.crash.books.length > 0);
  const from = performance.now();
  first.service.child.signal(signal);
  await scene.leader([second]);
  const seconds = (performance.now() - from) / 1_000;
  const answer = await told;
  const { losses, sent } = await scene.crash.letGo();
  for (const { service } of [first, second]) service.child.signal("SIGKILL");
  return { seconds, sent, residentMiB, told: answer, lost: lostByTheProduct(losses, SPARES).length };
}

function residentOf(pid: number): number {
  const [, kib = "0"] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) / 1_024;
}

async function failOvers(signal: Signal): Promise<readonly FailOver[]> {
  const done: FailOver[] = [];
  const runner = async () => {
    for (let left = COUNT; done.length < COUNT && left > 0; left -= 1) done.push(await failOver(signal));
  };
  await Promise.all(Array.from({ length: Math.min(COUNT, SIDE_BY_SIDE) }, runner));
  return done;
}

/** Handing over is held by test/e2e/leader.test.ts too. */
const SIGNALS: readonly Signal[] = ALL_CASES || FAILOVERS !== undefined ? ["SIGKILL", "SIGTERM"] : ["SIGKILL"];

test.each(SIGNALS)(
  "a leader that goes by %s in mid-drain is replaced, its caller gets the answer, and clients lose nothing",
  async (signal) => {
    const all = await failOvers(signal);
    const sorted = all.map(({ seconds }) => seconds).sort((a, b) => a - b);
    const figures = {
      signal,
      count: all.length,
      medianSeconds: sorted[Math.floor(sorted.length / 2)]?.toFixed(1),
      worstSeconds: sorted.at(-1)?.toFixed(1),
      sent: all.reduce((sum, { sent }) => sum + sent, 0),
      lost: all.reduce((sum, { lost }) => sum + lost, 0),
      standbyMiB: Math.max(...all.map(({ residentMiB }) => residentMiB)).toFixed(0),
    };
    if (FAILOVERS !== undefined) console.log(JSON.stringify(figures));
    expect(all.map(({ told }) => told.status)).toEqual(all.map(() => 200));
    expect(figures.lost).toBe(0);
  },
  3_600_000,
);
