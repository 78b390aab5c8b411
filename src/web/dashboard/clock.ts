/** The browser's time: the only place that asks for it. */

/** Milliseconds since the epoch, as the browser's machine has it. */
export function now(): number {
  return Date.now();
}

/** Resolves after so many milliseconds, or as soon as `signal` aborts. */
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
