import type { Clock } from "../../src/drain/clock.ts";
import type { KubernetesObject, Pod } from "../../src/kubernetes/objects.ts";
import { type FakeAnswer, type FakeApiServer, type FakeRequest, type Intercepted, refusal } from "./fake-api-server.ts";

const PODS = "/api/v1/pods";
const CONTROLLED = [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: "r", controller: true }];

interface PodParts {
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly owners?: readonly object[];
  readonly grace?: number;
  readonly phase?: string;
  readonly node?: string;
  readonly emptyDir?: true;
  readonly deletionTimestamp?: string;
  readonly ip?: string;
  readonly hostNetwork?: true;
}

/** A pod as the API has it, of a ReplicaSet on `node-1` where nothing else is said. */
export function pod(name: string, parts: PodParts = {}): Pod & KubernetesObject {
  const { labels = {}, annotations = {}, owners = CONTROLLED, grace = 30, phase = "Running", node = "node-1" } = parts;
  const { emptyDir, deletionTimestamp, ip, hostNetwork } = parts;
  return {
    metadata: {
      name,
      namespace: "shop",
      uid: `uid-of-${name}`,
      labels,
      annotations,
      ownerReferences: owners,
      ...(deletionTimestamp && { deletionTimestamp }),
    },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: grace,
      containers: [],
      ...(hostNetwork && { hostNetwork }),
      ...(emptyDir && { volumes: [{ name: "cache", emptyDir: {} }] }),
    },
    status: { phase, ...(ip && { podIP: ip, podIPs: [{ ip }] }) },
  } as unknown as Pod & KubernetesObject;
}

/** The pods of a fake API server, which evicts as a real one does, with kubelets that end pods in their time. */
export class FakePods {
  /** Those that are there, by name. */
  readonly there: Map<string, Pod>;
  /** When those that terminate are gone, in milliseconds since the epoch. */
  readonly endsAt = new Map<string, number>();
  /** What was asked about single pods. */
  readonly asked: { readonly pod: string; readonly atSeconds: number; readonly body: unknown }[] = [];
  /** In place of what it would answer about a pod. */
  readonly answers = new Map<string, (request: FakeRequest) => Intercepted>();
  readonly #clock: Clock;
  readonly #start: number;

  constructor(fake: FakeApiServer, clock: Clock, pods: readonly Pod[]) {
    this.#clock = clock;
    this.#start = clock.now();
    this.there = new Map(pods.map((one) => [one.metadata?.name ?? "", one]));
    fake.intercept = (request) => this.#answer(request);
  }

  #answer({ method, path, query, body, ...rest }: FakeRequest): Intercepted {
    if (method === "GET" && path === PODS) return this.#list(query);
    const name = /\/pods\/([^/]+)(?:\/eviction)?$/.exec(path)?.[1];
    if (name === undefined) return undefined;
    const clock = this.#clock;
    this.asked.push({ pod: name, atSeconds: (clock.now() - this.#start) / 1_000, body });
    const answer = this.answers.get(name)?.({ method, path, query, body, ...rest });
    if (answer !== undefined) return answer;
    const known = this.there.get(name);
    if (known === undefined) return refusal(404, "NotFound");
    const graceMs = (known.spec?.terminationGracePeriodSeconds ?? 0) * 1_000;
    if (!this.endsAt.has(name)) this.endsAt.set(name, clock.now() + graceMs);
    const metadata = { ...known.metadata, deletionTimestamp: new Date(clock.now() + graceMs).toISOString() };
    this.there.set(name, { ...known, metadata } as Pod);
    return { status: 201, body: { kind: "Status", status: "Success" } };
  }

  #list(query: URLSearchParams): FakeAnswer {
    for (const [name, at] of this.endsAt) if (at <= this.#clock.now()) this.there.delete(name);
    const [node, selector] = [query.get("fieldSelector")?.split("=")[1], query.get("labelSelector")];
    const [label = "", value] = selector?.split("=") ?? [];
    const items = [...this.there.values()].filter(
      ({ spec, metadata }) => spec?.nodeName === node && (selector === null || metadata?.labels?.[label] === value),
    );
    return { status: 200, body: { kind: "List", metadata: { resourceVersion: "1" }, items } };
  }
}
