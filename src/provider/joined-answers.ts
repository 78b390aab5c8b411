import { newAbort, onAbort, WOKEN } from "../drain/abort.ts";
import type { FoundRegistrations, Node } from "../drain/cloud-provider.ts";
import { asDrainError, DrainError, type DrainErrorCode } from "../drain/errors.ts";
import type { NodeReference } from "../drain/request.ts";

/** The answer of one place to a reference: its node, or why there is none. */
export interface PlaceAnswer {
  readonly place: string;
  readonly node?: Node;
  readonly error?: DrainError;
}

/** With these codes the place has no such live node. With any other failure it may have one. */
const NOT_THERE: readonly DrainErrorCode[] = ["other-cluster", "instance-gone", "node-not-found"];

/**
 * The first answer that is sufficient for an id, which only one instance in all of AWS has. Undefined: all have
 * answered, and none is sufficient.
 */
export function firstDefinite(asked: readonly Promise<PlaceAnswer>[]): Promise<PlaceAnswer | undefined> {
  return new Promise((resolve, reject) => {
    for (const one of asked) {
      one.then((answer) => {
        const isGone = answer.error?.code === "instance-gone" || answer.error?.code === "other-cluster";
        if (answer.node !== undefined || isGone) resolve(answer);
      }, reject);
    }
    Promise.all(asked).then(() => resolve(undefined), reject);
  });
}

/** The only node among the answers. Throws `DrainError`, also if a place that has not answered may have it. */
export function nodeAmong({ by, value }: NodeReference, answers: readonly PlaceAnswer[]): Node {
  const errors = answers.flatMap(({ error }) => error ?? []);
  const unanswered = errors.find(({ code }) => !NOT_THERE.includes(code));
  if (unanswered !== undefined) throw unanswered;
  const [first, ...others] = answers.flatMap(({ node }) => node ?? []);
  const what = by === "name" ? `the name ${value}` : by === "ip" ? `the address ${value}` : `the id ${value}`;
  if (others.length > 0) {
    const all = answers.flatMap(({ node, place }) => (node === undefined ? [] : [`${node.id} (${place})`]));
    throw new DrainError(
      "ambiguous-node",
      `${what} matches instances in several accounts or regions: ${all.join(", ")}. Name one by its id`,
    );
  }
  if (first !== undefined) return first;
  for (const code of NOT_THERE) {
    const error = errors.find((one) => one.code === code);
    if (error !== undefined && code !== "node-not-found") throw error;
  }
  const places = answers.map(({ place }) => place).join(", ");
  throw new DrainError("node-not-found", `no live instance in ${places} has ${what}: check it, and AWS_PLACES`);
}

/** What all of them know together. Undefined if one of them knows nothing. */
export function inAll<F extends FoundRegistrations & { readonly asOf: number }>(
  all: readonly (F | undefined)[],
): (FoundRegistrations & { readonly asOf: number }) | undefined {
  const known = all.filter((found) => found !== undefined);
  if (known.length < all.length) return undefined;
  const warnings = [...new Set(known.flatMap(({ warning }) => warning ?? []))];
  return {
    registrations: known.flatMap(({ registrations }) => registrations),
    elsewhere: known.flatMap(({ elsewhere }) => elsewhere),
    asOf: Math.min(...known.map(({ asOf }) => asOf)),
    ...(warnings.length === 0 ? {} : { warning: warnings.join("; ") }),
  };
}

/**
 * Everything that they return, as it comes. One that fails does not end the others: the failure is thrown when all have
 * ended, and a temporary one first. Each gets a signal that aborts with `signal`, or when the reader has left.
 */
export async function* mergedFrom<T>(
  starts: readonly ((signal: AbortSignal) => AsyncIterable<T>)[],
  signal: AbortSignal,
): AsyncGenerator<T> {
  const over = newAbort();
  const ready: T[] = [];
  const failures: unknown[] = [];
  let running = starts.length;
  let wake = () => {};
  const read = async (start: (signal: AbortSignal) => AsyncIterable<T>) => {
    try {
      for await (const one of start(over.signal)) {
        ready.push(one);
        wake();
      }
    } catch (error) {
      failures.push(error);
    }
    running -= 1;
    wake();
  };
  if (signal.aborted) over.abort(signal.reason);
  const forget = onAbort(signal, () => over.abort(signal.reason));
  try {
    for (const start of starts) void read(start);
    for (;;) {
      signal.throwIfAborted();
      const next = ready.shift();
      if (next !== undefined) yield next;
      else if (running > 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      } else if (failures.length > 0) throw failures.find((each) => asDrainError(each).isPassing) ?? failures[0];
      else return;
    }
  } finally {
    forget();
    over.abort(WOKEN);
  }
}
