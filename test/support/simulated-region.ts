import { DescribeInstancesCommand } from "@aws-sdk/client-ec2";
import { DescribeLoadBalancersCommand } from "@aws-sdk/client-elastic-load-balancing";
import { DescribeTargetGroupsCommand } from "@aws-sdk/client-elastic-load-balancing-v2";
import { createEngine, type Engine } from "../../src/app/engine.ts";
import { type AwsClients, createAwsClients } from "../../src/aws/clients.ts";
import { OPTIONS, readConfig } from "../../src/config/config.ts";
import { anyOf, newAbort, WOKEN } from "../../src/drain/abort.ts";
import type { Cluster } from "../../src/drain/cluster.ts";
import type { AccessProblem } from "../../src/drain/errors.ts";
import type { CloudCall, DrainEvent, DrainObserver } from "../../src/drain/events.ts";
import type { Ledger } from "../../src/drain/ledger.ts";
import type { ApiAnswer, ApiRequest } from "../../src/simulator/api/answer.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import type { AccessRecord } from "../../src/simulator/iam/access.ts";
import { Simulator } from "../../src/simulator/simulator.ts";
import type { Timing } from "../../src/simulator/timing.ts";
import type { ClassicLoadBalancer } from "../../src/simulator/world/classic-load-balancer.ts";
import type { Instance, InstanceInput } from "../../src/simulator/world/instance.ts";
import type { LoadBalancerType } from "../../src/simulator/world/load-balancer.ts";
import type { TargetGroup } from "../../src/simulator/world/target-group.ts";
import { World } from "../../src/simulator/world/world.ts";
import { NameSigner } from "./name-signer.ts";
import { printedFor } from "./printed-policy.ts";

export const VPC = "vpc-0123456789abcdef0";
type Key = { readonly accessKeyId: string; readonly secretAccessKey: string };
type Credentials = Key | (() => Promise<Key>);

export const CREDENTIALS = { accessKeyId: "simulated", secretAccessKey: "simulated" };

/** Answers one call instead of the simulator; `undefined` leaves it to the simulator. */
export type Intercept = (call: InterceptedCall) => Partial<ApiAnswer> | undefined;

export interface InterceptedCall {
  /** `DescribeTargetHealth` */
  readonly action: string;
  readonly params: URLSearchParams;
  /** How often this action was called before. */
  readonly before: number;
  /** The access key that has signed the call. */
  readonly accessKeyId: string;
}

/** A region on virtual time, called by the real SDK without a socket. */
export class SimulatedRegion {
  readonly clock: VirtualClock;
  readonly world: World;
  readonly simulator: Simulator;
  /** Set it to make calls fail. */
  intercept: Intercept = () => undefined;
  /** After so long without an answer a call is given up, as the product's own handler does. Absent: never. */
  requestTimeoutMs: number | undefined;
  /** How long a call and its answer take on the way, together. */
  latencyMs = 0;
  /** Every call in order: its action, its parameters, and when it came (virtual milliseconds since the start). */
  readonly calls: { readonly action: string; readonly params: URLSearchParams; readonly at: number }[] = [];
  readonly #accessKeys: string[] = [];
  /** How many of `calls` are of each action: large scenes make thousands. */
  readonly #callCounts = new Map<string, number>();
  #nodes = 0;

  constructor(
    timing: Partial<Timing> = {},
    {
      clock = new VirtualClock(),
      ...where
    }: { readonly region?: string; readonly accountId?: string; readonly clock?: VirtualClock } = {},
  ) {
    this.clock = clock;
    this.world = new World({ clock, timing, ...where });
    this.simulator = new Simulator(this.world);
  }

  callsOf(action: string): readonly URLSearchParams[] {
    return this.calls.filter((call) => call.action === action).map(({ params }) => params);
  }

  /** The next node of the cluster `demo`: i-0…1 at 10.0.0.1 and so on. */
  node(input: Partial<InstanceInput> = {}): Instance {
    this.#nodes += 1;
    return this.world.addInstance({
      id: `i-${String(this.#nodes).padStart(17, "0")}`,
      vpcId: VPC,
      privateIp: `10.0.0.${this.#nodes}`,
      tags: { "kubernetes.io/cluster/demo": "owned" },
      ...input,
    });
  }

  /** A target group behind a load balancer of its own, with these nodes registered long ago on `port`. */
  group(input: {
    readonly name: string;
    readonly type?: LoadBalancerType;
    readonly nodes?: readonly Instance[];
    readonly port?: number;
    readonly delaySeconds?: number;
    readonly targetType?: "instance" | "ip";
    readonly vpcId?: string;
    readonly tags?: Readonly<Record<string, string>>;
    readonly connectionTermination?: boolean;
    /** Default: HTTP, TCP or GENEVE, by the type. */
    readonly protocol?: string;
    /** The listener's. Absent: AWS's default. */
    readonly idleTimeoutSeconds?: number;
  }): TargetGroup {
    const { name, type = "application", nodes = [], port = 30080, delaySeconds = 300, vpcId = VPC } = input;
    const byType = type === "application" ? "HTTP" : type === "network" ? "TCP" : "GENEVE";
    const { protocol = byType, idleTimeoutSeconds } = input;
    const targetType = input.targetType ?? "instance";
    const group = this.world.addTargetGroup({ name, vpcId, protocol, port, targetType });
    group.attributes.set("deregistration_delay.timeout_seconds", String(delaySeconds));
    group.attributes.set(
      "deregistration_delay.connection_termination.enabled",
      String(input.connectionTermination ?? false),
    );
    for (const [key, value] of Object.entries(input.tags ?? {})) group.tags.set(key, value);
    const loadBalancer = this.world.addLoadBalancer({ name: `${name}-lb`, type, vpcId });
    this.world.addListener(loadBalancer, {
      protocol,
      port: 80,
      defaultActions: [{ type: "forward", groups: [{ arn: group.arn, weight: 1 }] }],
      ...(idleTimeoutSeconds === undefined ? {} : { idleTimeoutSeconds }),
    });
    for (const node of nodes) {
      this.world.registerTarget(group, { id: targetType === "ip" ? node.privateIp : node.id }, { settled: true });
    }
    return group;
  }

  /** A classic load balancer with these nodes registered long ago. `drainingSeconds` absent: draining is off. */
  classic(input: {
    readonly name: string;
    readonly nodes?: readonly Instance[];
    readonly drainingSeconds?: number;
    readonly tags?: Readonly<Record<string, string>>;
    readonly vpcId?: string;
  }): ClassicLoadBalancer {
    const listeners = [{ protocol: "HTTP", port: 80, instanceProtocol: "HTTP", instancePort: 30080 }];
    const classic = this.world.addClassic({ name: input.name, vpcId: input.vpcId ?? VPC, listeners });
    if (input.drainingSeconds !== undefined)
      classic.draining = { enabled: true, timeoutSeconds: input.drainingSeconds };
    for (const [key, value] of Object.entries(input.tags ?? {})) classic.tags.set(key, value);
    for (const { id } of input.nodes ?? []) classic.register(id, this.clock.now(), { settled: true });
    return classic;
  }

  /** The SDK's clients, as the product makes them, with credentials that may do everything. */
  clients(): AwsClients {
    return createAwsClients({ region: this.world.region, ...this.aws() });
  }

  /** What the product finds to keep drains from working. */
  checkAccess(options: Readonly<Record<string, string>> = {}): Promise<readonly AccessProblem[]> {
    return this.wholeEngine(options).checkAccess(never);
  }

  /** The same with credentials that may do what the printed policy allows, given the options' variables. */
  restrictedClients(environment: Readonly<Record<string, string>> = {}): AwsClients {
    const credentials = this.#restrictedKey({ AWS_REGION: this.world.region, ...environment });
    return createAwsClients({ region: this.world.region, ...this.aws(credentials) });
  }

  /** What the engine has asked of the policies of its credentials: of all engines and restricted clients so far. */
  get access(): readonly AccessRecord[] {
    return this.#accessKeys.map((id) => this.simulator.access.recordOf(id)).filter((record) => record !== undefined);
  }

  /**
   * The product's engine, with credentials that may do what the printed policy allows. `options` are given by their
   * variables' names: `{ TIMEOUT: "60" }`.
   */
  engine(
    options: Readonly<Record<string, string>> = {},
    events: DrainEvent[] = [],
    onCall: (call: CloudCall) => void = () => {},
  ): Engine["drainer"] {
    return this.wholeEngine(options, events, onCall).drainer;
  }

  /** The engine with its index. */
  wholeEngine(
    options: Readonly<Record<string, string>> = {},
    events: DrainEvent[] = [],
    onCall: (call: CloudCall) => void = () => {},
    ledger?: Ledger,
    cluster?: Cluster,
    observers: readonly DrainObserver[] = [],
  ): Engine {
    const known = new Set(Object.values(OPTIONS).map(({ variable }) => variable));
    for (const name of Object.keys(options)) if (!known.has(name)) throw new Error(`no option ${name}`);
    // The verb that knows every option.
    const verb = "serve";
    const service = { CLOUDPROVIDER: "aws", SECRET: "s" };
    const environment = { ...service, AWS_REGION: this.world.region, QUOTA_SHARE: "100", MIN_HEALTHY: "0", ...options };
    return createEngine(readConfig({ verb, environment }), {
      clock: this.clock,
      aws: this.aws(this.#restrictedKey(environment)),
      onCall,
      ...(ledger && { ledger }),
      ...(cluster && { cluster }),
      observers: [...observers, (event) => events.push(event)],
    });
  }

  async sdkIsLoaded(): Promise<void> {
    const { ec2, v2, classic } = this.clients();
    await ec2.send(new DescribeInstancesCommand({ MaxResults: 5 }));
    await v2.send(new DescribeTargetGroupsCommand({}));
    await classic.send(new DescribeLoadBalancersCommand({}));
  }

  /** What the SDK's clients need to call this region. A signer by itself: the SDK makes one for each call where it gets a class. */
  aws(credentials: Credentials = CREDENTIALS) {
    return { credentials, requestHandler: this.#requestHandler(), signer: new NameSigner({ credentials }) };
  }

  #restrictedKey(environment: Readonly<Record<string, string>>) {
    const accessKeyId = `restricted${this.#accessKeys.length + 1}`;
    this.#accessKeys.push(accessKeyId);
    this.simulator.access.restrict({ accessKeyId, document: printedFor(environment) });
    return { ...CREDENTIALS, accessKeyId };
  }

  async #call(request: ApiRequest, signal: AbortSignal): Promise<ApiAnswer> {
    if (this.requestTimeoutMs === undefined) return this.simulator.call(request, signal);
    const over = newAbort();
    const within = anyOf(signal, over.signal);
    const timeout = this.clock.sleep(this.requestTimeoutMs, within).then(() => {
      throw Object.assign(new Error("the request has timed out"), { name: "TimeoutError" });
    });
    try {
      return await Promise.race([this.simulator.call(request, within), timeout]);
    } finally {
      over.abort(WOKEN);
    }
  }

  #requestHandler() {
    const handle = async (
      { body, headers: sent }: { readonly body: string; readonly headers: Readonly<Record<string, string>> },
      { abortSignal = never }: { readonly abortSignal?: AbortSignal } = {},
    ) => {
      const params = new URLSearchParams(body);
      const action = params.get("Action") ?? "";
      if (this.latencyMs > 0) await this.clock.sleep(this.latencyMs / 2, abortSignal);
      const before = this.#callCounts.get(action) ?? 0;
      this.#callCounts.set(action, before + 1);
      this.calls.push({ action, params, at: this.clock.elapsedMs });
      const intercepted = this.intercept({ action, params, before, accessKeyId: signerOf(sent) });
      const answer = intercepted ?? (await this.#call({ body, authorization: sent["authorization"] }, abortSignal));
      if (this.latencyMs > 0) await this.clock.sleep(this.latencyMs / 2, abortSignal);
      const { status = 200, headers = {}, body: text = "" } = answer;
      return { response: { statusCode: status, headers: { ...headers }, body: Buffer.from(text) } };
    };
    return asHandler(handle);
  }
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html */
export function signerOf({ authorization = "" }: Readonly<Record<string, string | undefined>>): string {
  return /Credential=([^/]+)\//.exec(authorization)?.[1] ?? "";
}

/** An error as both ELB APIs put it on the wire. */
export function elbError(code: string, message: string, status = 400): Partial<ApiAnswer> {
  const type = status >= 500 ? "Receiver" : "Sender";
  return {
    status,
    headers: { "content-type": "text/xml" },
    body: `<ErrorResponse><Error><Type>${type}</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
  };
}

/** What the SDK sends its requests with. Its type wants a response class of its own; it takes anything of that shape. */
export function asHandler(handle: (...sent: never[]) => Promise<unknown>): never {
  return {
    handle,
    metadata: { handlerProtocol: "http/1.1" },
    updateHttpClientConfig: () => {},
    httpHandlerConfigs: () => ({}),
    destroy: () => {},
  } as never;
}

/** Never aborts. */
export const never = newAbort().signal;

// At its first call the SDK reads files and loads modules. That takes real time, for which no virtual clock waits.
await new SimulatedRegion().sdkIsLoaded();
