// The probe in a process of its own: what the other clients take is not in its times.
import { SystemClock } from "../../src/drain/clock.ts";
import { answering } from "../messages/forked.ts";
import { Probe } from "./clients.ts";

export type AskProbe = {
  readonly start: (given: { readonly port: number; readonly everyMs: number }) => object;
  /** Milliseconds of each answer, the shortest first; of those that did not come, infinite. */
  readonly stop: (given: object) => readonly number[];
};

const clock = new SystemClock();
const over = new AbortController();
let probe: Probe | undefined;
let probing: Promise<void> | undefined;

answering<AskProbe>({
  async start({ port, everyMs }) {
    probe = new Probe(port, clock);
    probing = probe.run(everyMs, over.signal);
    return {};
  },
  async stop() {
    over.abort();
    await probing;
    return probe?.sortedMs ?? [];
  },
});
