/** What a body lacks to be understood. Its message names the field and what was given, on one line, bounded: safe to log. */
export class MalformedEvent extends Error {
  override readonly name = "MalformedEvent";
}

/** Says in what the problem is, wherever `read` finds one. */
export function within<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof MalformedEvent) throw new MalformedEvent(`${what}: ${error.message}`, { cause: error });
    throw error;
  }
}
