import { useState } from "preact/hooks";
import { Bar } from "./bar.tsx";
import type { ToCancel } from "./cancel-dialog.tsx";
import type { DrainRow, PoolRow } from "./drain-rows.ts";
import { counted, duration, localTime } from "./format.ts";

/** At most this many are shown with all their pools by default. */
const OPEN_MAX = 4;
/** At most this many at once: a person can not read more, and it costs the browser time. */
const ROWS_MAX = 50;
const FILTER_MIN = 8;

interface LeavingProps {
  readonly rows: readonly DrainRow[];
  /** Whether drains can be cancelled. */
  readonly undo: boolean;
  readonly now: number;
  readonly onCancel: (toCancel: ToCancel) => void;
}

export function Leaving({ rows, undo, now, onCancel }: LeavingProps) {
  const [filter, setFilter] = useState("");
  const [max, setMax] = useState(ROWS_MAX);
  const wanted = filter.trim().toLowerCase();
  const found = rows.filter(({ drain: { node } }) => `${node.name} ${node.id}`.toLowerCase().includes(wanted));
  const attention = rows.filter(({ isAttention }) => isAttention).length;
  return (
    <section aria-labelledby="leaving">
      <h2 id="leaving">
        Leaving now <span class="count">{rows.length}</span>
        {attention > 0 && <span class="badge bad">{counted(attention, "needs attention", "need attention")}</span>}
      </h2>
      {rows.length === 0 && <p class="quiet">No node is leaving.</p>}
      {rows.length >= FILTER_MIN && (
        <label class="filter">
          Node
          <input type="search" value={filter} onInput={({ currentTarget }) => setFilter(currentTarget.value)} />
        </label>
      )}
      <ul class="drains">
        {found.slice(0, max).map((row) => (
          <Drain
            key={row.drain.drainId}
            row={row}
            now={now}
            isFew={rows.length <= OPEN_MAX}
            undo={undo}
            onCancel={onCancel}
          />
        ))}
      </ul>
      {found.length > max && (
        <button type="button" onClick={() => setMax(max + ROWS_MAX)}>
          Show {Math.min(ROWS_MAX, found.length - max)} more of {found.length}
        </button>
      )}
    </section>
  );
}

interface DrainProps {
  readonly row: DrainRow;
  readonly now: number;
  readonly isFew: boolean;
  readonly undo: boolean;
  readonly onCancel: LeavingProps["onCancel"];
}

function Drain({ row, now, isFew, undo, onCancel }: DrainProps) {
  const [chosen, setChosen] = useState<boolean>();
  const isOpen = chosen ?? isFew;
  const { drain, total, released, isAttention, summary, done } = row;
  const { node } = drain;
  const label = `${node.name}: ${released} of ${counted(total, "target")} released`;
  return (
    <li class={isAttention ? "drain attention" : "drain"}>
      <details open={isOpen} onToggle={({ currentTarget }) => setChosen(currentTarget.open)}>
        <summary>
          <span class="name">{node.name}</span>
          <Bar label={label} done={done} kind="holding" limitAt={row.cutAt} />
          <span class="times">
            <Ends row={row} now={now} />
          </span>
          <span class="why">{summary}</span>
        </summary>
        {isOpen && <DrainBody row={row} now={now} undo={undo} onCancel={onCancel} />}
      </details>
    </li>
  );
}

function Ends({ row: { endsAt, limitAt, shortMs, drain }, now }: Pick<DrainProps, "row" | "now">) {
  const word = drain.limit?.reason === "deadline" ? "deadline" : "timeout";
  return (
    <>
      {endsAt !== undefined && <span>{endsAt > now ? `ends in ${duration(endsAt - now)}` : "about to end"}</span>}
      {limitAt !== undefined && (
        <span class={shortMs > 0 ? "bad" : "quiet"}>
          {word} in {duration(limitAt - now)}
        </span>
      )}
    </>
  );
}

function DrainBody({ row, now, undo, onCancel }: Omit<DrainProps, "isFew">) {
  const { drain, pools, hidden, startedAt, shortMs } = row;
  const { node, reasons, limit, notes, drainId } = drain;
  return (
    <div class="body">
      <p class="facts">
        <span>{node.id}</span>
        {node.place !== undefined && <span>{node.place}</span>}
        <span>drain {drainId}</span>
        <span>
          since {localTime(startedAt, now)} ({duration(now - startedAt)})
        </span>
        {limit && (
          <span>
            {limit.reason} {localTime(limit.at, now)}
          </span>
        )}
        {reasons.length > 0 && <span>reason: {reasons.join(", ")}</span>}
      </p>
      {shortMs > 0 && <p class="bad">The last hold ends {duration(shortMs)} too late: traffic may be lost.</p>}
      <ul class="pools">
        {pools.map((pool) => (
          <Pool key={pool.key} pool={pool} />
        ))}
      </ul>
      {hidden > 0 && <p class="quiet">{counted(hidden, "further target")} not shown.</p>}
      {notes.length > 0 && (
        <>
          <h3>What this drain cannot save</h3>
          <ul class="notes">
            {notes.map((note) => (
              <li key={note}>{note}</li>
            ))}
          </ul>
        </>
      )}
      {undo ? (
        <button type="button" class="danger" onClick={() => onCancel(toCancelOf(row))}>
          Cancel the drain<span class="unseen"> of {node.name}</span>
        </button>
      ) : (
        <p class="quiet">Drains cannot be cancelled: UNDO is not set.</p>
      )}
    </div>
  );
}

function toCancelOf({ drain: { drainId, node, limit } }: DrainRow): ToCancel {
  return { drainId, name: node.name, isRunning: true, isDoomed: limit?.reason === "deadline" };
}

function Pool({ pool }: { readonly pool: PoolRow }) {
  const { name, kind, target, state, isAttention, reason, leftMs, done, limitAt } = pool;
  const left = leftMs === undefined ? "" : leftMs > 0 ? `${duration(leftMs)} left` : "due";
  return (
    <li class={isAttention ? "pool attention" : "pool"}>
      <span class="name">
        {name} <span class="kind">{kind}</span>
      </span>
      <span class="times">
        <span class={`state ${state}`}>{state}</span> {state === "holding" && left}
      </span>
      <Bar label={`${name}: ${state}${left === "" ? "" : `, ${left}`}`} done={done} kind={state} limitAt={limitAt} />
      <span class="why">
        {reason} <span class="quiet">{target.startsWith(":") ? `Port ${target.slice(1)}` : target}</span>
      </span>
    </li>
  );
}
