import { useEffect, useState } from "preact/hooks";
import { type Api, Refused } from "./api.ts";
import type { ToCancel } from "./cancel-dialog.tsx";
import { pause } from "./clock.ts";
import { duration, localTime, sentence } from "./format.ts";
import { PastDetails } from "./past-details.tsx";
import type { PastDrain } from "./reports.ts";

const PAGE = 25;
/** Changes come in waves, and typed text comes letter by letter. */
const SETTLE_MS = 400;
const NODE_CHARACTERS_MAX = 253;

const STATUSES = [
  ["ended", "all"],
  ["drained", "drained"],
  ["nothing-registered", "nothing registered"],
  ["possibly-registered", "possibly registered"],
  ["deadline-passed", "deadline passed"],
  ["refused", "refused"],
  ["cancelled", "cancelled"],
  ["superseded", "superseded"],
  ["instance-gone", "instance gone"],
  ["failed", "failed"],
  ["abandoned", "abandoned"],
] as const;

interface PastProps {
  readonly api: Api;
  /** Changes when the list may have changed. */
  readonly history: number;
  readonly undo: boolean;
  readonly now: number;
  readonly onCancel: (toCancel: ToCancel) => void;
}

type Listed = { readonly drains: readonly PastDrain[] } | { readonly why: string };

export function Past({ api, history, undo, now, onCancel }: PastProps) {
  const [status, setStatus] = useState<string>("ended");
  const [node, setNode] = useState("");
  /** The last drain of each page before the current one. */
  const [before, setBefore] = useState<readonly string[]>([]);
  const [listed, setListed] = useState<Listed>();
  // An older page does not change while new drains end.
  const changes = before.length === 0 ? history : 0;

  // `changes` says when to read again.
  useEffect(() => {
    const reading = new AbortController();
    const read = async () => {
      await pause(SETTLE_MS, reading.signal);
      if (reading.signal.aborted) return;
      const query = { limit: PAGE + 1, status, node: node.trim(), before: before.at(-1) ?? "" };
      try {
        const drains = await api.drains(query, reading.signal);
        if (!reading.signal.aborted) setListed({ drains });
      } catch (error) {
        if (reading.signal.aborted) return;
        if (error instanceof Refused && error.status === 404) setBefore([]);
        else setListed({ why: error instanceof Refused ? error.message : "the service cannot be reached" });
      }
    };
    void read();
    return () => reading.abort();
  }, [api, status, node, before, changes]);

  const drains = listed !== undefined && "drains" in listed ? listed.drains : [];
  const shown = drains.slice(0, PAGE);
  return (
    <section aria-labelledby="past">
      <h2 id="past">Past drains</h2>
      <div class="filters">
        <label class="filter">
          Result
          <select
            value={status}
            onChange={({ currentTarget }) => {
              setStatus(currentTarget.value);
              setBefore([]);
            }}
          >
            {STATUSES.map(([value, text]) => (
              <option key={value} value={value}>
                {text}
              </option>
            ))}
          </select>
        </label>
        <label class="filter">
          Instance id or node name
          <input
            type="search"
            maxLength={NODE_CHARACTERS_MAX}
            value={node}
            onInput={({ currentTarget }) => {
              setNode(currentTarget.value);
              setBefore([]);
            }}
          />
        </label>
      </div>
      {listed === undefined && <p class="quiet">Reading.</p>}
      {listed !== undefined && "why" in listed && <p class="bad">{sentence(listed.why)}</p>}
      {listed !== undefined && "drains" in listed && shown.length === 0 && <p class="quiet">There are none.</p>}
      <ul class="drains past">
        {shown.map((drain) => (
          <PastRow key={drain.drainId} {...{ api, drain, undo, now, onCancel }} />
        ))}
      </ul>
      <Pages before={before} hasMore={drains.length > PAGE} last={shown.at(-1)?.drainId} onTurn={setBefore} />
    </section>
  );
}

interface PagesProps {
  readonly before: readonly string[];
  readonly hasMore: boolean;
  readonly last: string | undefined;
  readonly onTurn: (before: readonly string[]) => void;
}

function Pages({ before, hasMore, last, onTurn }: PagesProps) {
  if (before.length === 0 && !hasMore) return null;
  return (
    <nav class="buttons" aria-label="Pages of past drains">
      <button type="button" disabled={before.length === 0} onClick={() => onTurn(before.slice(0, -1))}>
        Newer
      </button>
      <span class="quiet">Page {before.length + 1}</span>
      <button type="button" disabled={!hasMore} onClick={() => last !== undefined && onTurn([...before, last])}>
        Older
      </button>
    </nav>
  );
}

const GOOD: ReadonlySet<string> = new Set(["drained", "nothing-registered", "instance-gone"]);
const BAD: ReadonlySet<string> = new Set(["failed", "deadline-passed", "possibly-registered", "abandoned"]);

function badgeOf(outcome = ""): string {
  return GOOD.has(outcome) ? "badge good" : BAD.has(outcome) ? "badge bad" : "badge";
}

interface PastRowProps extends Omit<PastProps, "history"> {
  readonly drain: PastDrain;
}

function PastRow({ api, drain, undo, now, onCancel }: PastRowProps) {
  const [isOpen, setOpen] = useState(false);
  const { drainId, node, startedAt, endedAt, outcome, reasons, undo: undone } = drain;
  const took = endedAt === undefined ? "" : `took ${duration(Date.parse(endedAt) - Date.parse(startedAt))}`;
  const undoText = undone === "running" ? "registering again" : undone === "ended" ? "undone" : undefined;
  const toCancel = { drainId, name: node.name, isRunning: false, isDoomed: false };
  return (
    <li class="drain">
      <details open={isOpen} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
        <summary>
          <span class="name">{node.name}</span>
          <span class="times">
            <span class={badgeOf(outcome)}>{outcome?.replaceAll("-", " ")}</span>
            {undoText !== undefined && <span class="badge">{undoText}</span>}
          </span>
          <span class="why">
            <time dateTime={startedAt}>{localTime(startedAt, now)}</time> {took}
            {reasons.length > 0 && <span class="quiet"> {reasons.join(", ")}</span>}
          </span>
        </summary>
        {isOpen && (
          <PastDetails
            api={api}
            drain={drain}
            now={now}
            onCancel={undo && undone !== "ended" ? () => onCancel(toCancel) : undefined}
          />
        )}
      </details>
    </li>
  );
}
