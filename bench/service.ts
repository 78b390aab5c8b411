import { createEngine, type Engine } from "../src/app/engine.ts";
import { readConfig } from "../src/config/config.ts";
import type { CloudCall, DrainEvent } from "../src/drain/events.ts";
import type { DrainOutcome } from "../src/drain/outcome.ts";
import { StampedLedger } from "../src/drain/stamped-ledger.ts";
import { MemoryLedger } from "../src/ledger/memory-ledger.ts";
import { ScaledClock } from "../src/simulator/clock.ts";
import { type Client, QUOTA_SHARE, type Scene } from "./client.ts";
import { buildRegion, nodeId } from "./region.ts";
import { untilWarm } from "./warm.ts";
import { Wire } from "./wire.ts";

const CREDENTIALS = { accessKeyId: "simulated", secretAccessKey: "simulated" };

/** The product: the engine as `serve` has it by default, with the SDK's clients. */
export class Service implements Client {
  static #rehearsal: Promise<void> | undefined;
  readonly #scene: Scene;
  readonly #engine: Engine;
  #isStarted = false;

  constructor(scene: Scene) {
    this.#scene = scene;
    const { clock } = scene;
    const clocks = { boot: "", bootedAt: () => 0, cloudAheadMs: () => undefined };
    this.#engine = createEngine(configOf(), {
      clock,
      observers: [(event) => this.#observe(event)],
      ledger: new StampedLedger(new MemoryLedger(), { clock, clocks }),
      aws: {
        credentials: CREDENTIALS,
        requestHandler: requestHandler(scene.wire, scene.signal),
      },
      onCall: (call) => this.#called(call),
    });
  }

  /**
   * Resolves when a service has drained a node in this process, in real time. At its first call the SDK reads files,
   * which takes time that no virtual clock knows of: afterwards it doesn't.
   */
  static rehearsed(): Promise<void> {
    Service.#rehearsal ??= Service.#rehearse();
    return Service.#rehearsal;
  }

  static async #rehearse(): Promise<void> {
    const pools = { nodes: 1, groups: 1, classics: 1, memberGroups: 1, memberClassics: 1, delaySeconds: 1 };
    const clock = new ScaledClock(1_000);
    const { simulator } = buildRegion(pools, clock);
    const signal = new AbortController().signal;
    const wire = new Wire(clock, (body) => simulator.call({ body }, signal));
    const engine = createEngine(configOf(), {
      clock,
      aws: { credentials: CREDENTIALS, requestHandler: requestHandler(wire, signal) },
    });
    await engine.drainer.drain({ node: { by: "id", value: nodeId(0) }, dryRun: false }, signal);
  }

  warm(): Promise<void> {
    this.#start();
    return untilWarm(this.#scene);
  }

  async drain(nodes: readonly string[]): Promise<void> {
    const drains = nodes.map((id) => this.#drainOne(id));
    this.#start();
    await Promise.all(drains);
  }

  /** What `serve` does from its start: it reads the pools one after the other. */
  #start(): void {
    if (!this.#isStarted) void this.#engine.maintainIndex(this.#scene.signal);
    this.#isStarted = true;
  }

  /** Every request for the node at once. They share a drain, and so an outcome. */
  async #drainOne(id: string): Promise<void> {
    const { scenario, departures, tally, clock, signal } = this.#scene;
    const request = { node: { by: "id", value: id }, dryRun: false } as const;
    const requests = Array.from({ length: scenario.requestsPerNode }, () =>
      this.#engine.drainer.drain(request, signal),
    );
    const outcomes = await Promise.all(requests);
    const outcome = outcomes.find(({ status }) => status !== "drained");
    if (outcome === undefined) return departures.drained(id, clock.now());
    if (outcome.status === "failed" && outcome.error.code === "throttled") tally.gaveUp();
    departures.failed(reasonOf(outcome));
  }

  #observe(event: DrainEvent): void {
    if ((event.type === "poll-failed" || event.type === "deregister-failed") && event.error.code === "throttled")
      this.#scene.tally.gaveUp();
  }

  #called(call: CloudCall): void {
    if (!call.action.startsWith("elasticloadbalancing:")) return;
    this.#scene.tally.told(call.purpose, this.#scene.clock.now());
  }
}

/** As `serve` has it by default. */
export function configOf() {
  return readConfig({
    verb: "serve",
    environment: {
      SECRET: "bench",
      CLOUDPROVIDER: "aws",
      AWS_REGION: "eu-west-1",
      QUOTA_SHARE: String(QUOTA_SHARE),
    },
  });
}

function reasonOf(outcome: DrainOutcome): string {
  return outcome.status === "failed" ? outcome.error.code : outcome.status;
}

/** What carries the SDK's calls: the wire instead of a socket. `end` aborts what the SDK itself would not. */
export function requestHandler(wire: Wire, end: AbortSignal) {
  const handle = async (
    { body }: { readonly body: string },
    { abortSignal }: { readonly abortSignal?: AbortSignal } = {},
  ) => {
    const answer = await wire.call(body, abortSignal ?? end);
    return {
      response: { statusCode: answer.status, headers: { ...answer.headers }, body: Buffer.from(answer.body) },
    };
  };
  return {
    handle,
    metadata: { handlerProtocol: "http/1.1" },
    updateHttpClientConfig: () => {},
    httpHandlerConfigs: () => ({}),
    destroy: () => {},
    // The SDK's type wants its own response class; it takes anything of that shape.
  } as never;
}
