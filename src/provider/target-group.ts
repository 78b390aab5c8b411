import {
  DeregisterTargetsCommand,
  DescribeTargetHealthCommand,
  RegisterTargetsCommand,
} from "@aws-sdk/client-elastic-load-balancing-v2";
import type { AwsAction } from "../aws/aws-caller.ts";
import { isPoolGone, UnusableAnswer } from "../aws/errors.ts";
import { SharedCall } from "../aws/shared-call.ts";
import type { CallFor, Observed, Registration, RegistrationState } from "../drain/cloud-provider.ts";
import type { Take } from "./batches.ts";
import { type HealthCheckSettings, healthCheckOf } from "./health-checks.ts";
import {
  deregisterBatch,
  type KnownPool,
  type PoolContext,
  type ReadTargets,
  registerBatch,
  type TargetRead,
} from "./known-pool.ts";
import { unlessListed } from "./listed-pools.ts";
import { describeGroup, KnownSettings } from "./pool-settings.ts";
import { type AwsPool, joinedByName, type ListedTarget, registrationOf, stateOf, targetsOf } from "./target-groups.ts";

const DESCRIBE_HEALTH: AwsAction = {
  name: "elasticloadbalancing:DescribeTargetHealth",
  bucket: "v2-read",
  answersWith: "TargetHealthDescriptions",
};
const DEREGISTER: AwsAction = { name: "elasticloadbalancing:DeregisterTargets", bucket: "v2-register" };
const REGISTER: AwsAction = { name: "elasticloadbalancing:RegisterTargets", bucket: "v2-register" };

const DEREGISTERED = { state: "draining", detail: "draining", isHealthy: false } as const;
const REGISTERED = { state: "initial", detail: "initial", isHealthy: false } as const;
const NO_INSTANCES: ReadonlySet<string> = new Set();
/** The index reads each group far more often, unless AWS refuses its calls. */
const HEALTH_KNOWN_MS = 3_600_000;

/** The fields of a target group in its listing. */
export interface ListedGroup {
  readonly pool: AwsPool;
  readonly network: string;
  /**
   * `unknown`: AWS gave none, or one that this program does not know. Both ids and addresses are searched for in it.
   */
  readonly targetType: "instance" | "ip" | "unknown";
  readonly loadBalancerArns: readonly string[];
  /** How its targets are checked. */
  readonly check: HealthCheckSettings;
}

/**
 * A target group, and its last known targets. It is read as a whole, once for all that ask before the call is sent.
 */
export class TargetGroup implements KnownPool {
  pool: AwsPool;
  network: string | undefined;
  targetType: ListedGroup["targetType"] = "unknown";
  loadBalancerArns: readonly string[] = [];
  /** From the last listing. */
  check = healthCheckOf({});
  readonly settings: KnownSettings;
  readonly deregisters = DEREGISTER;
  readonly instances = NO_INSTANCES;
  /** When it was last read, in milliseconds since the epoch. `-Infinity`: never. */
  readAt = Number.NEGATIVE_INFINITY;
  /** The number of that read. 0: never. */
  readNumber = 0;
  /** Since when its members have been known, in milliseconds since the epoch: its first read. `Infinity`: they are not. */
  knownSince = Number.POSITIVE_INFINITY;
  /** Whether earlier lists had no such group: it has been created since. */
  isNew = false;
  /** What the list stores. */
  registrations: readonly Registration[] = [];
  /** Whether these are all. */
  isWhole = false;
  /** Whether the guard needs the health of all targets. */
  isGuarded = false;
  readonly #context: PoolContext;
  readonly #read: SharedCall<() => void, TargetRead>;
  /**
   * What this process has deregistered: by target, the number of the last read that was sent before AWS acknowledged
   * it.
   */
  readonly #endedBy = new Map<string, number>();
  /** The targets that this process has deregistered, as long as reads list them. */
  readonly #ownListed = new Set<string>();

  constructor(pool: AwsPool, context: PoolContext) {
    this.pool = pool;
    this.#context = context;
    const { aws, clock, tags, writableCluster } = context;
    this.settings = new KnownSettings({
      id: pool.id,
      clock,
      describe: (by) => describeGroup(aws, this.pool, by),
      tags: tags.arns,
      writableCluster,
    });
    this.#read = new SharedCall((about, by) => this.#describe(about, by), clock);
  }

  listed({ pool, network, targetType, loadBalancerArns, check }: ListedGroup): void {
    // This includes a pool that only a ledger knew until now.
    const isOtherKind = this.pool.kind !== pool.kind;
    // One object for a pool as long as it is the same, because registrations share it.
    if (this.network === undefined || isOtherKind || this.pool.loadBalancer !== pool.loadBalancer) this.pool = pool;
    Object.assign(this, { network, targetType, loadBalancerArns, check });
    // Flows through a gateway are among the settings.
    if (isOtherKind) this.settings.forget();
  }

  deregister(take: Take, by: CallFor): Promise<void> {
    const { aws } = this.#context;
    // Each target must be sent exactly as AWS listed it, or the call would do nothing.
    const send = (batch: readonly Registration[]) =>
      aws.v2.send(new DeregisterTargetsCommand(this.#input(batch)), { abortSignal: by.signal });
    return deregisterBatch(aws, { action: DEREGISTER, by, countOf, send }, take);
  }

  deregistered(targets: ReadonlySet<string>): void {
    // Reads that were answered since then say nothing about a time before them.
    for (const [target, number] of this.#endedBy) if (number < this.readNumber) this.#endedBy.delete(target);
    for (const target of targets) this.#endedBy.set(target, this.#context.reads.last);
    this.registrations = this.registrations.map((registration) => {
      if (!targets.has(registration.target)) return registration;
      // Only where all members are stored do reads tell which of them are gone.
      if (this.isWhole) this.#ownListed.add(registration.target);
      return withStatus(registration, DEREGISTERED);
    });
  }

  register(take: Take, by: CallFor): Promise<void> {
    const { aws } = this.#context;
    const send = (batch: readonly Registration[]) =>
      unlessListed<unknown>(aws, this.pool.id, by, () =>
        aws.v2.send(new RegisterTargetsCommand(this.#input(batch)), { abortSignal: by.signal }),
      );
    return registerBatch(aws, { action: REGISTER, by, countOf, send }, { pool: this.pool, take });
  }

  /** A read that was sent before their deregistration says nothing about them. */
  registered(again: readonly Registration[]): void {
    // Nothing is known about a group before its first read.
    if (!Number.isFinite(this.readAt)) return;
    const targets = new Set(again.map(({ target }) => target));
    const others = this.registrations.filter(({ target }) => !targets.has(target));
    this.registrations = [...others, ...again.map((one) => withStatus(one, REGISTERED))];
  }

  async observe(which: () => readonly Registration[], by: CallFor): Promise<Observed> {
    const { at, targets } = await this.read(by);
    const states = new Map<string, RegistrationState>();
    // The answer is about all targets, including those that were added meanwhile.
    for (const { target } of which()) states.set(target, "absent");
    for (const listed of targets) {
      const { target, state } = registrationOf(this.pool, listed);
      if (states.has(target)) states.set(target, state);
    }
    return { at, states };
  }

  knownHealth(): ReadTargets | undefined {
    const isKnown = this.isWhole && this.#context.clock.now() - this.readAt <= HEALTH_KNOWN_MS;
    return isKnown ? { at: this.readAt, targets: this.registrations } : undefined;
  }

  async readHealth(since: number, by: CallFor): Promise<ReadTargets> {
    this.isGuarded = true;
    const { at, targets } = await this.#read.askSince(since, () => {}, by);
    // The answer to a later call may have come first.
    const known = this.knownHealth();
    if (known !== undefined && known.at >= at) return known;
    return { at, targets: targets.map((listed) => registrationOf(this.pool, listed)) };
  }

  /**
   * Every registered target of the group, as AWS has it after this call. A vanished group has none. `onSent` is called
   * when the call is sent. A later caller gets another one.
   */
  read(by: CallFor, onSent: () => void = () => {}): Promise<TargetRead> {
    return this.#read.ask(onSent, by);
  }

  /**
   * The registration as read number `read` lists it, unless the read was sent before its deregistration was
   * acknowledged.
   */
  asNoted(registration: Registration, read: number): Registration {
    const isOld = read <= (this.#endedBy.get(registration.target) ?? 0);
    if (isOld) return withStatus(registration, DEREGISTERED);
    if (registration.state !== "draining") this.#ownListed.delete(registration.target);
    return registration;
  }

  /** A read lacks the target. Returns whether this process has deregistered it. */
  wasOwn(target: string): boolean {
    return this.#ownListed.delete(target);
  }

  #input(batch: readonly Registration[]) {
    return { TargetGroupArn: this.pool.id, Targets: batch.flatMap(targetsOf) };
  }

  async #describe(sent: () => readonly (() => void)[], by: CallFor): Promise<TargetRead> {
    const { aws, clock, reads, onRead } = this.#context;
    const { id } = this.pool;
    let at = 0;
    let number = 0;
    let targets: readonly ListedTarget[] = [];
    let isGone = false;
    try {
      // It names no target, because AWS answers differently about a named target that is gone.
      const { TargetHealthDescriptions = [] } = await aws.caller.call(DESCRIBE_HEALTH, by, async () => {
        for (const inform of sent()) inform();
        at = clock.now();
        number = ++reads.last;
        const answer = await unlessListed(aws, id, by, () =>
          aws.v2.send(new DescribeTargetHealthCommand({ TargetGroupArn: id }), { abortSignal: by.signal }),
        );
        // The node of that target is unknown.
        if (answer.TargetHealthDescriptions?.some(({ Target }) => (Target?.Id ?? "") === "") === true)
          throw new UnusableAnswer("it has a target without an id");
        return answer;
      });
      // Some emulators list a target that is not registered.
      targets = joinedByName(TargetHealthDescriptions.filter(({ TargetHealth }) => stateOf(TargetHealth) !== "absent"));
    } catch (error) {
      if (!isPoolGone(error)) throw error;
      isGone = true;
    }
    const read = { at, number, targets, ...(isGone && ({ isGone } as const)) };
    onRead(id, read);
    return read;
  }
}

/** One address may be registered in several zones. */
function countOf(registration: Registration): number {
  return targetsOf(registration).length;
}

function withStatus(registration: Registration, status: typeof DEREGISTERED | typeof REGISTERED): Registration {
  const { mayBeHealthy: _, ...known } = registration;
  return { ...known, ...status };
}

/**
 * With what the read before, at `readAt`, has shown. The existing object if nothing has changed, because there may be hundreds of
 * thousands.
 */
export function sinceBefore(
  registration: Registration,
  before: ReadonlyMap<string, Registration>,
  readAt: number,
): Registration {
  const known = before.get(registration.target);
  const { pool, state, detail } = registration;
  if (known?.pool === pool && known.state === state && known.detail === detail) return known;
  const liveAt = state === "draining" ? lastLiveAt(known, readAt) : undefined;
  return liveAt === undefined ? registration : { ...registration, liveAt };
}

/** See `Registration.liveAt`. `known`: as the read at `readAt` has listed it. */
export function lastLiveAt(known: Registration | undefined, readAt: number): number | undefined {
  return known?.state === "draining" ? known.liveAt : known && readAt;
}
