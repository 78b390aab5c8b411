import { Readable } from "node:stream";
import type { Engine } from "../../src/app/engine.ts";
import { openEngine } from "../../src/app/places.ts";
import { readConfig } from "../../src/config/config.ts";
import type { CloudCall, DrainEvent } from "../../src/drain/events.ts";
import type { Ledger } from "../../src/drain/ledger.ts";
import { VirtualClock } from "../../src/simulator/clock.ts";
import { printedFor } from "./printed-policy.ts";
import { SecurityTokenService, signedFor } from "./security-token-service.ts";
import { asHandler, CREDENTIALS, SimulatedRegion } from "./simulated-region.ts";

const OWN_ACCOUNT = "123456789012";
export const OTHER_ACCOUNT = "444455556666";
export const ROLE = `arn:aws:iam::${OTHER_ACCOUNT}:role/drainer`;

type Request = { readonly hostname: string; readonly body: string; readonly headers: Readonly<Record<string, string>> };
type Handler = { handle(request: Request, options?: object): Promise<unknown> };

/** Several regions of two accounts on one virtual clock, called by the real SDK: each call goes where its signature says. */
export class SeveralPlaces {
  readonly clock = new VirtualClock();
  readonly sts = new SecurityTokenService([{ arn: ROLE, trusts: CREDENTIALS.accessKeyId, externalId: "blue" }]);
  /** Hosts that were called, in order, each once. */
  readonly hosts = new Set<string>();
  #environment: Readonly<Record<string, string>> = {};
  readonly #regions = new Map<string, SimulatedRegion>();

  /** The region of that account, made when it is asked for. */
  region(region: string, accountId = OWN_ACCOUNT): SimulatedRegion {
    const key = `${accountId}/${region}`;
    const known = this.#regions.get(key) ?? new SimulatedRegion({}, { region, accountId, clock: this.clock });
    this.#regions.set(key, known);
    return known;
  }

  engine(
    places: string,
    environment: Readonly<Record<string, string>> = {},
    options: {
      readonly events?: DrainEvent[];
      readonly ledger?: Ledger;
      readonly onCall?: (call: CloudCall) => void;
    } = {},
  ): Promise<Engine> {
    const { events = [], ledger, onCall } = options;
    const config = readConfig({
      verb: "serve",
      environment: {
        CLOUDPROVIDER: "aws",
        SECRET: "s",
        AWS_REGION: "eu-west-1",
        QUOTA_SHARE: "100",
        MIN_HEALTHY: "0",
        ...(places === "" ? {} : { AWS_PLACES: places }),
        ...environment,
      },
    });
    this.#environment = places === "" ? { AWS_REGION: "eu-west-1" } : { AWS_PLACES: places };
    if (environment["UNDO"] !== undefined) this.#environment = { ...this.#environment, UNDO: "true" };
    this.#restrict(CREDENTIALS.accessKeyId, OWN_ACCOUNT);
    return openEngine(config, {
      clock: this.clock,
      aws: { credentials: CREDENTIALS, requestHandler: this.#requestHandler() },
      observers: [(event) => events.push(event)],
      ...(ledger && { ledger }),
      ...(onCall && { onCall }),
    });
  }

  /** Whoever holds the key may do in that account what is printed for the role. */
  #restrict(accessKeyId: string, accountId: string, whose: { readonly role?: string } = {}): void {
    const document = printedFor(this.#environment, { for: "drain", ...whose });
    for (const { world, simulator } of this.#regions.values())
      if (world.accountId === accountId) simulator.access.restrict({ accessKeyId, document });
  }

  #requestHandler() {
    const handlers = new Map<SimulatedRegion, Handler>();
    const handlerOf = (region: SimulatedRegion) => {
      const known = handlers.get(region) ?? (region.aws().requestHandler as unknown as Handler);
      handlers.set(region, known);
      return known;
    };
    const handle = async (request: Request, options?: object) => {
      this.hosts.add(request.hostname);
      const signed = signedFor(request.headers["authorization"]);
      if (signed.service === "sts") {
        const { status, body, accessKeyId } = this.sts.answer(request.body, signed);
        if (accessKeyId !== undefined) this.#restrict(accessKeyId, OTHER_ACCOUNT, { role: ROLE });
        return { response: { statusCode: status, headers: {}, body: Readable.from([body]) } };
      }
      const account = this.sts.accountOf(signed.accessKeyId) ?? OWN_ACCOUNT;
      const region = this.#regions.get(`${account}/${signed.region}`);
      if (region === undefined) throw new Error(`no region ${signed.region} of ${account}`);
      return handlerOf(region).handle(request, options);
    };
    return asHandler(handle);
  }
}
