import type { WaitingAction } from "./bodies.ts";
import type { MixedNode } from "./mix.ts";
import type { RegionReport } from "./region.ts";

/** What a process of the bench can be asked, by name: what is given, and what it answers. Times: milliseconds since the epoch. */
export type Asks = Readonly<Record<string, (given: never) => unknown>>;

export type AskRegion = {
  readonly build: (given: { readonly nodes: readonly MixedNode[] }) => {
    readonly url: string;
    readonly waiting: readonly WaitingAction[];
  };
  readonly report: (given: object) => RegionReport;
};

export type AskQueue = {
  readonly open: (given: object) => { readonly url: string };
  /** Resolves when all of them are visible. */
  readonly fill: (given: { readonly messages: readonly string[] }) => { readonly at: number };
  /** Resolves when so many have been deleted since it was opened. `at`: when that was answered. */
  readonly deleted: (given: { readonly count: number }) => { readonly at: number };
  readonly depth: (given: object) => { readonly messages: number };
};
