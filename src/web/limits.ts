/** Limits for every client of the service, with or without the secret. */
export interface WebLimits {
  /** From the beginning of a connection, or from the answer before, until the headers of a request are complete. */
  readonly headersTimeoutMs: number;
  /** The same until the request is complete. The time of its answer is limited elsewhere. */
  readonly requestTimeoutMs: number;
  /** How long a connection may stay open without a request. Longer than load balancers keep theirs: 60 s on AWS. */
  readonly keepAliveTimeoutMs: number;
  /** How long a caller may receive nothing of an answer. */
  readonly answerTimeoutMs: number;
  /** How long a TLS handshake may take. */
  readonly handshakeTimeoutMs: number;
  /** How often the first two are checked. */
  readonly checkIntervalMs: number;
  /** Connections open at once: room for all drain requests that may wait, and for health checks. */
  readonly connectionsMax: number;
  /** The number of connections that are reserved for probes, whatever other requests are in progress. */
  readonly probesMin: number;
  /** Requests in progress from one address, without probes. */
  readonly requestsPerAddressMax: number;
  /** Bytes of answers that all clients together may leave unread. */
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
/** Far more than any path and query of this API. */
export const URL_CHARACTERS_MAX = 8 * 1_024;
/** Far more than a drain request needs. */
export const BODY_BYTES_MAX = 16 * 1_024;
