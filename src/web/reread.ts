import type { Clock } from "../drain/clock.ts";

/** The old content of a file may be used for this long. */
const REREAD_MS = 5_000;

export interface RereadOptions<T> {
  readonly clock: Clock;
  /** The content that was read already. */
  readonly first: T;
  readonly read: () => Promise<T>;
  /** Called with the content when it has changed. */
  readonly onChange: (value: T) => void;
  /** Called with the problem when a read fails. The previous content stays in use. */
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

/** A read of a network file system or a pipe may never end. Undefined when `stop` aborts. */
function unlessStopped<T>(work: Promise<T>, stop: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const onStop = () => resolve(undefined);
    stop.addEventListener("abort", onStop, { once: true });
    void work.then(resolve, reject).finally(() => stop.removeEventListener("abort", onStop));
  });
}
