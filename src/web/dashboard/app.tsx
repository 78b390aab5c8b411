import { useCallback, useEffect, useMemo, useState } from "preact/hooks";
import { Api } from "./api.ts";
import { CancelDialog, type ToCancel } from "./cancel-dialog.tsx";
import { now, pause } from "./clock.ts";
import { keepCredential, keptCredential } from "./credential.ts";
import { drainRows } from "./drain-rows.ts";
import { type Connection, follow } from "./following.ts";
import { sentence } from "./format.ts";
import { Glance } from "./glance.tsx";
import { Guard } from "./guard.tsx";
import { Header } from "./header.tsx";
import { Leaving } from "./leaving.tsx";
import { Notices } from "./notices.tsx";
import type { OverviewState } from "./overview-state.ts";
import { Past } from "./past.tsx";
import { Service } from "./service.tsx";
import { SignIn } from "./sign-in.tsx";

const TICK_MS = 1_000;

/** The sign-in page, or the whole dashboard. */
export function App() {
  const [credential, setCredential] = useState(keptCredential);
  const [problem, setProblem] = useState("");
  const signIn = (given: string) => {
    keepCredential(given);
    setProblem("");
    setCredential(given);
  };
  const signOut = useCallback((why = "") => {
    keepCredential(undefined);
    setProblem(why);
    setCredential(undefined);
  }, []);
  if (credential === undefined) return <SignIn problem={problem} onSignIn={signIn} />;
  return <Dashboard key={credential} credential={credential} onSignOut={signOut} />;
}

interface DashboardProps {
  readonly credential: string;
  readonly onSignOut: (why?: string) => void;
}

function Dashboard({ credential, onSignOut }: DashboardProps) {
  const api = useMemo(() => new Api(credential), [credential]);
  const [state, setState] = useState<OverviewState>();
  const [connection, setConnection] = useState<Connection>({ is: "connecting" });
  const [toCancel, setToCancel] = useState<ToCancel>();
  const time = useTime() + (state?.aheadMs ?? 0);

  useEffect(() => {
    const page = new AbortController();
    const run = async () => {
      const refused = await follow({ api, onState: setState, onConnection: setConnection }, page.signal);
      if (refused !== undefined) onSignOut(sentence(refused.message));
    };
    void run();
    return () => page.abort();
  }, [api, onSignOut]);

  if (state === undefined) return <Connecting connection={connection} onSignOut={onSignOut} />;
  const { overview } = state;
  const rows = drainRows(overview.running, time);
  return (
    <>
      <Header overview={overview} connection={connection} now={time} onSignOut={() => onSignOut()} />
      <main class={connection.is === "live" ? "" : "stale"}>
        <Notices overview={overview} connection={connection} now={time} />
        <Glance overview={overview} rows={rows} now={time} />
        <Leaving rows={rows} undo={overview.settings.undo} now={time} onCancel={setToCancel} />
        <Guard overview={overview} now={time} />
        <Service overview={overview} now={time} />
        <Past api={api} history={overview.history} undo={overview.settings.undo} now={time} onCancel={setToCancel} />
      </main>
      <footer>
        <p>
          Times are local ({Intl.DateTimeFormat().resolvedOptions().timeZone}). Version {overview.version}.
        </p>
      </footer>
      {toCancel && <CancelDialog api={api} toCancel={toCancel} onClose={() => setToCancel(undefined)} />}
    </>
  );
}

function Connecting({
  connection,
  onSignOut,
}: { readonly connection: Connection } & Pick<DashboardProps, "onSignOut">) {
  return (
    <main class="start">
      <h1>hasta-la-vista</h1>
      <p role="status">{connection.is === "lost" ? `${sentence(connection.why)} Trying again.` : "Connecting."}</p>
      <button type="button" onClick={() => onSignOut()}>
        Sign out
      </button>
    </main>
  );
}

/** The browser's time, updated while the page is visible. */
function useTime(): number {
  const [time, setTime] = useState(now);
  useEffect(() => {
    const page = new AbortController();
    const run = async () => {
      while (!page.signal.aborted) {
        await pause(TICK_MS, page.signal);
        if (!page.signal.aborted && document.visibilityState === "visible") setTime(now());
      }
    };
    void run();
    return () => page.abort();
  }, []);
  return time;
}
