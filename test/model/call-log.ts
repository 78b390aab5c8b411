import type { WorldPool, WorldTarget } from "./world.ts";

export type Method = "resolve" | "find" | "describe" | "deregister" | "observe" | "owned" | "terminated";
export const METHODS: readonly Method[] = [
  "resolve",
  "find",
  "describe",
  "deregister",
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

/** Every call of every process. */
export class CallLog {
  readonly all: MadeCall[] = [];
  readonly #onDeregistered: (target: WorldTarget, at: number) => void;

  constructor(onDeregistered: (target: WorldTarget, at: number) => void) {
    this.#onDeregistered = onDeregistered;
  }

  made(call: MadeCall): void {
    this.all.push(call);
  }

  /** The cloud is about to end a registration on somebody's word. */
  deregistered(target: WorldTarget, at: number): void {
    this.#onDeregistered(target, at);
  }
}
