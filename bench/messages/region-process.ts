// The region in a process of its own: what it keeps, and what its answers take, is not the service's.
import { ScaledClock } from "../../src/simulator/clock.ts";
import type { AskRegion } from "./asks.ts";
import { answering } from "./forked.ts";
import { MessagesRegion } from "./region.ts";

let region: MessagesRegion | undefined;

answering<AskRegion>({
  async build({ nodes }) {
    region = new MessagesRegion({ nodes }, new ScaledClock(1));
    return { url: await region.simulator.listen(), waiting: region.waiting };
  },
  async report() {
    if (region === undefined) throw new Error("there is no region");
    return region.report();
  },
});
