import type { Connection } from "./following.ts";
import { duration, localTime, sentence } from "./format.ts";
import type { Overview } from "./reports.ts";

/** The version of the package that the page was built with. */
declare const __VERSION__: string;

interface NoticesProps {
  readonly overview: Overview;
  readonly connection: Connection;
  readonly now: number;
}

/** Problems that keep the service from working, or the page from being up to date. They are shown first. */
export function Notices({ overview, connection, now }: NoticesProps) {
  const { ready, settings, lookups, version } = overview;
  return (
    <>
      {connection.is === "lost" && (
        <p class="notice bad">
          No connection since {localTime(connection.since, now)}: {sentence(connection.why)} What you see may have
          changed. The page connects again by itself.
        </p>
      )}
      {version !== __VERSION__ && (
        <p class="notice">
          The service runs version {version}, and this page is of version {__VERSION__}.{" "}
          <button type="button" onClick={() => location.reload()}>
            Reload the page
          </button>
        </p>
      )}
      {settings.dryRun && <p class="notice">DRYRUN is set: drains change nothing.</p>}
      {ready.status === "stopping" && <p class="notice">The service is stopping. It accepts no more requests.</p>}
      {ready.problems.length > 0 && (
        <section class="notice bad" aria-label="Problems">
          <h2>Drains cannot work now</h2>
          <ul>
            {ready.problems.map(({ action, code, message }) => (
              <li key={`${action} ${code} ${message}`}>
                {action !== undefined && !message.includes(action) && <code>{action}</code>} {sentence(message)}{" "}
                <span class="quiet">{code}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
      {lookups.length > 0 && (
        <section class="notice bad" aria-label="Requests that wait">
          <h2>Requests whose node could not be found yet</h2>
          <ul>
            {lookups.map(({ asked, at, error }) => (
              <li key={asked}>
                <strong>{asked}</strong>: {sentence(error.message)}{" "}
                <span class="quiet">
                  {error.code}, tried {duration(now - Date.parse(at))} ago
                </span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  );
}
