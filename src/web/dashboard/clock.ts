/** The browser's time. Only this file reads it. */

/** Milliseconds since the epoch, by the clock of the browser's machine. */
export function now(): number {
  return Date.now();
}

/** Resolves after this many milliseconds, or as soon as `signal` aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}
