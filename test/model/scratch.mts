import fc from "fast-check";
import { script, world } from "./arbitraries.ts";
import { play } from "./play.ts";
const NUM = Number(process.env["N"] ?? 500);
const SEED = Number(process.env["S"] ?? 1);
const statuses: Record<string, number> = {};
process.on("unhandledRejection", (e) => console.log("UNHANDLED", e));
const t = Date.now();
const r = await fc.check(
  fc.asyncProperty(world, script, async (spec, commands) => {
    const { events } = await play(spec, commands);
    for (const { event } of events) {
      const k = event.type === "ended" ? event.outcome.status : event.type;
      statuses[k] = (statuses[k] ?? 0) + 1;
    }
  }),
  { numRuns: NUM, seed: SEED, interruptAfterTimeLimit: 100_000 },
);
console.log(r.failed, r.numRuns, r.numShrinks, r.seed, r.counterexamplePath, Date.now() - t, "ms");
if (r.failed) { console.log(JSON.stringify(r.counterexample?.[0])); for (const c of r.counterexample?.[1] ?? []) console.log(JSON.stringify(c)); console.log((r.errorInstance as Error)?.stack); }
console.log(JSON.stringify(statuses));
