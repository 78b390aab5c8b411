import { useEffect, useRef, useState } from "preact/hooks";
import type { Connection } from "./following.ts";
import { counted, localTime } from "./format.ts";
import type { Overview } from "./reports.ts";

/** A screen reader reads changes aloud at most this often. */
const SAID_INTERVAL_MS = 10_000;

interface HeaderProps {
  readonly overview: Overview;
  readonly connection: Connection;
  readonly now: number;
  readonly onSignOut: () => void;
}

export function Header({ overview, connection, now, onSignOut }: HeaderProps) {
  const { region, cluster, leader } = overview.settings;
  const where = [cluster, region, ...overview.clouds.map(({ place }) => place)].filter((part) => part !== undefined);
  return (
    <header>
      <h1>hasta-la-vista</h1>
      <p class="where">
        {where.join(" · ")}
        {leader !== undefined && <span class="quiet"> Leader: {leader}</span>}
      </p>
      <p class={`connection ${connection.is}`}>
        {connection.is === "live" ? "Live" : "Not connected"}
        <span class="quiet"> {localTime(now, now)}</span>
      </p>
      <button type="button" onClick={onSignOut}>
        Sign out
      </button>
      <Said overview={overview} connection={connection} now={now} />
    </header>
  );
}

/** The live region: the number of leaving nodes when it has changed, and the state of the connection. */
function Said({ overview, connection, now }: Omit<HeaderProps, "onSignOut">) {
  const text = connection.is === "lost" ? "Connection lost." : `${counted(overview.running.length, "node")} leaving.`;
  const [said, setSaid] = useState("");
  const saidAt = useRef(0);
  useEffect(() => {
    if (text === said || now - saidAt.current < SAID_INTERVAL_MS) return;
    saidAt.current = now;
    setSaid(text);
  }, [text, said, now]);
  return (
    <p class="unseen" role="status">
      {said}
    </p>
  );
}
