import type { Config } from "../config/config.ts";
import { newAbort } from "../drain/abort.ts";
import { DrainError } from "../drain/errors.ts";
import type { LeaderRecord } from "../drain/leadership.ts";
import { withLimit } from "../drain/limit.ts";
import { Forwarder, fingerprintOf } from "../web/forward.ts";
import { NotAccepted } from "../web/http-source.ts";
import type { ReadyState } from "../web/readiness.ts";
import { type AnsweringTerm, Relay, type Route } from "../web/relay.ts";
import { knowReplicas, replicaHeader } from "../web/replica.ts";
import { isPassedOver, type OfReplica, type Replicas } from "../web/replicas.ts";
import type { TlsMaterial } from "../web/server.ts";
import type { ServedGate } from "./eviction-gate.ts";
import type { LeaderRoute } from "./leader-route.ts";
import type { Answering, Program } from "./service.ts";
import { ASK_INTERVAL_MS } from "./successors.ts";
import { type Held, type StartedWeb, startWeb } from "./web.ts";

/** A standby replica finds out within this time whether the leader can be reached. */
const ASK_TIMEOUT_MS = 3_000;
/**
 * How long a request waits for a leader, and how long a replica without one stays ready. It is longer than an election.
 */
const LEADER_WAIT_MS = 30_000;
/** The same for a review of an eviction, for which the API server waits 3 s. */
const REVIEW_WAIT_MS = 1_000;
/** After this time the other programs of the cluster send no more requests to a pod that ends. */
const LINGER_MS = 5_000;
const LINGER_STEP_MS = 100;
/** When the last wait has ended, this is enough to send its answer. */
const FLUSH_MS = 1_000;

/** A term of this process, from the moment when it can answer callers. */
export interface Term extends AnsweringTerm {
  readonly answering: Answering;
}

export interface ReplicaWebParts {
  /** The identity of this process in the election. */
  readonly identity: string;
  readonly route: LeaderRoute<Term>;
  /** Whether this process was elected, even if it can't answer callers yet. */
  readonly isLeading: () => boolean;
  /** Called for every request of another replica. */
  readonly onReplica: (of: OfReplica) => void;
}

/**
 * The part of a replica that callers reach. It answers with the term of this process, or passes requests on to the
 * leader.
 */
export class ReplicaWeb {
  readonly #config: Config;
  readonly #program: Program;
  readonly #parts: ReplicaWebParts;
  readonly #forwarders: Forwarder[] = [];
  readonly #relays: Relay[] = [];
  #held: Held = { secrets: () => [], identities: () => [] };
  #web: StartedWeb | undefined;
  #gate: ServedGate | undefined;
  /** When a leader was last known to answer: this process, or another one. */
  #answeredAt: number;

  constructor(config: Config, program: Program, parts: ReplicaWebParts) {
    this.#config = config;
    this.#program = program;
    this.#parts = parts;
    this.#answeredAt = program.clock.now();
  }

  /** Throws `ConfigError`. */
  async listen(): Promise<void> {
    const { log } = this.#program;
    this.#web = await startWeb(this.#config, {
      ...this.#program,
      ...this.#answering(),
      ready: () => this.#ready(),
      replicasBy: (held) => {
        this.#held = held;
        const asked = { route: this.#parts.route, identities: held.identities, waitMs: LEADER_WAIT_MS };
        return this.#replicas(asked);
      },
    });
    this.#gate = await this.#serveGate().catch(async (error) => {
      await this.#web?.close(Promise.resolve());
      throw error;
    });
    const { host, region, discovery, dryRun } = this.#config;
    log("listening", { host, port: this.#web.port, region, discovery, dryRun });
  }

  /** The address at which the others reach this replica while it leads. */
  get self(): Omit<LeaderRecord, "identity"> {
    const { podIp = "" } = this.#config;
    const at = `${podIp.includes(":") ? `[${podIp}]` : podIp}:${this.#web?.port}`;
    const [shown] = this.#held.identities();
    return shown === undefined
      ? { address: `http://${at}` }
      : { address: `https://${at}`, fingerprint: fingerprintOf(shown.cert) };
  }

  /** See `StartedWeb`. */
  async rereadFiles(stop: AbortSignal): Promise<void> {
    await Promise.all([this.#web?.rereadFiles(stop), this.#gate?.rereadFiles(stop)]);
  }

  /**
   * Calls the leader, so that it knows of this replica, and so that this one knows whether it can reach the leader.
   */
  async askLeader(stop: AbortSignal): Promise<void> {
    const { clock, log } = this.#program;
    const [forwarder] = this.#forwarders;
    while (!stop.aborted) {
      const { leader } = this.#parts.route;
      if (this.#parts.isLeading()) this.#answeredAt = clock.now();
      if (leader !== undefined && forwarder !== undefined) {
        const limit = { reason: "timeout", at: clock.now() + ASK_TIMEOUT_MS } as const;
        const request = { method: "GET", path: "/health", mark: this.#mark() };
        const ask = (signal: AbortSignal) => forwarder.pass(leader, request, [signal, leader.gone]);
        try {
          const answer = await withLimit({ clock, limit, signal: stop }, ask);
          // Its term may be over although no other replica leads yet.
          if (!isPassedOver(answer)) this.#answeredAt = clock.now();
        } catch (error) {
          const { message } = error instanceof Error ? error : new Error("no answer in time");
          if (!stop.aborted && !leader.gone.aborted)
            log("request not passed on", { leader: leader.identity, error: message });
        }
      }
      await clock.sleep(ASK_INTERVAL_MS, stop).catch(() => {}); // Stopped.
    }
  }

  /** Waits while requests still arrive, and while others wait for their answers from the next leader. */
  async linger(hasOthers: boolean): Promise<void> {
    const { clock, abandon } = this.#program;
    const until = clock.now() + (hasOthers ? LINGER_MS : 0);
    const isWaiting = () => clock.now() < until || this.#relays.some(({ waiting }) => waiting > 0);
    while (!abandon.aborted && isWaiting()) await clock.sleep(LINGER_STEP_MS, abandon).catch(() => {}); // Abandoned.
  }

  async close(): Promise<void> {
    const closed = newAbort();
    const untilFlushed = this.#program.clock.sleep(FLUSH_MS, closed.signal).catch(() => {}); // All answers were sent.
    await Promise.all([this.#web?.close(untilFlushed), this.#gate?.close(untilFlushed)]);
    closed.abort();
    for (const forwarder of this.#forwarders) forwarder.close();
  }

  /** The API server may call any replica. If the leader does not answer in time, the eviction is allowed. */
  async #serveGate(): Promise<ServedGate | undefined> {
    if (!this.#config.evictionGate) return undefined;
    const { metrics } = this.#program;
    const { route } = this.#parts;
    const { serveGate } = await import("./eviction-gate.ts");
    const gateRoute: Route = {
      get term() {
        return route.term;
      },
      get leader() {
        return route.leader && atGate(route.leader, gate);
      },
      changed: (withinMs, signal) => route.changed(withinMs, signal),
    };
    // The same Secret as the leader's, which has published only the other certificate.
    const asked = {
      route: gateRoute,
      identities: () => gate?.identities() ?? [],
      waitMs: REVIEW_WAIT_MS,
      failsOpen: true,
    };
    let gate: ServedGate | undefined;
    gate = await serveGate(this.#config, {
      ...this.#program,
      replicas: this.#replicas(asked),
      judge: async (review, signal) => {
        const { judge } = route.term?.answering ?? {};
        if (judge !== undefined) return judge(review, signal);
        metrics.countReview("failed-open");
        return { isHeld: false, because: "unknown" };
      },
    });
    return gate;
  }

  #replicas(asked: {
    readonly route: Route;
    readonly identities: () => readonly TlsMaterial[];
    readonly waitMs: number;
    readonly failsOpen?: boolean;
  }): Replicas {
    const { tlsClientCaFile } = this.#config;
    const { clock, abandon, log } = this.#program;
    const { identities, failsOpen = false } = asked;
    const forwarder = new Forwarder(identities);
    const relay = new Relay({
      ...asked,
      forwarder,
      clock,
      markFor: (client) => this.#mark(client),
      end: abandon,
      onFailure: (leader, { message: error }) => log("request not passed on", { leader, error }),
    });
    this.#forwarders.push(forwarder);
    this.#relays.push(relay);
    const isOwn = (fingerprint: string) => identities().some(({ cert }) => fingerprintOf(cert) === fingerprint);
    const know = knowReplicas({
      secrets: () => this.#held.secrets(),
      isOwnCertificate: tlsClientCaFile === undefined || failsOpen ? undefined : isOwn,
      leads: () => this.#parts.route.term !== undefined,
      onRequest: this.#parts.onReplica,
    });
    return { know, relay: relay.middleware };
  }

  #mark(client?: string): string {
    const { nodeName: node } = this.#config;
    const of = { from: this.#parts.identity, node, ...(client !== undefined && { client }) };
    return replicaHeader(of, this.#held.secrets()[0] ?? "");
  }

  #ready(): ReadyState {
    const { clock, stop } = this.#program;
    const { term, leader } = this.#parts.route;
    if (stop.aborted) return { status: "stopping" };
    if (term !== undefined) return term.answering.ready();
    const checkedAt = this.#answeredAt;
    const isRecent = clock.now() - checkedAt < LEADER_WAIT_MS;
    if (leader !== undefined && isRecent) return { status: "ready", checkedAt, leader: leader.identity };
    if (this.#parts.isLeading() || isRecent) return { status: "checking" };
    const error = new DrainError("not-leader", "no replica that leads can be reached");
    return { status: "not-ready", checkedAt, problems: [{ error }] };
  }

  /** What callers get of the current term. The relay lets them in while there is one. */
  #answering(): LeadersAnswers {
    const led = () => {
      const { term } = this.#parts.route;
      if (term === undefined) throw new NotAccepted("this replica does not lead");
      return term.answering;
    };
    const takeConnections: Answering["takeConnections"] = (instanceId, report) => {
      const { takeConnections: take } = led();
      if (take === undefined) throw new NotAccepted("this replica does not lead");
      return take(instanceId, report);
    };
    return {
      source: { submit: (request) => led().source.submit(request) },
      history: {
        list: (max) => led().history.list(max),
        read: (drain, signal) => led().history.read(drain, signal),
        follow: (drain, onEntry) => led().history.follow(drain, onEntry),
        running: (drainId) => led().history.running(drainId),
      },
      overview: {
        text: () => led().overview.text(),
        follow: (onChange) => led().overview.follow(onChange),
      },
      cancel: (drainId, asker) => led().cancel(drainId, asker),
      cancelNode: (request) => led().cancelNode(request),
      instanceOf: async (name) => led().instanceOf?.(name),
      nodesWith: async (selector, signal) => (await led().nodesWith?.(selector, signal)) ?? [],
      takeConnections: this.#config.earlyRelease ? takeConnections : undefined,
      status: (node, signal) => led().status(node, signal),
      examine: (signal) => led().examine(signal),
    };
  }
}

type OfLeader = Omit<Answering, "ready" | "judge" | "replicasBy">;
/** None may be left out, also of those that a service can be without. */
type LeadersAnswers = { readonly [Name in keyof Required<OfLeader>]: OfLeader[Name] };

/** The leader's gate, which listens on the same port as this one and has its certificate. */
function atGate(leader: NonNullable<Route["leader"]>, gate: ServedGate | undefined): Route["leader"] {
  const [shown] = gate?.identities() ?? [];
  if (gate === undefined || shown === undefined) return undefined;
  const address = new URL(leader.address);
  address.protocol = "https:";
  address.port = String(gate.port);
  return { ...leader, address: address.origin, fingerprint: fingerprintOf(shown.cert) };
}
