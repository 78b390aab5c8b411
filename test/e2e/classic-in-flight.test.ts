import { expect, test } from "vitest";
import { SimulatedRegion } from "../support/simulated-region.ts";
import { warmEngine } from "../support/warm-engine.ts";

// The index reads the load balancer every 30 s, so it does so at another moment of each of these holds.
test.each([0, 3, 6, 9, 12, 15, 18, 21, 24, 27])(
  "an instance that drains, and that a read of the whole classic load balancer lacks, is not taken for one that was registered again (%i s)",
  async (seconds) => {
    const region = new SimulatedRegion();
    const nodes = [region.node(), region.node()] as const;
    const classic = region.classic({ name: "legacy", nodes, drainingSeconds: 300 });
    const engine = await warmEngine(region, { MIN_HEALTHY: "1" });
    await region.clock.advance(60_000 + seconds * 1_000);
    classic.requestStarted(nodes[0].id);
    const drained = engine.ask(nodes[0]);
    await region.clock.advance(30_000);
    classic.requestEnded(nodes[0].id);
    expect(await region.clock.run(drained)).toMatchObject({ status: "drained", registrations: [{ cameBack: 0 }] });
    expect(engine.events.filter(({ type }) => type === "deregistered")).toHaveLength(1);
  },
);
