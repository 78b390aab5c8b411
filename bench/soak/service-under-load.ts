import { newAbort } from "../../src/drain/abort.ts";
import { SystemClock } from "../../src/drain/clock.ts";
import { ScaledClock } from "../../src/simulator/clock.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import type { Instance } from "../../src/simulator/world/instance.ts";
import { WallTime } from "../clock.ts";
import { type Answer, Callers } from "./callers.ts";
import { Fleet, REGION } from "./fleet.ts";
import { Random } from "./random.ts";
import type { Part } from "./report.ts";
import type { Sample } from "./sample.ts";
import { ServiceProcess } from "./service-process.ts";

export interface LoadOptions {
  /** Of real time. */
  readonly seconds: number;
  readonly seed: number;
  /** A directory for the ledger. */
  readonly folder: string;
  /** Between two samples. */
  readonly roundSeconds?: number;
  readonly onSample?: (sample: Sample) => void;
}

const SECRET = "soak";
const NODES = 12;
const CLIENTS = 6;
const DRAINS_PER_SECOND = 2;
const PAUSE_MS = 50;
const ROUND_SECONDS = 12;
/** For connections to be closed on both sides. */
const QUIET_MS = 2_000;
const HOLDS = { ALB_PROPAGATION: "1", NLB_PROPAGATION: "2", CLASSIC_MINIMUM: "1", QUOTA_SHARE: "50" };
const never = newAbort().signal;

/** The built service with its HTTP API under load, while nodes are drained: what it holds between two rounds. */
export async function serviceUnderLoad({ seconds, seed, folder, ...options }: LoadOptions): Promise<Part> {
  const wall = new WallTime(24 * 3_600);
  const { roundSeconds = ROUND_SECONDS, onSample = () => {} } = options;
  const fleet = new Fleet({ clock: new ScaledClock(1), nodes: NODES, delaySeconds: 1 });
  const simulator = new Simulator(fleet.world);
  const service = await ServiceProcess.start({
    ...{
      SECRET,
      CLOUDPROVIDER: "aws",
      AWS_REGION: REGION,
      HOST: "127.0.0.1",
      PORT: "0",
      STATE_DIR: folder,
      MAX_VOLUNTARY: "100%",
    },
    ...{ AWS_ENDPOINT_URL: await simulator.listen(), AWS_ACCESS_KEY_ID: "soak", AWS_SECRET_ACCESS_KEY: "soak" },
    ...HOLDS,
  });
  // A service that is slow to start takes nothing of the time under load.
  wall.begin();
  const samples: Sample[] = [];
  const load = new Load(fleet, new Callers({ url: service.url, secret: SECRET }), new Random(seed));
  try {
    while (wall.seconds < seconds) {
      await load.round(roundSeconds);
      samples.push({ atSeconds: wall.seconds, values: await service.values() });
      onSample(samples.at(-1) as Sample);
    }
    const code = await service.stop();
    if (code !== 0) load.faults.push(`SIGTERM ended the service with ${code}`);
  } finally {
    service.kill();
    await simulator.close();
    wall.stop();
  }
  return {
    name: "the built service under load",
    lasted: `${(wall.seconds / 60).toFixed(1)} min`,
    realSeconds: wall.seconds,
    done: load.done,
    faults: load.faults,
    samples,
  };
}

class Load {
  readonly faults: string[] = [];
  readonly #fleet: Fleet;
  readonly #callers: Callers;
  readonly #random: Random;
  readonly #clock = new SystemClock();
  readonly #counts = new Map<string, number>();
  /** The newest of them last. */
  #drains: readonly string[] = [];

  constructor(fleet: Fleet, callers: Callers, random: Random) {
    this.#fleet = fleet;
    this.#callers = callers;
    this.#random = random;
  }

  get done(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort());
  }

  /** Load for so long. Resolves when every drain has ended, and nobody is connected. */
  async round(seconds: number): Promise<void> {
    const until = this.#clock.now() + seconds * 1_000;
    this.#fleet.replaceOldestPool();
    await Promise.all([this.#drainSteadily(until), ...Array.from({ length: CLIENTS }, () => this.#askSteadily(until))]);
    this.#callers.hangUp();
    await this.#clock.sleep(QUIET_MS, never);
    await this.#expect(200, this.#callers.ask("GET", "/health"));
    this.#callers.hangUp();
    await this.#clock.sleep(QUIET_MS / 4, never);
  }

  async #drainSteadily(until: number): Promise<void> {
    const underWay: Promise<void>[] = [];
    while (this.#clock.now() < until) {
      const [node] = this.#fleet.members;
      if (node !== undefined) underWay.push(this.#retire(node));
      await this.#clock.sleep(1_000 / DRAINS_PER_SECOND, never);
    }
    await Promise.all(underWay);
  }

  async #retire(node: Instance): Promise<void> {
    this.#fleet.leaves(node);
    this.#fleet.exclude(node);
    this.#fleet.grow();
    const path = `/drain?id=${node.id}`;
    if (this.#random.isTrue(0.3)) {
      const answer = await this.#expect(202, this.#callers.ask("POST", `${path}&wait=false`));
      if (answer !== undefined)
        this.#drains = [...this.#drains, (JSON.parse(answer.body) as { readonly drainId: string }).drainId].slice(-20);
    }
    const others = this.#random.isTrue(0.2) ? [this.#expect(200, this.#callers.ask("POST", path))] : [];
    await Promise.all([this.#expect(200, this.#callers.ask("POST", path)), ...others]);
    this.#count("nodes drained");
    const where = this.#fleet.registeredIn(node);
    if (where.length > 0) this.faults.push(`${node.id} was said to be drained while AWS had it in ${where.join(", ")}`);
    this.#fleet.terminate(node);
  }

  async #askSteadily(until: number): Promise<void> {
    while (this.#clock.now() < until) {
      await this.#askSomething();
      await this.#clock.sleep(PAUSE_MS, never);
    }
  }

  async #askSomething(): Promise<void> {
    const callers = this.#callers;
    const node = this.#random.oneOf(this.#fleet.members)?.id ?? "";
    const drain = this.#random.oneOf(this.#drains);
    const ways: readonly (() => Promise<unknown>)[] = [
      () => this.#expect(200, callers.ask("GET", "/health")),
      () => this.#expect(200, callers.ask("GET", "/metrics")),
      () => this.#expect(200, callers.ask("GET", "/drains")),
      () => this.#expect(200, callers.ask("GET", `/nodes/${node}`)),
      () => this.#expect(200, callers.ask("POST", `/drain?id=${node}&dryRun=true`)),
      () => (drain === undefined ? Promise.resolve() : this.#expect(200, callers.ask("GET", `/drains/${drain}`))),
      () => (drain === undefined ? Promise.resolve() : callers.askAndLeave(`/drains/${drain}/events`)),
      () => this.#expect(404, callers.ask("GET", "/drains/d-0000000000")),
      () => this.#expect(404, callers.ask("POST", "/drain?id=i-0fffffffffffffff0")),
      () => this.#expect(400, callers.ask("POST", "/drain", "{")),
      () => callers.leaveInTheMiddle(),
    ];
    await this.#random.oneOf(ways)?.();
    this.#count("requests besides");
  }

  /** Anything else is a fault. */
  async #expect(status: number, asked: Promise<Answer>): Promise<Answer | undefined> {
    try {
      const answer = await asked;
      if (answer.status === status) return answer;
      this.faults.push(`${status} was due, and the answer was ${answer.status}: ${answer.body.slice(0, 300)}`);
    } catch (error) {
      this.faults.push(`${status} was due, and no answer came: ${(error as Error).message}`);
    }
    return undefined;
  }

  #count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }
}
