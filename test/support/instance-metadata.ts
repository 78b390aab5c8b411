import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import type { Clock } from "../../src/drain/clock.ts";
import type { MetadataAnswer, MetadataRequest } from "../../src/sources/imds-client.ts";
import { keepSecret } from "./secret-search.ts";

export const SPOT = "/latest/meta-data/spot/instance-action";
export const LIFECYCLE = "/latest/meta-data/autoscaling/target-lifecycle-state";
export const MAINTENANCE = "/latest/meta-data/events/maintenance/scheduled";
export const REBALANCE = "/latest/meta-data/events/recommendations/rebalance";
export const IDENTITY = "/latest/dynamic/instance-identity/document";

/** Instance metadata that wants tokens, as EC2's does, and fails as the test wants. */
export class InstanceMetadataServer {
  /** What stands where. */
  readonly bodies = new Map<string, string>([
    [MAINTENANCE, "[]"],
    [LIFECYCLE, "InService"],
  ]);
  /** Each request in order. */
  readonly requests: MetadataRequest[] = [];
  /** Of each token, in place of the asked one. */
  ttlSeconds: number | undefined;
  /** Answers in place of what stands there. */
  intercept: (request: MetadataRequest) => Partial<MetadataAnswer> | undefined = () => undefined;
  readonly #clock: Clock;
  readonly #tokens = new Map<string, number>();

  constructor(clock: Clock, identity: { readonly instanceId: string; readonly region?: string }) {
    this.#clock = clock;
    const { instanceId, region = "eu-west-1" } = identity;
    this.bodies.set(IDENTITY, JSON.stringify({ instanceId, region, accountId: "123456789012", version: "2017-09-30" }));
  }

  readonly send = async (request: MetadataRequest): Promise<MetadataAnswer> => {
    this.requests.push(request);
    return { status: 200, headers: {}, body: "", ...(this.intercept(request) ?? this.#answer(request)) };
  };

  /** All tokens end now. */
  dropTokens(): void {
    this.#tokens.clear();
  }

  countOf(method: MetadataRequest["method"]): number {
    return this.requests.filter((request) => request.method === method).length;
  }

  /** On a free port for the length of the test. */
  async listen(host = "127.0.0.1"): Promise<string> {
    const server = createServer(async (request, response) => {
      const { method, url: path = "" } = request;
      const headers = request.headers as Record<string, string>;
      const answer = await this.send({ method: method as MetadataRequest["method"], path, headers });
      response.writeHead(answer.status, { ...answer.headers } as Record<string, string>).end(answer.body);
    });
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
  }

  #answer({ method, path, headers }: MetadataRequest): Partial<MetadataAnswer> {
    if (method === "PUT") return path === "/latest/api/token" ? this.#newToken(headers) : { status: 405 };
    const endsAt = this.#tokens.get(headers["x-aws-ec2-metadata-token"] ?? "");
    if (endsAt === undefined || this.#clock.now() >= endsAt) return { status: 401 };
    const body = this.bodies.get(path);
    return body === undefined ? { status: 404 } : { body };
  }

  #newToken(headers: MetadataRequest["headers"]): Partial<MetadataAnswer> {
    const asked = Number(headers["x-aws-ec2-metadata-token-ttl-seconds"]);
    if (!(asked >= 1 && asked <= 21_600)) return { status: 400 };
    const seconds = this.ttlSeconds ?? asked;
    const token = `metadata-token-nobody-may-see-${this.#tokens.size}-${this.countOf("PUT")}`;
    keepSecret(token);
    this.#tokens.set(token, this.#clock.now() + seconds * 1_000);
    return { body: token, headers: { "x-aws-ec2-metadata-token-ttl-seconds": String(seconds) } };
  }
}
