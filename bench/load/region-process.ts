// The region in a process of its own: what its answers take is not the service's.
import { ScaledClock } from "../../src/simulator/clock.ts";
import { answering } from "../messages/forked.ts";
import { buildRegion, type RegionPlan } from "../region.ts";

export type AskLoadRegion = {
  readonly build: (given: { readonly plan: RegionPlan }) => { readonly url: string };
};

answering<AskLoadRegion>({
  async build({ plan }) {
    return { url: await buildRegion(plan, new ScaledClock(1)).simulator.listen() };
  },
});
