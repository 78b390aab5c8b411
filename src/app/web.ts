import { type Config, ConfigError } from "../config/config.ts";
import { OptionFileError, readSecrets } from "../config/files.ts";
import { readAuthorities, readTlsIdentity, validUntil } from "../config/tls.ts";
import { printable } from "../drain/errors.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { type AnsweredRequest, createWebApp, type WebOptions } from "../web/app.ts";
import type { ReadyState } from "../web/readiness.ts";
import type { Replicas } from "../web/replicas.ts";
import { reread } from "../web/reread.ts";
import { SECRET_CHARACTERS_MIN, SecretMask } from "../web/secret-mask.ts";
import { type SecretCheck, secretCheck } from "../web/secrets.ts";
import { listen, type TlsMaterial, type WebServer } from "../web/server.ts";
import type { OpenedTokens, TokenParts } from "./tokens.ts";

/**
 * The number of replaced secrets and certificates that are remembered: other replicas and callers use them for a while. From
 * replicas they are accepted. From callers they are not, and are masked.
 */
export const REPLACED_MAX = 16;

export type WebParts = Pick<
  WebOptions,
  | "source"
  | "history"
  | "cancel"
  | "cancelNode"
  | "instanceOf"
  | "nodesWith"
  | "takeConnections"
  | "examine"
  | "status"
  | "ready"
  | "overview"
  | "clock"
  | "version"
> & {
  readonly log: Log;
  readonly metrics: Pick<Metrics, "text" | "gauges" | "countRequest" | "countFileFailure">;
  /** The other replicas, which the service recognizes by the content of its files. Absent: there are none. */
  readonly replicasBy?: (held: Held) => Replicas;
  /** In a pod, the environment has the address of the API server. */
  readonly environment: Readonly<Record<string, string | undefined>>;
};

/** The content of the configuration's files: the current one first, then what was replaced not long ago. */
export interface Held {
  readonly secrets: () => readonly string[];
  /** Empty: without TLS. */
  readonly identities: () => readonly TlsMaterial[];
}

export interface StartedWeb extends WebServer {
  /** The certificate that it presents now. Undefined: TLS is not configured. */
  identity(): TlsMaterial | undefined;
  /** Rereads the configuration's files, and uses their content from then on. Resolves when `stop` aborts. */
  rereadFiles(stop: AbortSignal): Promise<void>;
}

/** Serves the HTTP API as configured. Throws `ConfigError` if it can't. */
export async function startWeb(
  config: Config,
  { log, metrics, environment, replicasBy, ...parts }: WebParts,
): Promise<StartedWeb> {
  const { host, port, dryRun, querySecret, tlsClientCaFile, secretFile } = config;
  const { clock } = parts;
  const { secrets, tls } = await readFiles(config);
  let isSecret = useSecrets(secrets, log);
  let known = secrets;
  let identities = tls === undefined ? [] : [tls];
  let mask = new SecretMask(known);
  const tokens = await tokensOf(config, { clock, log, environment });
  const app = createWebApp({
    ...parts,
    metrics: metrics.text,
    // Loaded when the first browser connects.
    dashboard: async () => (await import("../web/dashboard-files.ts")).readDashboard(),
    replicas: replicasBy?.({ secrets: () => known, identities: () => identities }),
    tokens,
    isSecret: (sent) => isSecret(sent),
    secrets: () => mask,
    querySecret,
    clientCertificate: tlsClientCaFile !== undefined,
    dryRun,
    noEviction: noEviction(config),
    onAnswered: (request) => {
      metrics.countRequest(request.status);
      logAnswered(log, request);
    },
    onQuerySecret: (client) => log("secret received in query", { client }),
    onLimited: (client) => log("client rate limited", { client }),
    onError: (error) => log("internal error", faultOf(error)),
  });
  const onTurnedAway = (client: string) => log("connections rejected", { client });
  const onEvicted = (client: string) => log("connections closed", { client });
  const options = { host, port, onTurnedAway, onEvicted, ...(tls === undefined ? {} : { tls }) };
  const server = await listen(app, options).catch((error) => {
    throw new ConfigError([listenProblem(error as NodeJS.ErrnoException, config)]);
  });
  const rereading = {
    clock,
    onFailure: ({ message }: Error) => {
      metrics.countFileFailure();
      log("file reload failed", { error: message });
    },
  };
  metrics.gauges.watchReadiness(() => readinessOf(parts.ready()));
  if (tls !== undefined) metrics.gauges.watchCertificate({ validUntil: () => validUntil(identities[0] ?? tls) });
  return {
    ...server,
    identity: () => identities[0],
    async close(untilFlushed) {
      await server.close(untilFlushed);
      tokens?.close();
    },
    async rereadFiles(stop) {
      const onSecrets = (changed: readonly string[]) => {
        isSecret = useSecrets(changed, log);
        // Callers continue to send the old ones for a while.
        known = [...new Set([...changed, ...known])].slice(0, changed.length + REPLACED_MAX);
        mask = new SecretMask(known);
        log("secrets reloaded", { secrets: changed.length });
      };
      const onTls = (changed: TlsMaterial | undefined) => {
        if (changed === undefined) return;
        server.useTls(changed);
        identities = [changed, ...identities].slice(0, 1 + REPLACED_MAX);
        log("certificates reloaded", {});
      };
      const secretsOptions = { ...rereading, first: secrets, read: () => readSecrets(config), onChange: onSecrets };
      const tlsOptions = { ...rereading, first: tls, read: () => readTls(config), onChange: onTls };
      await Promise.all([
        secretFile === undefined ? undefined : reread(secretsOptions, stop),
        tls === undefined ? undefined : reread(tlsOptions, stop),
      ]);
    },
  };
}

/** What reviews tokens is loaded only if it is configured. */
async function tokensOf(config: Config, parts: TokenParts): Promise<OpenedTokens | undefined> {
  if (!config.tokenReview) return undefined;
  const { openTokens } = await import("./tokens.ts");
  return openTokens(config, parts);
}

/** Why requests for an eviction are refused. Undefined: they are not. */
function noEviction({ kubernetes, evict }: Config): string | undefined {
  if (kubernetes === undefined) return "KUBERNETES is not set";
  return evict === "never" ? "EVICT is never" : undefined;
}

/** Throws `ConfigError` with the problems of all files. */
async function readFiles(
  config: Config,
): Promise<{ readonly secrets: readonly string[]; readonly tls: TlsMaterial | undefined }> {
  const [secrets, tls] = await Promise.allSettled([readSecrets(config), readTls(config)]);
  if (secrets.status === "fulfilled" && tls.status === "fulfilled") return { secrets: secrets.value, tls: tls.value };
  const reasons = [secrets, tls].flatMap((read) => (read.status === "rejected" ? [read.reason] : []));
  const fault = reasons.find((reason) => !(reason instanceof OptionFileError));
  throw fault ?? new ConfigError(reasons.map(({ message }) => message));
}

/** Undefined if TLS is not configured. Throws `OptionFileError`. */
async function readTls(config: Config): Promise<TlsMaterial | undefined> {
  const { tlsClientCaFile, givenBy } = config;
  const identity = await readTlsIdentity(config);
  if (identity === undefined || tlsClientCaFile === undefined) return identity;
  return { ...identity, ca: await readAuthorities({ option: givenBy.tlsClientCaFile, path: tlsClientCaFile }) };
}

function useSecrets(secrets: readonly string[], log: Log): SecretCheck {
  const short = secrets.filter((secret) => [...secret].length < SECRET_CHARACTERS_MIN).length;
  if (short > 0) {
    log("short secret configured", { short, secrets: secrets.length, charactersMin: SECRET_CHARACTERS_MIN });
  }
  return secretCheck(secrets);
}

/**
 * Health checks and scrapes come every few seconds, and so do the reports of each node's agent, whose own log has what
 * the service refuses. A browser that loads the dashboard requests its parts too.
 */
const ROUTINE: ReadonlySet<string> = new Set([
  "/health",
  "/ready",
  "/metrics",
  "/assets/{asset}",
  "/nodes/{node}/connections",
]);

function logAnswered(log: Log, { method, path, status, ...who }: AnsweredRequest): void {
  const isRoutine = ROUTINE.has(path);
  // A client that keeps sending wrong secrets has one line, from `onLimited`.
  const isQuiet = isRoutine || status === 429;
  const isRejected = status === 401 || status === 403;
  const message = isRejected ? "request rejected" : isQuiet ? "probe answered" : "request answered";
  log(message, { method, path, status, ...who });
}

/** As gauges: whether `/ready` answers 200, and what prevents it. */
function readinessOf(state: ReadyState) {
  const problems = state.status === "not-ready" ? state.problems : [];
  return {
    isReady: state.status === "ready",
    problems: problems.map(({ action = "", error: { code } }) => ({ action, code })),
  };
}

/** Where it happened, without its message, which may quote what a caller sent. */
export function faultOf(error: unknown) {
  if (!(error instanceof Error)) return { error: typeof error };
  return { error: error.name, at: (error.stack ?? "").split("\n").filter((line) => /^ +at /.test(line)) };
}

/** Why a server can't listen, and what to do about it. */
export function listenProblem(
  { code, message }: NodeJS.ErrnoException,
  { host, port, givenBy }: Pick<Config, "host" | "port" | "givenBy">,
): string {
  switch (code) {
    case "EADDRINUSE":
      return `${givenBy.port} is ${port}, which is already in use on ${host}: set another port`;
    case "EACCES":
      return `${givenBy.port} is ${port}, which this user may not listen on: set a port above 1023`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `${givenBy.host} is '${printable(host)}', which is not an address of this machine: give one, or 0.0.0.0 for all addresses`;
    default:
      return `can't listen on ${printable(host)}:${port}: ${message}`;
  }
}
