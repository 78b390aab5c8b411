import { useState } from "preact/hooks";
import { standingText } from "./drain-rows.ts";
import { localTime } from "./format.ts";
import type { Decision, Overview } from "./reports.ts";

const SHOWN = 5;

const VERDICTS: Readonly<Record<Decision["verdict"], string>> = {
  waiting: "waits for healthy targets",
  waited: "enough healthy targets, deregistered",
  overridden: "deregistered although too few remain",
  kept: "kept: last healthy target",
  refused: "refused",
};
const BAD: ReadonlySet<Decision["verdict"]> = new Set(["overridden", "refused", "kept"]);

export function Guard({ overview, now }: { readonly overview: Overview; readonly now: number }) {
  const [isAll, setAll] = useState(false);
  const { decisions, settings } = overview;
  const { minHealthy, maxVoluntary } = settings;
  const isOff = minHealthy === "0" || minHealthy === "0%";
  return (
    <section aria-labelledby="guard">
      <h2 id="guard">Guard</h2>
      <p class="quiet">
        {isOff
          ? "The guard is off: MIN_HEALTHY is 0."
          : `At least ${minHealthy} healthy must remain in each pool (MIN_HEALTHY). At most ${maxVoluntary} voluntary drains run at once (MAX_VOLUNTARY).`}
      </p>
      {decisions.length === 0 && !isOff && (
        <p class="quiet">The guard has delayed and refused nothing since the start.</p>
      )}
      <ul class="decisions">
        {decisions.slice(0, isAll ? decisions.length : SHOWN).map((decision) => (
          <li key={decision.n}>
            <time dateTime={decision.at}>{localTime(decision.at, now)}</time>{" "}
            <span class={BAD.has(decision.verdict) ? "badge bad" : "badge"}>{VERDICTS[decision.verdict]}</span>{" "}
            <span class="name">{decision.node.name}</span> <span class="why">{detailOf(decision)}</span>
          </li>
        ))}
      </ul>
      {decisions.length > SHOWN && (
        <button type="button" onClick={() => setAll(!isAll)}>
          {isAll ? "Show fewer decisions" : `Show all ${decisions.length} decisions`}
        </button>
      )}
    </section>
  );
}

function detailOf({ message, pool, standing }: Decision): string {
  const state = standing === undefined ? "" : `: ${standingText(standing)}`;
  return message ?? `${pool ?? ""}${state}`;
}
