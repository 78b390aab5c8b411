import type { Clock } from "../drain/clock.ts";

/** So long a file's old content may still count. */
const REREAD_MS = 5_000;

export interface RereadOptions<T> {
  readonly clock: Clock;
  /** What has been read already. */
  readonly first: T;
  readonly read: () => Promise<T>;
  /** Gets what was read when it differs from what was known. */
  readonly onChange: (value: T) => void;
  /** Gets the problem when a read fails: the previous content stays in use. */
  readonly onFailure: (error: Error) => void;
}

/** Reads files repeatedly, because they may be replaced while the service runs. Resolves when `stop` aborts. */
export async function reread<T>(options: RereadOptions<T>, stop: AbortSignal): Promise<void> {
  const { clock, first, read, onChange, onFailure } = options;
  let known = JSON.stringify(first);
  let hasFailed = false;
  for (;;) {
    await clock.sleep(REREAD_MS, stop).catch(() => {}); // Stopped.
    if (stop.aborted) return;
    try {
      const value = await unlessStopped(read(), stop);
      if (stop.aborted) return;
      const text = JSON.stringify(value);
      if (text !== known || hasFailed) onChange(value as T);
      known = text;
      hasFailed = false;
    } catch (error) {
      onFailure(error as Error);
      hasFailed = true;
    }
  }
}

/** A file on a network or a pipe may never be read. Undefined once `stop` aborts. */
function unlessStopped<T>(work: Promise<T>, stop: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const onStop = () => resolve(undefined);
    stop.addEventListener("abort", onStop, { once: true });
    void work.then(resolve, reject).finally(() => stop.removeEventListener("abort", onStop));
  });
}
