import type { WorldPool, WorldTarget } from "./world.ts";

export type Method = "resolve" | "find" | "describe" | "deregister" | "register" | "observe" | "owned" | "terminated";
export const METHODS: readonly Method[] = [
  "resolve",
  "find",
  "describe",
  "deregister",
  "register",
  "observe",
  "owned",
  "terminated",
];

export interface MadeCall {
  readonly method: Method;
  readonly pool: WorldPool | undefined;
  readonly targets: readonly WorldTarget[];
  readonly at: number;
}

/** More calls than that at one moment are a loop without a wait: it would never end, and no time would pass. */
const AT_ONCE_MAX = 500;

/** Every call of every process. */
export class CallLog {
  readonly all: MadeCall[] = [];
  readonly #onDeregistered: (target: WorldTarget, at: number) => void;

  constructor(onDeregistered: (target: WorldTarget, at: number) => void) {
    this.#onDeregistered = onDeregistered;
  }

  /** From now on no call is answered. */
  get isLoop(): boolean {
    return this.all.length >= AT_ONCE_MAX && this.all.at(-AT_ONCE_MAX)?.at === this.all.at(-1)?.at;
  }

  made(call: MadeCall): void {
    this.all.push(call);
  }

  /** The cloud is about to end a registration on somebody's word. */
  deregistered(target: WorldTarget, at: number): void {
    this.#onDeregistered(target, at);
  }
}
