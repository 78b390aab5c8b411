// A simulator as a process of its own: what it keeps is not in the memory of the client that is measured.
import { VirtualClock } from "../../src/simulator/clock.ts";
import { buildRegion } from "../region.ts";
import type { FromSimulator, ToSimulator } from "./messages.ts";

const never = new AbortController().signal;
const clock = new VirtualClock();
let region: ReturnType<typeof buildRegion> | undefined;
let last: Promise<void> = Promise.resolve();

process.on("message", (message: ToSimulator) => {
  // One after the other, so that time never goes back.
  last = last.then(() => act(message));
});

async function act(message: ToSimulator): Promise<void> {
  switch (message.type) {
    case "build":
      region = buildRegion(message.plan, clock);
      send({ type: "built" });
      return;
    case "call": {
      if (message.elapsedMs > clock.elapsedMs) await clock.advance(message.elapsedMs - clock.elapsedMs);
      const answer = await region?.simulator.call({ body: message.body }, never);
      if (answer !== undefined) send({ type: "answer", id: message.id, answer });
      return;
    }
    default:
      message satisfies never;
  }
}

function send(message: FromSimulator): void {
  process.send?.(message);
}
