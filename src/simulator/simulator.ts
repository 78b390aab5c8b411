import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type ApiAnswer, type ApiCall, type ApiRequest, answer } from "./api/answer.ts";
import { AwsError } from "./aws-error.ts";
import { deliver, received } from "./faults/deliver.ts";
import { type DeliveredAnswer, deliveryOf } from "./faults/delivery.ts";
import type { FaultEffect } from "./faults/fault.ts";
import { Faults } from "./faults/faults.ts";
import { Access, accessKeyIdOf, type Grant } from "./iam/access.ts";
import { LOOPBACK, listen } from "./listen.ts";
import type { Quotas } from "./quotas/quotas.ts";
import { Throttle } from "./quotas/throttle.ts";
import type { World } from "./world/world.ts";

/** Far above the size of any AWS call. A client that sends more is not an AWS client. */
const BODY_BYTES_MAX = 1_000_000;

/** Another API on the port of AWS's endpoint. */
export interface Beside {
  isMeant(request: IncomingMessage): boolean;
  /** Never rejects. */
  serve(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

/** AWS's control plane on one port, for any AWS client: EC2, classic ELB, ELBv2, Auto Scaling and STS of one region. */
export class Simulator {
  readonly world: World;
  /** The faults of calls. Empty until a fault is added by a test, the scenario or the control API. */
  readonly faults = new Faults();
  /** The permissions of callers. A caller without a policy may do everything. */
  readonly access: Access;
  #throttle: Throttle | undefined;
  readonly #calls = new Map<string, number>();
  readonly #beside: Beside | undefined;
  #server: Server | undefined;

  /** Throws if a policy can't be used. `beside`: another API on the same port. */
  constructor(
    world: World,
    { policies = [], beside }: { readonly policies?: readonly Grant[]; readonly beside?: Beside } = {},
  ) {
    this.world = world;
    this.#beside = beside;
    this.access = new Access(world);
    for (const grant of policies) this.access.restrict(grant);
  }

  /**
   * From now on, refuses calls above these quotas. Every bucket is full at first. `undefined` (default): refuses none.
   */
  limit(quotas: Quotas | undefined): void {
    this.#throttle = quotas === undefined ? undefined : new Throttle(quotas);
  }

  /** Answers one call at once, without a socket. `delivery` of the answer says how faults affect the connection. */
  answer(request: ApiRequest): DeliveredAnswer {
    let effect: FaultEffect | undefined;
    const accessKeyId = accessKeyIdOf(request.authorization);
    const user = accessKeyId === undefined ? undefined : this.access.userOf(accessKeyId);
    const admit = (call: ApiCall) => {
      effect = this.faults.strikeOnTheWay(call);
      if (effect !== undefined) throw new AwsError("NeverArrived", "This is never sent");
      this.#throttle?.admit(call, this.world.clock.now());
      this.access.admit(call, accessKeyId);
      effect = this.faults.strike(call);
      if (effect?.type === "error") throw new AwsError(effect.code, effect.message ?? "Injected fault", effect.status);
      return effect?.type === "stale" ? effect.ms : 0;
    };
    const answered = answer(request, this.world, this.world.random.uuid("request"), {
      admit,
      caller: { accessKeyId, user },
    });
    const { action } = answered;
    const hasArrived = effect?.type !== "refused";
    if (hasArrived && action !== undefined) this.#calls.set(action, (this.#calls.get(action) ?? 0) + 1);
    return deliveryOf(answered, effect);
  }

  /**
   * Like `answer`, but with the effect of faults: the answer may be late or never come, or the promise rejects as for a
   * broken connection.
   */
  call(request: ApiRequest, signal: AbortSignal): Promise<ApiAnswer> {
    return received(this.answer(request), this.world.clock, signal);
  }

  /** Number of calls of each action, by a name such as `ec2:DescribeInstances`. */
  get calls(): ReadonlyMap<string, number> {
    return this.#calls;
  }

  /** Returns the URL to give to clients on this machine as AWS_ENDPOINT_URL. Port 0: any free port. */
  async listen(port = 0, host = LOOPBACK): Promise<string> {
    const server = createServer((request, response) => this.#serve(request, response));
    const url = await listen(server, { port, host });
    this.#server = server;
    return url;
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    if (this.#beside?.isMeant(request) === true) {
      void this.#beside.serve(request, response);
      return;
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > BODY_BYTES_MAX) request.destroy();
      else chunks.push(chunk);
    });
    request.on("end", () => {
      const answered = this.answer(requestOf(request, Buffer.concat(chunks).toString("utf8")));
      void deliver(answered, response, this.world.clock);
    });
    request.on("error", () => response.destroy());
  }
}

/** Reads the AWS request in an HTTP request. */
export function requestOf({ method, url = "", headers }: IncomingMessage, body: string): ApiRequest {
  const { authorization } = headers;
  const [path = "/", query = ""] = url.split("?");
  const target = headers["x-amz-target"];
  // The query protocol also accepts parameters in the URL of a GET.
  const asked = { body: method === "GET" ? query : body, authorization, path };
  return typeof target === "string" ? { ...asked, target } : asked;
}
