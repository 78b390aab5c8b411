import { useEffect, useState } from "preact/hooks";
import { type Api, Refused } from "./api.ts";
import { counted, duration, localTime, poolName, sentence } from "./format.ts";
import { outcomeText, stepText, undoText } from "./past-texts.ts";
import type { DrainDetails, PastDrain } from "./reports.ts";

/** A long drain has thousands of steps, of which the last are of interest. */
const STEPS_SHOWN = 100;

interface PastDetailsProps {
  readonly api: Api;
  readonly drain: PastDrain;
  readonly now: number;
  /** Absent: it cannot be undone. */
  readonly onCancel: (() => void) | undefined;
}

export function PastDetails({ api, drain, now, onCancel }: PastDetailsProps) {
  const [details, setDetails] = useState<DrainDetails | string>();
  const { drainId, undo } = drain;
  // An undo changes the record.
  useEffect(() => {
    const reading = new AbortController();
    api.drain(drainId, reading.signal).then(setDetails, (error: unknown) => {
      if (reading.signal.aborted) return;
      setDetails(error instanceof Refused ? error.message : "the service cannot be reached");
    });
    return () => reading.abort();
  }, [api, drainId, undo]);

  if (details === undefined) return <p class="body quiet">Reading.</p>;
  if (typeof details === "string") return <p class="body bad">{sentence(details)}</p>;
  const { node, outcome, requests, steps, missingSteps } = details;
  const registrations = outcome !== undefined && "registrations" in outcome ? outcome.registrations : [];
  const hasTaken = registrations.some(({ deregistered }) => deregistered);
  return (
    <div class="body">
      <p class="facts">
        <span>{node.id}</span>
        <span>drain {drainId}</span>
        {requests.map(({ askedAt, asker, reason, deadline }) => (
          <span key={`${askedAt} ${asker?.via} ${asker?.event}`}>
            asked {localTime(askedAt, now)} by {asker?.user ?? asker?.via ?? "an unknown caller"}
            {reason !== undefined && `: ${reason}`}
            {deadline !== undefined && `, deadline ${localTime(deadline, now)}`}
          </span>
        ))}
      </p>
      {outcome && <p>{sentence(outcomeText(outcome))}</p>}
      {details.undo && <p>{undoText(details.undo)}</p>}
      <ul class="pools">
        {registrations.map((one) => (
          <li class="pool" key={`${one.poolId} ${one.target}`}>
            <span class="name">{poolName(one)}</span>
            <span class="times">
              <span class={`state ${one.state}`}>{one.state}</span>
            </span>
            <span class="why">
              Held {duration(one.heldSeconds * 1_000)}
              {one.holdSeconds !== undefined && ` of ${duration(one.holdSeconds * 1_000)}`}.
              {one.guard !== undefined && ` Guard: ${one.guard}.`}
              {one.cameBack > 0 && ` Came back ${counted(one.cameBack, "time")}.`}
              {one.error && ` ${sentence(one.error.message)}`} <span class="quiet">{one.target}</span>
            </span>
          </li>
        ))}
      </ul>
      <details class="steps">
        <summary>{counted(steps.length, "step")}</summary>
        <ol>
          {steps.slice(-STEPS_SHOWN).map((step) => (
            <li key={step.id} value={step.id}>
              <time dateTime={step.at}>{localTime(step.at, now)}</time> {stepText(step)}
            </li>
          ))}
        </ol>
        {steps.length > STEPS_SHOWN && <p class="quiet">The last {STEPS_SHOWN} are shown.</p>}
        {missingSteps > 0 && <p class="bad">{counted(missingSteps, "step")} could not be stored.</p>}
      </details>
      {onCancel !== undefined && hasTaken && (
        <button type="button" class="danger" onClick={onCancel}>
          Register again<span class="unseen"> the targets of {node.name}</span>
        </button>
      )}
    </div>
  );
}
