/** Limits for every client of the service, with or without the secret. */
export interface WebLimits {
  /** From a connection's beginning, or from the answer before, until a request's headers are there. */
  readonly headersTimeoutMs: number;
  /** The same until all of the request is there. How long its answer takes is for others to bound. */
  readonly requestTimeoutMs: number;
  /** How long a connection may stay open without a request. Longer than load balancers keep theirs: 60 s on AWS. */
  readonly keepAliveTimeoutMs: number;
  /** How long a caller may take none of an answer. */
  readonly answerTimeoutMs: number;
  /** How long TLS may take to agree. */
  readonly handshakeTimeoutMs: number;
  /** How often the first two are looked at. */
  readonly checkIntervalMs: number;
  /** Open at once: room for all drain requests that may wait, and for health checks. */
  readonly connectionsMax: number;
  /** How many of them are left to probes, whatever other requests are under way. */
  readonly probesMin: number;
  /** Requests that one address may have under way, probes aside. */
  readonly requestsPerAddressMax: number;
  /** Bytes of answers that all clients together may leave untaken. */
  readonly unreadBytesMax: number;
}

export const WEB_LIMITS: WebLimits = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  keepAliveTimeoutMs: 65_000,
  answerTimeoutMs: 30_000,
  handshakeTimeoutMs: 10_000,
  checkIntervalMs: 2_000,
  connectionsMax: 12_000,
  probesMin: 200,
  requestsPerAddressMax: 6_000,
  unreadBytesMax: 64 * 2 ** 20,
};

/** The URL and the headers together. */
export const HEADERS_BYTES_MAX = 16 * 1_024;
/** Far more than any path and query here. */
export const URL_CHARACTERS_MAX = 8 * 1_024;
/** Far more than a drain request needs. */
export const BODY_BYTES_MAX = 16 * 1_024;
