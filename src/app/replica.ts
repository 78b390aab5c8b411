import { type Config, ConfigError } from "../config/config.ts";
import { anyOf, newAbort, WOKEN } from "../drain/abort.ts";
import { asDrainError, DrainError } from "../drain/errors.ts";
import type { DrainEvent } from "../drain/events.ts";
import type { ElectionState, Elector, Leadership } from "../drain/leadership.ts";
import { withLimit } from "../drain/limit.ts";
import type { ApiServer } from "../kubernetes/api-server.ts";
import { ChunkLog } from "../kubernetes/chunk-log.ts";
import { LeaseElector } from "../kubernetes/lease-elector.ts";
import type { SharedLedger } from "../ledger/open-ledger.ts";
import { Forwarder, fingerprintOf } from "../web/forward.ts";
import { NotAccepted } from "../web/http-source.ts";
import type { ReadyState } from "../web/readiness.ts";
import { Relay, type RelayOptions } from "../web/relay.ts";
import { type OfReplica, replicaHeader } from "../web/replica.ts";
import { Background, failureLog } from "./background.ts";
import { openApiServer } from "./cluster-access.ts";
import { LeaderRoute } from "./leader-route.ts";
import { openDrains } from "./ledger.ts";
import { type Answering, type Program, serve } from "./service.ts";
import { ASK_INTERVAL_MS, Successors } from "./successors.ts";
import { type Held, type StartedWeb, startWeb } from "./web.ts";

/** A replica that stands by asks within this time whether the leader can be reached. */
const ASK_TIMEOUT_MS = 3_000;
/** How long a request waits for a leader, and how long a replica without one is ready: longer than an election takes. */
const LEADER_WAIT_MS = 30_000;
/** After this the other programs of the cluster no longer send requests to a pod that ends. */
const LINGER_MS = 5_000;
const LINGER_STEP_MS = 100;
/** When the last wait has ended, its answer needs but a moment to be sent. */
const FLUSH_MS = 1_000;
const IDENTITY_CHARACTERS = 8;

/** A term of this process, from when it can answer callers. */
interface Term {
  readonly answering: Answering;
  readonly isOver: boolean;
}

/**
 * Serves as one of several replicas until `stop`: answers callers at any time, and acts on nodes while it leads. Throws
 * `ConfigError` when it can't start.
 */
export async function runReplica(config: Config, program: Program): Promise<void> {
  const { log, stop, abandon, clock, clocks } = program;
  const replica = new Replica(config, program);
  const background = new Background(failureLog(log, abandon));
  const web = await replica.listen();
  const closed = newAbort();
  try {
    const { host, region, discovery, dryRun } = config;
    log("listening", { host, port: web.port, region, discovery, dryRun });
    stop.addEventListener("abort", () => log("shutdown started", {}));
    abandon.addEventListener("abort", () => log("drains abandoned", {}));
    background.add("clock", clocks.watch(stop));
    background.add("files", web.rereadFiles(stop));
    background.add("leader check", replica.askLeader(stop));
    const elector = await replica.elector(web);
    await elector.run((term) => replica.lead(term), stop);
    background.add("leader observation", elector.observe(closed.signal));
    await replica.linger();
  } finally {
    const untilFlushed = clock.sleep(FLUSH_MS, closed.signal).catch(() => {}); // All answers were sent.
    await web.close(untilFlushed);
    closed.abort();
    replica.close();
  }
  await background.ended();
  log("stopped", {});
}

class Replica {
  readonly #servers: ApiServer[] = [];
  #logServer: ApiServer | undefined;
  #stepDown: Elector["stepDown"] = () => {};
  readonly #config: Config;
  readonly #program: Program;
  readonly #identity: string;
  readonly #route: LeaderRoute<Term>;
  readonly #successors: Successors;
  #forwarder: Forwarder | undefined;
  #relay: Relay | undefined;
  #markFor: RelayOptions["markFor"] = () => "";
  /** When a leader was last known to answer: this process, or another one. */
  #answeredAt: number;
  #isLeading = false;
  /** Its own node leaves, or it could not begin its last term: another one had better lead. */
  #isReluctant = false;
  #handOver: (because: "stopping" | "own-node-leaves") => void = () => {};

  constructor(config: Config, program: Program) {
    const { clock, metrics } = program;
    this.#config = config;
    this.#program = program;
    // A pod keeps its name when its container starts again.
    this.#identity = `${config.podName}_${crypto.randomUUID().slice(0, IDENTITY_CHARACTERS)}`;
    this.#route = new LeaderRoute(clock, this.#identity);
    this.#successors = new Successors(clock);
    this.#answeredAt = clock.now();
    metrics.watchElection({ isLeader: () => this.#isLeading });
  }

  /** While requests still come, and others wait for their answers from the next leader. */
  async linger(): Promise<void> {
    const { clock, abandon } = this.#program;
    const hasOthers = this.#route.leader !== undefined || this.#successors.isAny;
    const until = clock.now() + (hasOthers ? LINGER_MS : 0);
    while (!abandon.aborted && (clock.now() < until || (this.#relay?.waiting ?? 0) > 0))
      await clock.sleep(LINGER_STEP_MS, abandon).catch(() => {}); // Abandoned.
  }

  listen(): Promise<StartedWeb> {
    const { metrics } = this.#program;
    return startWeb(this.#config, {
      ...this.#program,
      ...this.#answering(),
      ready: () => this.#ready(),
      metrics: () => metrics.text(),
      replicasBy: (held) => this.#replicas(held),
    });
  }

  /** What makes this process lead. Throws `ConfigError` where the cluster can't be used. */
  async elector({ port, identity }: Pick<StartedWeb, "port" | "identity">): Promise<Elector> {
    const { podIp = "" } = this.#config;
    const { clock, stop } = this.#program;
    const host = podIp.includes(":") ? `[${podIp}]` : podIp;
    const elector = new LeaseElector({
      ...this.#place,
      // A renewal must not wait for other requests.
      server: await this.#unfencedServer(),
      clock,
      self: () => {
        const shown = identity();
        if (shown === undefined) return { address: `http://${host}:${port}` };
        return { address: `https://${host}:${port}`, fingerprint: fingerprintOf(shown.cert) };
      },
      isReluctant: () => this.#isReluctant,
      onState: (state) => this.#logElection(state),
    });
    elector.onChange(() => this.#heard(elector.leader));
    stop.addEventListener("abort", () => this.#handOverIfStopping());
    this.#stepDown = (reason) => elector.stepDown(reason);
    this.#logServer = await this.#unfencedServer();
    return elector;
  }

  get #place() {
    const { lease: name = "", podNamespace: namespace = "" } = this.#config;
    return { namespace, name, identity: this.#identity };
  }

  /** For what is safe without the fence: the API server compares, and refuses what comes too late. */
  async #unfencedServer(): Promise<ApiServer> {
    const { clock, environment } = this.#program;
    const server = await openApiServer(this.#config, { clock, environment });
    if (server === undefined) throw new TypeError("LEASE needs KUBERNETES");
    this.#servers.push(server);
    return server;
  }

  /** The ledger of a term. */
  #sharedLedger({ over }: Leadership): SharedLedger {
    const { clock, log } = this.#program;
    const chunks = new ChunkLog({
      ...this.#place,
      server: this.#logServer as ApiServer,
      clock,
      onReplaced: ({ message }) => this.#stepDown(message),
      onNotDeleted: ({ message: error }) => log("ledger cleanup failed", { error }),
    });
    return { log: chunks, over };
  }

  /** Asks the leader, so that it knows of this replica, and this one whether it can reach the leader. */
  async askLeader(stop: AbortSignal): Promise<void> {
    const { clock, log } = this.#program;
    while (!stop.aborted) {
      const { leader } = this.#route;
      if (leader !== undefined && this.#forwarder !== undefined) {
        const request = { method: "GET", path: "/health", mark: this.#markFor("") };
        const limit = { reason: "timeout", at: clock.now() + ASK_TIMEOUT_MS } as const;
        try {
          const ask = (signal: AbortSignal) => this.#forwarder?.pass(leader, request, [signal, leader.gone]);
          await withLimit({ clock, limit, signal: stop }, async (signal) => ask(signal));
          this.#answeredAt = clock.now();
        } catch (error) {
          const { message } = error instanceof Error ? error : new Error("no answer in time");
          if (!stop.aborted && !leader.gone.aborted)
            log("request not passed on", { leader: leader.identity, error: message });
        }
      }
      await clock.sleep(ASK_INTERVAL_MS, stop).catch(() => {}); // Stopped.
    }
  }

  close(): void {
    this.#forwarder?.close();
    for (const server of this.#servers) server.close();
  }

  /** Acts on nodes for one term. Throws `ConfigError`. */
  async lead(leadership: Leadership): Promise<void> {
    const { log, metrics, stop, abandon } = this.#program;
    const { lease } = this.#config;
    const of = { lease, term: leadership.number };
    log("leadership acquired", { ...of, identity: this.#identity });
    metrics.countLeaderChange("acquired");
    [this.#isLeading, this.#isReluctant] = [true, false];
    const handover = newAbort();
    let ending: "handed-over" | "lost" | undefined;
    const ends = (how: "handed-over" | "lost", tell: () => void) => {
      if (ending !== undefined) return;
      ending = how;
      metrics.countLeaderChange(how);
      tell();
    };
    this.#handOver = (because) => {
      ends("handed-over", () => log("leadership handed over", { ...of, because }));
      handover.abort(WOKEN);
    };
    const lost = (error: DrainError) => ends("lost", () => log("leadership lost", { ...of, error: error.message }));
    leadership.over.addEventListener("abort", () => lost(asDrainError(leadership.over.reason)));
    try {
      const signals = [leadership.over, handover.signal];
      await this.#serve(leadership, { stop: anyOf(stop, ...signals), abandon: anyOf(abandon, ...signals) });
      if (stop.aborted) this.#handOver("stopping");
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      // Others may be able to.
      this.#isReluctant = true;
      lost(asDrainError(error));
    } finally {
      this.#isLeading = false;
      this.#handOver = () => {};
      this.#successors.endTerm();
      metrics.endTerm();
      this.#answeredAt = this.#program.clock.now();
    }
  }

  async #serve(leadership: Leadership, signals: Pick<Program, "stop" | "abandon">): Promise<void> {
    const shared = this.#sharedLedger(leadership);
    const { close, ...drains } = await openDrains(this.#config, { ...this.#program, shared });
    const { abandon } = signals;
    const leaves = (instanceId: string) => {
      this.#successors.leaves(instanceId);
      this.#compare();
    };
    try {
      await serve(this.#config, {
        ...this.#program,
        ...signals,
        ...drains,
        leadership,
        answer: async (answering) => {
          this.#route.lead({
            answering,
            get isOver() {
              return abandon.aborted;
            },
          });
          return { close: async () => this.#route.lead(undefined) };
        },
        observers: [({ type, node }: DrainEvent) => type === "resumed" && leaves(node.id)],
        onRecorded: ({ node }) => leaves(node.id),
      });
    } finally {
      this.#route.lead(undefined);
      await close();
    }
  }

  /** Hands over where this process's own node leaves, and there is a replica on one that stays. */
  #compare(): void {
    const { nodeName = "" } = this.#config;
    const { instanceOf } = this.#route.term?.answering ?? {};
    if (instanceOf === undefined) return;
    const handOver = this.#handOver;
    this.#successors.comparedWith(nodeName, instanceOf).then(
      ({ leaves, hasBetter }) => {
        if (leaves) this.#isReluctant = true;
        if (hasBetter) handOver("own-node-leaves");
      },
      () => {}, // Compared again when the next replica is heard.
    );
  }

  #handOverIfStopping(): void {
    if (this.#program.stop.aborted && this.#successors.isAny) this.#handOver("stopping");
  }

  #heard(leader: Parameters<LeaderRoute<Term>["heard"]>[0]): void {
    const before = this.#route.leader?.identity;
    this.#route.heard(leader);
    const now = this.#route.leader?.identity;
    if (now !== undefined && now !== before)
      this.#program.log("standing by", { lease: this.#config.lease, leader: now });
  }

  #replicas(held: Held): ReturnType<NonNullable<Parameters<typeof startWeb>[1]["replicasBy"]>> {
    const { tlsClientCaFile, nodeName: node } = this.#config;
    const { clock, abandon, log } = this.#program;
    const forwarder = new Forwarder(held.identities);
    const from = this.#identity;
    this.#forwarder = forwarder;
    this.#markFor = (client) =>
      replicaHeader({ from, node, ...(client !== "" && { client }) }, held.secrets()[0] ?? "");
    const isOwn = (fingerprint: string) => held.identities().some(({ cert }) => fingerprintOf(cert) === fingerprint);
    this.#relay = new Relay({
      route: this.#route,
      forwarder,
      clock,
      markFor: (client) => this.#markFor(client),
      waitMs: LEADER_WAIT_MS,
      end: abandon,
      onFailure: (leader, { message: error }) => log("request not passed on", { leader, error }),
    });
    return {
      secrets: held.secrets,
      isOwnCertificate: tlsClientCaFile === undefined ? undefined : isOwn,
      onRequest: (of: OfReplica) => {
        this.#successors.heard(of);
        this.#handOverIfStopping();
        this.#compare();
      },
      relay: this.#relay.middleware,
    };
  }

  #ready(): ReadyState {
    const { clock, stop } = this.#program;
    const { term, leader } = this.#route;
    if (stop.aborted) return { status: "stopping" };
    if (term !== undefined) return term.answering.ready();
    if (this.#isLeading) return { status: "checking" };
    const checkedAt = this.#answeredAt;
    if (leader !== undefined && clock.now() - checkedAt < LEADER_WAIT_MS)
      return { status: "ready", checkedAt, leader: leader.identity };
    if (leader === undefined && clock.now() - checkedAt < LEADER_WAIT_MS) return { status: "checking" };
    const error = new DrainError("not-leader", "no replica that leads can be reached");
    return { status: "not-ready", checkedAt, problems: [{ error }] };
  }

  /** What callers get of the term, whichever it is. The relay lets them in while there is one. */
  #answering(): Omit<Answering, "ready" | "judge"> {
    const led = () => {
      const { term } = this.#route;
      if (term === undefined) throw new NotAccepted("this replica does not lead");
      return term.answering;
    };
    return {
      source: { submit: (request) => led().source.submit(request) },
      history: {
        list: (max) => led().history.list(max),
        read: (drain, signal) => led().history.read(drain, signal),
        follow: (drain, onEntry) => led().history.follow(drain, onEntry),
        running: (drainId) => led().history.running(drainId),
      },
      cancel: (drainId, asker) => led().cancel(drainId, asker),
      cancelNode: (request) => led().cancelNode(request),
      instanceOf: async (name) => led().instanceOf?.(name),
      status: (node, signal) => led().status(node, signal),
    };
  }

  #logElection(state: ElectionState): void {
    const { log } = this.#program;
    const { lease } = this.#config;
    if (state.kind === "failing") log("lease update failed", { lease, error: state.error.message });
    else log("lease update recovered", { lease, failedSeconds: Math.round(state.failedForMs / 1_000) });
  }
}
