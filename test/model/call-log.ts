import type { WorldPool, WorldTarget } from "./world.ts";

export const METHODS = [
  ...(["resolve", "find", "health", "describe", "deregister", "register", "obstacles"] as const),
  ...(["observe", "owned", "terminated"] as const),
];
export type Method = (typeof METHODS)[number];

export interface MadeCall {
  readonly method: Method;
  readonly pool: WorldPool | undefined;
  readonly targets: readonly WorldTarget[];
  readonly at: number;
}

/** One target in a call that changes something. */
export interface Change {
  readonly target: WorldTarget;
  /** The node on whose behalf. */
  readonly node: string;
  /** That node's drain at the moment of the call: absent where none runs. */
  readonly drain?: string | undefined;
  /** It was asked for the drain's own sake for the first time. */
  readonly isFirst: boolean;
}

/** A call to end registrations, or to make them again, as a process makes it. */
export interface MadeChanges {
  readonly method: "deregister" | "register";
  readonly pool: WorldPool;
  readonly changes: readonly Change[];
  readonly at: number;
  /** Which process. */
  readonly life: number;
}

export interface CallsHeard {
  /** A process makes a call. */
  readonly onChanges: (call: MadeChanges) => void;
  /** The cloud is about to end a registration on somebody's word. */
  readonly onDeregistered: (change: Change, at: number) => void;
}

/** More calls than that at one moment are a loop without a wait: it would never end, and no time would pass. */
const AT_ONCE_MAX = 500;

/** Every call of every process. */
export class CallLog {
  readonly all: MadeCall[] = [];
  readonly #heard: CallsHeard;

  constructor(heard: CallsHeard) {
    this.#heard = heard;
  }

  /** From now on no call is answered. */
  get isLoop(): boolean {
    return this.all.length >= AT_ONCE_MAX && this.all.at(-AT_ONCE_MAX)?.at === this.all.at(-1)?.at;
  }

  made(call: MadeCall): void {
    this.all.push(call);
  }

  changes(call: MadeChanges): void {
    const { method, pool, changes, at } = call;
    this.all.push({ method, pool, targets: changes.map(({ target }) => target), at });
    this.#heard.onChanges(call);
  }

  deregistered(change: Change, at: number): void {
    this.#heard.onDeregistered(change, at);
  }
}
