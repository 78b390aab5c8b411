import { spawn } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Agent, RequestOptions } from "node:https";
import { type Cluster, KubeConfig, type User } from "@kubernetes/client-node";
import { printable } from "../drain/errors.ts";
import { localError } from "./errors.ts";
import { type Files, invalid, readKubeconfig } from "./kubeconfig-files.ts";

/** Where the cluster is, and which identity this program has there. */
export type ClusterSource =
  /** `folder`: the mount path of the service account, if it is not the usual one. */
  | { readonly kind: "in-cluster"; readonly folder?: string }
  /** `path`: of a file, or of several as in KUBECONFIG. `context`: absent, the file's current context. */
  | { readonly kind: "kubeconfig"; readonly path: string; readonly context?: string };

export interface LoadOptions {
  readonly source: ClusterSource;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly files: Files;
  /** The options that gave the source and the context, for messages. */
  readonly names: { readonly source: string; readonly context: string };
  /** The proxy for a host. Absent, or undefined for a host: none. `proxy-url` of a kubeconfig wins. */
  readonly proxyFor?: (server: URL) => string | undefined;
  /** The time limit of an exec plug-in. Absent: 30 s, because it may have to request a token from a service. */
  readonly execTimeoutMs?: number;
}

/** What a request needs to reach the API server with its identity. */
export interface Identity {
  readonly server: URL;
  readonly agent: Agent;
  /** Authorization and impersonation. Secret. */
  readonly headers: Readonly<Record<string, string>>;
  /** When it changes, the agent must be replaced. Secret. */
  readonly tls: string;
}

/** https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/ */
const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
/** Kubernetes' own. https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/#proxy */
const PROXIES: ReadonlySet<string> = new Set(["http:", "https:", "socks5:", "socks5h:"]);
const EXEC_TIMEOUT_MS = 30_000;

/** A configuration that was read and checked. */
export class LoadedConfig {
  /** The name of the cluster in messages. */
  readonly name: string;
  /** Whether reading it again is cheap at any time. A plug-in's or an issuer's token is kept until it expires. */
  readonly isReadAgain: boolean;
  readonly #config: KubeConfig;
  readonly #cluster: Cluster;
  readonly #user: User;
  readonly #options: LoadOptions;

  constructor(name: string, config: KubeConfig, cluster: Cluster, user: User, options: LoadOptions) {
    this.name = name;
    this.#config = config;
    this.#cluster = cluster;
    this.#user = user;
    this.#options = options;
    this.isReadAgain = !user.exec && (!user.authProvider || user.authProvider.config?.tokenFile !== undefined);
  }

  /** Reads token and certificate files, or runs the exec plug-in. Throws `KubernetesError` that names what failed. */
  async identity(): Promise<Identity> {
    const options: RequestOptions & { agent?: Agent } = { headers: {} };
    try {
      await this.#config.applyToHTTPSOptions(options as never);
    } catch (error) {
      throw localError("Credentials", this.#problem(error as NodeJS.ErrnoException));
    }
    const { ca, cert, key, servername, rejectUnauthorized, auth, agent } = options;
    if (this.#user.exec && cert === undefined && options.headers?.["Authorization" as never] === undefined) {
      const why = new TypeError("neither a token nor a client certificate");
      throw localError("Credentials", this.#problem(why));
    }
    checkCertificates(this.#options.names.source, { ca, cert, key });
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(options.headers ?? {})) headers[name] = String(value).trim();
    if (auth) headers.Authorization = `Basic ${Buffer.from(auth).toString("base64")}`;
    const tls = JSON.stringify([
      this.#cluster.server,
      this.#cluster.proxyUrl,
      servername,
      rejectUnauthorized,
      String(ca),
      String(cert),
      String(key),
    ]);
    return { server: new URL(this.#cluster.server), agent: agent as Agent, headers, tls };
  }

  #problem(error: NodeJS.ErrnoException & { readonly path?: string }): string {
    const { exec } = this.#user;
    const { source } = this.#options.names;
    if (exec && (error.syscall?.startsWith("spawn") ?? false)) {
      const hint = exec.installHint ? ` (${printable(String(exec.installHint), 200)})` : "";
      return `the exec plug-in '${printable(exec.command)}' of ${source} can't be started (${error.code}): install it, or give its absolute path${hint}`;
    }
    if (error.code !== undefined && error.path !== undefined) {
      return `${source} names the file '${printable(error.path)}', which can't be used: ${this.#options.files.problem(error)}`;
    }
    if (exec) {
      // The output of a plug-in may be a token. Its stderr is for people.
      const isFormat = error instanceof SyntaxError || error instanceof TypeError;
      const why = isFormat
        ? "it printed no ExecCredential with a token or a client certificate"
        : printable(error.message.trim(), 300) || "it failed and said nothing";
      return `the exec plug-in '${printable(exec.command)}' of ${source} failed: ${why}. Run it by hand`;
    }
    return `the credentials of ${source} can't be used: ${printable(error.message, 200)}`;
  }
}

/** Reads the configuration. Throws `KubernetesError` with the reason `Configuration`, and all advice. */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  return options.source.kind === "in-cluster"
    ? inCluster(options, options.source.folder)
    : fromFile(options, options.source);
}

function inCluster(options: LoadOptions, folder = SERVICE_ACCOUNT): LoadedConfig {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = "443" } = options.environment;
  if (host === undefined || host === "") {
    throw invalid(
      `${options.names.source} is 'in-cluster', but KUBERNETES_SERVICE_HOST is not set: run this program in a pod, or give the path of a kubeconfig`,
    );
  }
  const server = `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const cluster = { name: "in-cluster", server, caFile: `${folder}/ca.crt`, skipTLSVerify: false };
  const authProvider = { name: "tokenFile", config: { tokenFile: `${folder}/token` } };
  const user = { name: "service-account", authProvider };
  return loaded("in-cluster", cluster, user, options);
}

async function fromFile(options: LoadOptions, source: ClusterSource & { kind: "kubeconfig" }): Promise<LoadedConfig> {
  const { names } = options;
  const given = `${names.source} is '${printable(source.path)}'`;
  const config = await readKubeconfig(source.path, options);
  const known = config.getContexts().map(({ name }) => name);
  const wanted = source.context ?? config.getCurrentContext();
  const list = known.length === 0 ? "It has no contexts" : `It has: ${printable(known.join(", "), 300)}`;
  if (!wanted) {
    throw invalid(`${given}, which has no current-context: set it, or give ${names.context}. ${list}`);
  }
  const context = config.getContextObject(wanted);
  if (context === null) {
    const by = source.context === undefined ? `${given}, whose current-context` : `${given}, and ${names.context}`;
    throw invalid(`${by} is '${printable(wanted)}', which the file does not have. ${list}`);
  }
  const cluster = config.getCluster(context.cluster);
  if (cluster === null)
    throw invalid(
      `${given}, whose context '${printable(wanted)}' names the cluster '${printable(context.cluster)}', which the file does not have`,
    );
  const user = context.user === undefined ? null : config.getUser(context.user);
  if (user === null)
    throw invalid(
      `${given}, whose context '${printable(wanted)}' names the user '${printable(String(context.user))}', which the file does not have`,
    );
  return loaded(wanted, cluster, withIdToken(user, names.source), options);
}

/**
 * The library refreshes OIDC tokens at each read, without the client's secret or the issuer's authority, and sends no
 * token if that fails. So the token is used as it is, and read again when `kubectl` or another program has replaced it.
 */
function withIdToken({ authProvider, ...user }: User, source: string): User {
  if (authProvider?.name !== "oidc") return authProvider === undefined ? user : { ...user, authProvider };
  const token = (authProvider.config as { readonly "id-token"?: unknown } | undefined)?.["id-token"];
  if (typeof token !== "string" || token === "") {
    throw invalid(
      `${source} uses the auth-provider 'oidc' without an id-token: log in with kubectl, or use an exec plug-in`,
    );
  }
  return { ...user, token };
}

function loaded(name: string, given: Cluster, user: User, options: LoadOptions): LoadedConfig {
  const { names, proxyFor } = options;
  if (!URL.canParse(given.server) || !/^https?:$/.test(new URL(given.server).protocol)) {
    throw invalid(
      `${names.source} names the server '${printable(given.server)}': give an address such as https://10.0.0.1:6443`,
    );
  }
  const server = new URL(given.server);
  if (server.protocol === "http:" && !given.skipTLSVerify) {
    throw invalid(
      `${names.source} names the server '${printable(given.server)}', which is not https: tokens would be sent in the clear`,
    );
  }
  const provider = user.authProvider?.name;
  // The name that this program uses for token files.
  if (provider !== undefined && provider !== "tokenFile") {
    throw invalid(
      `${names.source} uses the auth-provider '${printable(String(provider))}', which Kubernetes 1.26 has removed: use an exec plug-in`,
    );
  }
  if (user.exec && typeof user.exec.command !== "string") {
    throw invalid(`${names.source} names an exec plug-in without a command: give 'command'`);
  }
  const proxyUrl = given.proxyUrl ?? proxyFor?.(server);
  if (proxyUrl !== undefined && !(URL.canParse(proxyUrl) && PROXIES.has(new URL(proxyUrl).protocol))) {
    // It may contain a password.
    throw invalid(
      `${names.source} names a proxy-url that can't be used: give http://, https:// or socks5:// and the address of the proxy`,
    );
  }
  const cluster: Cluster = { ...given, ...(proxyUrl === undefined ? {} : { proxyUrl }) };
  const config = new KubeConfig();
  const { exec } = user;
  const asked = exec
    ? {
        ...user,
        exec: {
          ...exec,
          env: [...(exec.env ?? []), execInfo(exec.apiVersion, cluster, exec.provideClusterInfo === true)],
        },
      }
    : user;
  config.loadFromOptions({
    clusters: [cluster],
    users: [asked],
    contexts: [{ name, cluster: cluster.name, user: user.name }],
    currentContext: name,
  });
  boundPlugIns(config, options.execTimeoutMs ?? EXEC_TIMEOUT_MS);
  return new LoadedConfig(name, config, cluster, user, options);
}

/**
 * The request to the plug-in.
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#input-and-output-formats
 */
function execInfo(
  apiVersion: unknown,
  { server, caData, skipTLSVerify, tlsServerName }: Cluster,
  withCluster: boolean,
) {
  const info = {
    apiVersion: typeof apiVersion === "string" ? apiVersion : "client.authentication.k8s.io/v1",
    kind: "ExecCredential",
    spec: {
      interactive: false,
      ...(withCluster
        ? {
            cluster: {
              server,
              "certificate-authority-data": caData,
              "insecure-skip-tls-verify": skipTLSVerify,
              "tls-server-name": tlsServerName,
            },
          }
        : {}),
    },
  };
  return { name: "KUBERNETES_EXEC_INFO", value: JSON.stringify(info) };
}

/** The library waits for a plug-in without a limit, and lets it read the terminal. */
function boundPlugIns(config: KubeConfig, timeout: number): void {
  for (const authenticator of config["authenticators"]) {
    if (!("execFn" in authenticator)) continue;
    authenticator.execFn = (command: string, args: readonly string[] | null, options: object) => {
      const plugIn = spawn(command, args ?? [], {
        ...options,
        stdio: ["ignore", "pipe", "pipe"],
        timeout,
        killSignal: "SIGKILL",
      });
      plugIn.once("exit", (_, signal) => {
        if (signal !== "SIGKILL") return;
        plugIn.emit("error", new Error(`it had not ended after ${timeout / 1_000} s`));
        // Programs that the plug-in has started may still hold them open, and the library would wait for their end.
        plugIn.stdout?.destroy();
        plugIn.stderr?.destroy();
      });
      return plugIn;
    };
  }
}

/** OpenSSL would accept a file without certificates as an empty list, and report nothing. */
function checkCertificates(source: string, { ca, cert, key }: { ca: unknown; cert: unknown; key: unknown }): void {
  if (ca !== undefined)
    attempt(`the certificate authority of ${source} is no PEM certificate`, () => new X509Certificate(ca as Buffer));
  if (cert === undefined && key === undefined) return;
  if (cert === undefined || key === undefined) {
    throw localError(
      "Credentials",
      `${source} gives a client ${cert === undefined ? "key without its certificate" : "certificate without its key"}: give both`,
    );
  }
  const certificate = attempt(
    `the client certificate of ${source} is no PEM certificate`,
    () => new X509Certificate(cert as Buffer),
  );
  const privateKey = attempt(`the client key of ${source} is no PEM private key`, () =>
    createPrivateKey(key as Buffer),
  );
  if (!certificate.checkPrivateKey(privateKey)) {
    throw localError("Credentials", `the client key of ${source} is not the key of its client certificate`);
  }
}

function attempt<T>(problem: string, read: () => T): T {
  try {
    return read();
  } catch {
    throw localError("Credentials", problem);
  }
}
