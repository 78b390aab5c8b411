import { type BucketSize, TokenBucket } from "../quotas/token-bucket.ts";
import type { Random } from "../random.ts";
import type { Instance } from "../world/instance.ts";
import type { World } from "../world/world.ts";
import { metadataAt } from "./metadata-items.ts";

export interface MetadataOptions {
  /**
   * Like MetadataOptions.HttpTokens of an instance: whether requests without a token are refused. Default: required.
   */
  readonly httpTokens?: "required" | "optional";
  /** How many requests the service answers. It refuses further ones. Absent: no limit. */
  readonly limit?: BucketSize;
  /** The status of refused requests. Default: 429. */
  readonly limitStatus?: 429 | 503;
}

export interface MetadataRequest {
  readonly method: string;
  readonly url: string;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

export interface MetadataAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const TTL_HEADER = "x-aws-ec2-metadata-token-ttl-seconds";
const TOKEN_HEADER = "x-aws-ec2-metadata-token";
const TOKEN_PATH = "/latest/api/token";

/**
 * The instance metadata service of one instance. Its answers follow from the world.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
 */
export class MetadataService {
  readonly #world: World;
  readonly #instance: Instance;
  readonly #options: MetadataOptions;
  readonly #tokens: SessionTokens;
  readonly #bucket: TokenBucket | undefined;

  constructor(world: World, instance: Instance, options: MetadataOptions = {}) {
    this.#world = world;
    this.#instance = instance;
    this.#options = options;
    this.#tokens = new SessionTokens(world.random);
    this.#bucket = options.limit === undefined ? undefined : new TokenBucket(options.limit, world.clock.now());
  }

  /** Undefined if the machine does not run, because then no server answers. */
  answer(request: MetadataRequest): MetadataAnswer | undefined {
    this.#world.catchUp();
    if (!this.#world.isRunning(this.#instance.id)) return undefined;
    const now = this.#world.clock.now();
    if (this.#bucket?.holdsOne(now) === false) return failure(this.#options.limitStatus ?? 429);
    this.#bucket?.takeOne();
    // Some clients begin the path with two slashes.
    const path = (request.url.split("?")[0] ?? "").replace(/\/{2,}/g, "/");
    if (request.method === "PUT") return this.#issue(path, request);
    if (request.method !== "GET" && request.method !== "HEAD") return failure(405);
    return this.#read(path, request);
  }

  #issue(path: string, { headers }: MetadataRequest): MetadataAnswer {
    if (path !== TOKEN_PATH) return failure(path.endsWith("/api/token") ? 403 : 405);
    // A request with this header came through a proxy, and not from the instance itself.
    if (headers["x-forwarded-for"] !== undefined) return failure(403);
    const ttl = headerOf(headers, TTL_HEADER);
    const token = this.#tokens.issue(ttl, this.#world.clock.now());
    return token === undefined ? failure(400) : success(token, { [TTL_HEADER]: String(Number(ttl)) });
  }

  #read(path: string, { headers }: MetadataRequest): MetadataAnswer {
    const token = headerOf(headers, TOKEN_HEADER);
    if (token === undefined && this.#options.httpTokens !== "optional") return failure(401);
    const rest = token === undefined ? undefined : this.#tokens.restSeconds(token, this.#world.clock.now());
    if (token !== undefined && rest === undefined) return failure(401);
    const text = this.#at(path);
    if (text === undefined) return failure(404);
    return success(text, rest === undefined ? {} : { [TTL_HEADER]: String(rest) });
  }

  #at(path: string): string | undefined {
    if (path === "/") return VERSIONS.join("\n");
    const [, version = "", below = ""] = /^\/([^/]+)(.*)$/.exec(path) ?? [];
    return VERSIONS.includes(version) ? metadataAt(below, this.#instance, this.#world) : undefined;
  }
}

/** Here, every version has the same items. AWS has more versions, and its old versions do not have newer items. */
const VERSIONS = ["1.0", "2016-09-02", "2018-09-24", "2019-10-01", "2020-10-27", "2021-07-15", "latest"];

function headerOf(headers: MetadataRequest["headers"], name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.[0];
}

function success(body: string, headers: Readonly<Record<string, string>>): MetadataAnswer {
  return { status: 200, headers: { ...headers, "content-type": "text/plain", server: "EC2ws" }, body };
}

const REASONS = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  429: "Too Many Requests",
  503: "Service Unavailable",
} as const;

/** An HTML page for people, like AWS's. Clients use the status. */
function failure(status: keyof typeof REASONS): MetadataAnswer {
  const title = `${status} - ${REASONS[status]}`;
  const body = `<?xml version="1.0" encoding="iso-8859-1"?>\n<html xmlns="http://www.w3.org/1999/xhtml"><head><title>${title}</title></head><body><h1>${title}</h1></body></html>\n`;
  return { status, headers: { "content-type": "text/html", server: "EC2ws" }, body };
}

const TTL_SECONDS_MAX = 21_600;

/** The session tokens of one instance's metadata service. */
class SessionTokens {
  /** When each token expires, in milliseconds since the epoch. */
  readonly #ends = new Map<string, number>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Returns a new token. Undefined if AWS would not accept `ttlSeconds`, the text of a header. */
  issue(ttlSeconds: string | undefined, now: number): string | undefined {
    if (ttlSeconds === undefined || !/^\d{1,5}$/.test(ttlSeconds)) return undefined;
    const seconds = Number(ttlSeconds);
    if (seconds < 1 || seconds > TTL_SECONDS_MAX) return undefined;
    for (const [token, end] of this.#ends) if (end <= now) this.#ends.delete(token);
    const token = `${tokenFrom(this.#random)}==`;
    this.#ends.set(token, now + seconds * 1_000);
    return token;
  }

  /** The whole seconds for which a token is still valid. Undefined if it is not valid. */
  restSeconds(token: string, now: number): number | undefined {
    const end = this.#ends.get(token);
    return end === undefined || end <= now ? undefined : Math.floor((end - now) / 1_000);
  }
}

/** 40 bytes, like AWS's tokens. */
function tokenFrom(random: Random): string {
  const digits = `${random.digits("metadata-token")}${random.digits("metadata-token")}`;
  return Buffer.from(digits.slice(0, 80), "hex").toString("base64url");
}
