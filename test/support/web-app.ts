import { onTestFinished } from "vitest";
import { newAbort } from "../../src/drain/abort.ts";
import type { Delivery } from "../../src/drain/event-source.ts";
import type { Ledger } from "../../src/drain/ledger.ts";
import type { DrainOutcome, NodeStatus } from "../../src/drain/outcome.ts";
import type { DrainRequest } from "../../src/drain/request.ts";
import { MemoryLedger } from "../../src/ledger/memory-ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { type AnsweredRequest, createWebApp, type WebOptions } from "../../src/web/app.ts";
import { HttpSource } from "../../src/web/http-source.ts";
import { SecretMask } from "../../src/web/secret-mask.ts";
import { secretCheck } from "../../src/web/secrets.ts";
import { checkAnswer } from "./api-answers.ts";
import { canBeRecognised, keepSecret, RANDOM_SECRET, searchForSecrets } from "./secret-search.ts";

/** As `openssl rand -base64` makes them: each of these characters means something in a URL. */
export const SECRET = RANDOM_SECRET;
export const ID = "i-0123456789abcdef0";
export const NODE = { id: ID, name: "n", network: "vpc-1", addresses: [], addressPrefixes: [] };
export const DRAINED: DrainOutcome = {
  status: "drained",
  drainId: "d-1",
  node: NODE,
  registrations: [],
  elsewhere: [],
};

/** What doctor says where all is well. */
export const NO_FINDINGS: Awaited<ReturnType<WebOptions["examine"]>> = {
  asOf: "2026-01-01T00:00:00.000Z",
  lookedAt: { targetGroups: 1, classicLoadBalancers: 0, instances: 2 },
  findings: [],
  notLookedAt: [],
  counts: { error: 0, warning: 0, notice: 0 },
};

type Chosen =
  | "cancel"
  | "cancelNode"
  | "dryRun"
  | "noEviction"
  | "history"
  | "dashboard"
  | "instanceOf"
  | "metrics"
  | "overview"
  | "nodesWith"
  | "examine"
  | "ready"
  | "status"
  | "takeConnections"
  | "querySecret"
  | "clientCertificate"
  | "replicas"
  | "tokens";

export interface WebAppOptions extends Partial<Pick<WebOptions, Chosen>> {
  /** Those that are right. */
  readonly secrets?: readonly string[];
  /** How every drain ends. */
  readonly outcome?: DrainOutcome;
  /** Answers a request, in place of an immediate `outcome`. */
  readonly answer?: (delivery: Delivery) => unknown;
}

/** A ledger as the web sees it. */
export function historyOf(ledger: Ledger): Omit<WebOptions["history"], "running"> {
  return {
    list: (max) => ledger.list(max),
    read: (drain, signal) => ledger.read(drain, signal),
    follow: (drain, heard) => ledger.follow(drain, heard),
  };
}

/** The HTTP API before a drainer that does as the test wants. Each answer is held to the API's description. */
export function webApp({ outcome = DRAINED, ...options }: WebAppOptions = {}) {
  const source = new HttpSource();
  const clock = new VirtualClock();
  const stop = newAbort();
  onTestFinished(() => stop.abort());
  const requests: DrainRequest[] = [];
  const answered: AnsweredRequest[] = [];
  /** What else was told to the log: which callback, of which client. */
  const told: (readonly [what: string, client: string])[] = [];
  const errors: unknown[] = [];
  const answer = options.answer ?? (({ settle }) => settle(outcome));
  void (async () => {
    for await (const delivery of source.deliveries(stop.signal)) {
      requests.push(delivery.request);
      await answer(delivery);
    }
  })();
  const secrets = options.secrets ?? [SECRET];
  const mask = new SecretMask(secrets);
  for (const secret of secrets) if (canBeRecognised(secret)) keepSecret(secret);
  onTestFinished(() => searchForSecrets("what the log is told", JSON.stringify([answered, told])));
  const app = createWebApp({
    source,
    history: options.history ?? { ...historyOf(new MemoryLedger()), running: () => undefined },
    cancel: options.cancel ?? (async (drainId) => ({ drainId, node: NODE, registrations: [] })),
    cancelNode: options.cancelNode ?? (async () => ({ node: NODE, drains: [] })),
    clock,
    isSecret: secretCheck(secrets),
    secrets: () => mask,
    querySecret: options.querySecret ?? true,
    clientCertificate: options.clientCertificate ?? false,
    tokens: options.tokens,
    replicas: options.replicas,
    dryRun: options.dryRun ?? false,
    noEviction: options.noEviction,
    nodesWith: options.nodesWith,
    instanceOf: options.instanceOf,
    takeConnections: options.takeConnections,
    examine: options.examine ?? (async () => NO_FINDINGS),
    version: "1.2.3",
    status:
      options.status ?? (async (): Promise<NodeStatus> => ({ node: NODE, asOf: 0, registrations: [], elsewhere: [] })),
    overview: options.overview ?? { text: () => "{}", follow: () => () => {} },
    dashboard: options.dashboard ?? (async () => new Map()),
    ready: options.ready ?? (() => ({ status: "checking" })),
    onAnswered: (request) => answered.push(request),
    onQuerySecret: (client) => told.push(["query secret", client]),
    onLimited: (client) => told.push(["limited", client]),
    onError: (error) => errors.push(error),
    metrics: options.metrics ?? (async () => ({ contentType: "text/plain; version=0.0.4", body: "up 1\n" })),
  });
  /** `address` is where it comes from. */
  const request = async (path: string, init: RequestInit = {}, address = "192.0.2.1") => {
    const response = await app.request(path, init, { incoming: { socket: { remoteAddress: address } } });
    const { pathname } = new URL(path, "http://localhost");
    await checkAnswer({ method: init.method ?? "GET", path: pathname, response });
    return response;
  };
  const post = (path: string, init: RequestInit = {}, address?: string) =>
    request(path, { method: "POST", ...init }, address);
  return { app, request, post, source, clock, stop, requests, answered, told, errors };
}
