import { type Config, ConfigError } from "../config/config.ts";
import { anyOf, newAbort, WOKEN } from "../drain/abort.ts";
import { asDrainError, type DrainError } from "../drain/errors.ts";
import type { DrainEvent } from "../drain/events.ts";
import type { ElectionState, Elector, LeaderRecord, Leadership } from "../drain/leadership.ts";
import { verdictOf } from "../drain/outcome.ts";
import type { ApiServer } from "../kubernetes/api-server.ts";
import { ChunkLog } from "../kubernetes/chunk-log.ts";
import { LeaseElector } from "../kubernetes/lease-elector.ts";
import type { SharedLedger } from "../ledger/open-ledger.ts";
import { Background, failureLog } from "./background.ts";
import { openApiServer } from "./cluster-access.ts";
import { LeaderRoute } from "./leader-route.ts";
import { openDrains } from "./ledger.ts";
import { ReplicaWeb, type Term } from "./replica-web.ts";
import { type Program, serve } from "./service.ts";
import { Successors } from "./successors.ts";

const IDENTITY_CHARACTERS = 8;

/**
 * Serves as one of several replicas until `stop`: answers callers at any time, and acts on nodes while it leads. Throws
 * `ConfigError` if it can't start.
 */
export async function runReplica(config: Config, program: Program): Promise<void> {
  const { log, stop, abandon, clocks } = program;
  const replica = new Replica(config, program);
  const background = new Background(failureLog(log, abandon));
  const closed = newAbort();
  const { web } = replica;
  await web.listen();
  try {
    stop.addEventListener("abort", () => log("shutdown started", {}));
    abandon.addEventListener("abort", () => log("drains abandoned", {}));
    background.add("clock", clocks.watch(stop));
    background.add("files", web.rereadFiles(stop));
    background.add("leader check", web.askLeader(stop));
    const elector = await replica.elector();
    await elector.run((term) => replica.lead(term), stop);
    background.add("leader observation", elector.observe(closed.signal));
    await web.linger(replica.hasOthers);
  } finally {
    await web.close();
    closed.abort();
    replica.close();
  }
  await background.ended();
  log("stopped", {});
}

/** One process among the replicas: when it leads, and what it does in a term. */
class Replica {
  readonly web: ReplicaWeb;
  readonly #config: Config;
  readonly #program: Program;
  readonly #identity: string;
  readonly #route: LeaderRoute<Term>;
  readonly #successors: Successors;
  readonly #servers: ApiServer[] = [];
  #logServer: ApiServer | undefined;
  #isLeading = false;
  /** Its own node leaves, or it could not begin its last term, so that another replica should lead. */
  #isReluctant = false;
  #stepDown: Elector["stepDown"] = () => {};
  #handOver: (because: "stopping" | "own-node-leaves") => void = () => {};

  constructor(config: Config, program: Program) {
    const { clock, metrics } = program;
    this.#config = config;
    this.#program = program;
    // A pod keeps its name when its container restarts.
    this.#identity = `${config.podName}_${crypto.randomUUID().slice(0, IDENTITY_CHARACTERS)}`;
    this.#route = new LeaderRoute(clock, this.#identity);
    this.#successors = new Successors(clock);
    this.web = new ReplicaWeb(config, program, {
      identity: this.#identity,
      route: this.#route,
      isLeading: () => this.#isLeading,
      onReplica: (of) => {
        this.#successors.heard(of);
        this.#handOverIfStopping();
        this.#compare();
      },
    });
    metrics.gauges.watchElection({ isLeader: () => this.#isLeading });
  }

  /** Whether other replicas are known. */
  get hasOthers(): boolean {
    return this.#route.leader !== undefined || this.#successors.isAny;
  }

  /** The elector of this process. Throws `ConfigError` if the cluster can't be used. */
  async elector(): Promise<Elector> {
    const { clock, stop } = this.#program;
    const elector = new LeaseElector({
      ...this.#place,
      // A renewal must not wait for other requests.
      server: await this.#unfencedServer(),
      clock,
      self: () => this.web.self,
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

  /** For requests that are safe without the fence: the API server compares, and refuses those that come too late. */
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
      onNotTaken: ({ message: error }) => log("ledger takeover failed", { error }),
      onNotDeleted: ({ message: error }) => log("ledger cleanup failed", { error }),
    });
    return { log: chunks, over };
  }

  close(): void {
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
      // Another replica may be able to.
      this.#isReluctant = true;
      lost(asDrainError(error));
    } finally {
      this.#isLeading = false;
      this.#handOver = () => {};
      this.#successors.endTerm();
      metrics.gauges.endTerm();
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
        replica: this.#identity,
        answer: async (answering) => {
          this.#route.lead({ answering, over: abandon });
          return { close: async () => this.#route.lead(undefined) };
        },
        observers: [
          (event: DrainEvent) => {
            if (event.type === "resumed") leaves(event.node.id);
            if (machineStays(event)) this.#successors.stays(event.node.id);
          },
        ],
        onRecorded: ({ node }) => leaves(node.id),
      });
    } finally {
      this.#route.lead(undefined);
      await close();
    }
  }

  /** Hands over if this process's own node leaves, and there is a replica on a node that stays. */
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

  #heard(leader: LeaderRecord | undefined): void {
    const before = this.#route.leader?.identity;
    this.#route.heard(leader);
    const now = this.#route.leader?.identity;
    if (now !== undefined && now !== before)
      this.#program.log("standing by", { lease: this.#config.lease, leader: now });
  }

  #logElection(state: ElectionState): void {
    const { log } = this.#program;
    const { lease } = this.#config;
    if (state.kind === "failing") log("lease update failed", { lease, error: state.error.message });
    else log("lease update recovered", { lease, failedSeconds: Math.round(state.failedForMs / 1_000) });
  }
}

function machineStays(event: DrainEvent): boolean {
  if (event.type === "undone") return true;
  return event.type === "ended" && (event.outcome.status === "refused" || verdictOf(event.outcome) === "stays");
}
