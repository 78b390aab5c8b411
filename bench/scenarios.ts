import type { RegionPlan } from "./region.ts";

export interface BenchScenario {
  /** As `--only` takes it. */
  readonly name: string;
  readonly title: string;
  readonly region: RegionPlan;
  /** One node after the other, so many seconds apart. 0: all at once. */
  readonly apartSeconds: number;
  readonly requestsPerNode: number;
  /** Somebody else uses half of the account's quota meanwhile. */
  readonly hasRival: boolean;
  /** The simulator runs in a process of its own, so that the client's memory can be told. */
  readonly isIsolated: boolean;
  /** Whether the simple clients run, too. Where each of their thousands of reads lists hundreds of targets, they do not. */
  readonly withPeers: boolean;
  /** ELB calls of keikoproj/lifecycle-manager in this scenario; see docs/performance.md. */
  readonly lifecycleManagerCalls?: number;
}

/** It takes more time than all others together. */
export const LARGEST = "thousand-nodes";

/** 50 groups and 5 classic load balancers, each node in 10 and 2 of them. */
const FEW_POOLS = { nodes: 1, groups: 50, classics: 5, memberGroups: 10, memberClassics: 2, delaySeconds: 30 };
const MANY_POOLS = { ...FEW_POOLS, groups: 450, classics: 50 };
const IN_ALL = { nodes: 100, groups: 450, classics: 0, memberGroups: 450, memberClassics: 0, delaySeconds: 30 };
const DEFAULTS = { apartSeconds: 0, requestsPerNode: 1, hasRival: false, isIsolated: false, withPeers: true };

export const SCENARIOS: readonly BenchScenario[] = [
  {
    ...DEFAULTS,
    name: "one-node",
    title: "1 node, 50 groups + 5 classic",
    region: FEW_POOLS,
    lifecycleManagerCalls: 81,
  },
  {
    ...DEFAULTS,
    name: "one-node-many-pools",
    title: "1 node, 450 groups + 50 classic",
    region: MANY_POOLS,
    lifecycleManagerCalls: 537,
  },
  {
    ...DEFAULTS,
    name: "twenty-at-once",
    title: "20 nodes at once",
    region: { ...FEW_POOLS, nodes: 20 },
    lifecycleManagerCalls: 87,
  },
  {
    ...DEFAULTS,
    name: "four-apart",
    title: "4 nodes, one every 150 s",
    region: { ...FEW_POOLS, nodes: 4 },
    apartSeconds: 150,
    lifecycleManagerCalls: 284,
  },
  {
    ...DEFAULTS,
    name: "long-delay",
    title: "20 nodes at once, delay 300 s",
    region: { ...FEW_POOLS, nodes: 20, delaySeconds: 300 },
    lifecycleManagerCalls: 244,
  },
  {
    ...DEFAULTS,
    name: "hundred-nodes",
    title: "100 nodes in all of 450 groups",
    region: IN_ALL,
    withPeers: false,
  },
  {
    ...DEFAULTS,
    name: LARGEST,
    title: "1,000 nodes in all of 450 groups",
    region: { ...IN_ALL, nodes: 1_000 },
    isIsolated: true,
    withPeers: false,
  },
  {
    ...DEFAULTS,
    name: "refused-id",
    title: "5 nodes, AWS refuses one of them",
    region: { ...FEW_POOLS, nodes: 5, refusedNode: 2 },
  },
  {
    ...DEFAULTS,
    name: "rival",
    title: "20 nodes, 450 groups + 50 classic, a rival",
    region: { ...MANY_POOLS, nodes: 20 },
    hasRival: true,
  },
  {
    ...DEFAULTS,
    name: "duplicates",
    title: "100 nodes, 15,000 requests",
    region: { ...FEW_POOLS, nodes: 100 },
    requestsPerNode: 150,
    withPeers: false,
  },
];

/** How the cost of a node falls: so many at once, in the same 12 pools. */
export const CURVE_NODES = [1, 2, 5, 10, 20, 50, 100];

export function curveScenario(nodes: number): BenchScenario {
  return { ...DEFAULTS, name: `curve-${nodes}`, title: `${nodes} nodes at once`, region: { ...FEW_POOLS, nodes } };
}
