import type { Drainer } from "../drain/drainer.ts";
import { asDrainError } from "../drain/errors.ts";
import type { AcceptedDrain, Delivery, EventSource } from "../drain/event-source.ts";
import type { DrainOutcome } from "../drain/outcome.ts";

export interface PumpOptions {
  readonly stop: AbortSignal;
  readonly abandon: AbortSignal;
  /** Called for each drain when it would survive the end of the process. */
  readonly onRecorded?: ((drain: AcceptedDrain) => void) | undefined;
  readonly onSettled: (outcome: DrainOutcome, delivery: Delivery) => void;
  readonly onUnsettled: (delivery: Delivery, error: unknown) => void;
}

/** Drains every node that `source` requests, at the same time, and reports each outcome to it. */
export async function pump(
  source: EventSource,
  drainer: Pick<Drainer, "accept">,
  { stop, abandon, onRecorded = () => {}, onSettled, onUnsettled }: PumpOptions,
): Promise<void> {
  const underWay = new Set<Promise<void>>();
  for await (const delivery of source.deliveries(stop)) {
    const settled = drainAndSettle(delivery).finally(() => underWay.delete(settled));
    underWay.add(settled);
  }
  await Promise.all(underWay);

  async function drainAndSettle(delivery: Delivery): Promise<void> {
    try {
      const { drain, recorded, begun, outcome: ended } = await drainer.accept(delivery.request, abandon);
      let isSettled = false;
      // A caller that waits for the drain itself does not wait for the ledger.
      if (drain !== undefined)
        recorded
          .then(
            () => {
              if (!isSettled) delivery.accepted(drain, begun);
              onRecorded(drain);
            },
            (error: unknown) => {
              if (!isSettled) delivery.unrecorded(drain, asDrainError(error));
            },
          )
          .catch((error: unknown) => onUnsettled(delivery, error));
      const outcome = await ended;
      isSettled = true;
      await delivery.settle(outcome);
      onSettled(outcome, delivery);
    } catch (error) {
      onUnsettled(delivery, error);
    }
  }
}
