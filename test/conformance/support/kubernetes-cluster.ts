import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { Authority } from "../../support/certificates.ts";
import { keepSecret } from "../../support/secret-search.ts";
import { KubernetesApi } from "./kubernetes-api.ts";
import { RunningKubernetesProgram } from "./kubernetes-programs.ts";

const READY_EVERY_MS = 100;
/** So often another program may take the port between its being found free and its being used. */
const PORTS_MAX = 3;

/** RBAC: https://kubernetes.io/docs/reference/access-authn-authz/rbac/ */
export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/**
 * A real API server on its own etcd, on 127.0.0.1. Nothing else runs in it: no scheduler, no controllers, no kubelets. So
 * objects stay as they are written: services get no endpoints, budgets no status, and nothing is collected.
 */
export class KubernetesCluster {
  /** `https://127.0.0.1:…`, the same after a restart. */
  readonly url: string;
  /** The certificate of the authority that the API server's own is signed by, in PEM. */
  readonly ca: string;
  readonly caFile: string;
  readonly adminToken: string;
  /** Path of a kubeconfig for the administrator. */
  readonly kubeconfig: string;
  /** Calls as the administrator. */
  readonly api: KubernetesApi;
  readonly #files: Files;
  #etcd: Etcd;
  #server: RunningKubernetesProgram;

  private constructor(files: Files, etcd: Etcd, { server, url }: ApiServer) {
    this.#files = files;
    this.#etcd = etcd;
    this.#server = server;
    this.url = url;
    this.ca = files.ca;
    this.caFile = files.path("ca.crt");
    this.adminToken = files.adminToken;
    this.api = new KubernetesApi({ url, ca: this.ca, token: this.adminToken });
    this.kubeconfig = this.kubeconfigFor("admin", this.adminToken);
  }

  /** Resolves when the API server is ready. */
  static async start(): Promise<KubernetesCluster> {
    const files = new Files();
    try {
      const etcd = await startEtcd(files);
      return new KubernetesCluster(files, etcd, await startApiServer(files, etcd));
    } catch (error) {
      files.remove();
      throw error;
    }
  }

  /** What the API server has logged since it was started last. */
  get log(): string {
    return this.#server.output;
  }

  /** Writes a file that is there as long as the cluster, and returns its path. */
  writeFile(name: string, content: string): string {
    return this.#files.write(name, content);
  }

  /** Writes a kubeconfig with this token, and returns its path. `at`: another address than the API server's own. */
  kubeconfigFor(user: string, token: string, at: { readonly url: string; readonly ca: string } = this): string {
    // Programs that get it may not write the token anywhere.
    keepSecret(token);
    const ca = Buffer.from(at.ca).toString("base64");
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "test", cluster: { server: at.url, "certificate-authority-data": ca } }],
      users: [{ name: user, user: { token } }],
      contexts: [{ name: "test", context: { cluster: "test", user } }],
      "current-context": "test",
    };
    // JSON is YAML.
    return this.#files.write(`${user}.kubeconfig`, JSON.stringify(config));
  }

  /**
   * A token of a service account that may do just this, in all namespaces. The account and its role are made, or are
   * changed to these rules. Each call returns another token.
   */
  async tokenFor(name: string, rules: readonly PolicyRule[]): Promise<string> {
    const rbac = "/apis/rbac.authorization.k8s.io/v1";
    const account = `/api/v1/namespaces/default/serviceaccounts/${name}`;
    await this.allow(name, rules);
    await this.api.apply(account, { apiVersion: "v1", kind: "ServiceAccount" });
    await this.api.apply(`${rbac}/clusterrolebindings/${name}`, {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
      subjects: [{ kind: "ServiceAccount", namespace: "default", name }],
    });
    const request = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { expirationSeconds: 3_600 },
    };
    const { status } = await this.api.post<{ status: { token: string } }>(`${account}/token`, request);
    return status.token;
  }

  /** A token as the API server would sign it, with claims that it would not put into one. */
  signedToken(claims: object): string {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const text = `${part({ alg: "ES256" })}.${part(claims)}`;
    const key = { key: this.#files.accountsKey, dsaEncoding: "ieee-p1363" } as const;
    return `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
  }

  /** Replaces what the service account may do. The API server knows within milliseconds. */
  async allow(name: string, rules: readonly PolicyRule[]): Promise<void> {
    const role = { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", rules };
    await this.api.apply(`/apis/rbac.authorization.k8s.io/v1/clusterroles/${name}`, role);
  }

  /** The API server is gone at once: its connections are cut, and its port refuses new ones. */
  async kill9(): Promise<void> {
    await this.#server.kill();
  }

  /** Starts the API server again, with all that etcd has, and resolves when it is ready. */
  async restart(): Promise<void> {
    await this.#server.kill();
    const port = Number(new URL(this.url).port);
    this.#server = (await startApiServer(this.#files, this.#etcd, port)).server;
  }

  /** The same with an empty etcd, as after a backup was restored: resource versions begin anew, lower than before. */
  async restartEmpty(): Promise<void> {
    await this.#server.kill();
    await this.#etcd.program.kill();
    this.#files.removeData();
    this.#etcd = await startEtcd(this.#files);
    await this.restart();
  }

  /** The API server answers nothing from now until `resume`, and its connections stay open. Linux only. */
  async pause(): Promise<void> {
    await this.#server.pause();
  }

  resume(): void {
    this.#server.resume();
  }

  async stop(): Promise<void> {
    this.api.close();
    await Promise.all([this.#server.kill(), this.#etcd.program.kill()]);
    this.#files.remove();
  }
}

interface Etcd {
  readonly program: RunningKubernetesProgram;
  readonly url: string;
}

interface ApiServer {
  readonly server: RunningKubernetesProgram;
  readonly url: string;
}

/** What the programs read and write, in a folder of its own. */
class Files {
  readonly adminToken = `admin-${randomBytes(16).toString("hex")}`;
  readonly ca: string;
  readonly accountsKey: KeyObject;
  readonly #folder = mkdtempSync(path.join(tmpdir(), "hasta-la-vista-kubernetes-"));

  constructor() {
    const authority = new Authority("a cluster's authority");
    const { cert, key } = authority.sign("kube-apiserver");
    const accounts = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    this.ca = authority.cert;
    this.accountsKey = accounts.privateKey;
    this.write("ca.crt", this.ca);
    this.write("server.crt", cert);
    this.write("server.key", key);
    this.write("accounts.key", accounts.privateKey.export({ type: "sec1", format: "pem" }).toString());
    this.write("accounts.pub", accounts.publicKey.export({ type: "spki", format: "pem" }).toString());
    this.write("tokens.csv", `${this.adminToken},admin,1,system:masters\n`);
  }

  path(name: string): string {
    return path.join(this.#folder, name);
  }

  write(name: string, content: string): string {
    writeFileSync(this.path(name), content, { mode: 0o600 });
    return this.path(name);
  }

  removeData(): void {
    rmSync(this.path("etcd"), { recursive: true, force: true });
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function startEtcd(files: Files): Promise<Etcd> {
  const anyPort = "http://127.0.0.1:0";
  const program = new RunningKubernetesProgram("etcd", [
    `--data-dir=${files.path("etcd")}`,
    `--listen-client-urls=${anyPort}`,
    `--advertise-client-urls=${anyPort}`,
    `--listen-peer-urls=${anyPort}`,
    // It would call the port that it was given, which is none.
    "--enable-grpc-gateway=false",
    "--unsafe-no-fsync",
  ]);
  const { address } = JSON.parse(await program.line(/"serving client traffic insecurely/));
  return { program, url: `http://${address}` };
}

/** On this port, or on any. */
async function startApiServer(files: Files, etcd: Etcd, givenPort?: number): Promise<ApiServer> {
  for (let tried = 1; ; tried++) {
    const port = givenPort ?? (await freePort());
    const url = `https://127.0.0.1:${port}`;
    const server = new RunningKubernetesProgram("kube-apiserver", [
      `--etcd-servers=${etcd.url}`,
      "--bind-address=127.0.0.1",
      "--advertise-address=127.0.0.1",
      `--secure-port=${port}`,
      `--cert-dir=${files.path("certificates")}`,
      `--tls-cert-file=${files.path("server.crt")}`,
      `--tls-private-key-file=${files.path("server.key")}`,
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${files.path("accounts.pub")}`,
      `--service-account-signing-key-file=${files.path("accounts.key")}`,
      `--token-auth-file=${files.path("tokens.csv")}`,
      "--authorization-mode=RBAC",
      "--service-cluster-ip-range=10.96.0.0/16",
      // Pods would wait for service accounts that a controller makes, and nothing can publish an address of 127.0.0.1.
      "--disable-admission-plugins=ServiceAccount",
      "--endpoint-reconciler-type=none",
      "--allow-privileged=true",
    ]);
    const api = new KubernetesApi({ url, ca: files.ca, token: files.adminToken });
    const isReady = await untilReady(server, api).finally(() => api.close());
    if (isReady) return { server, url };
    if (tried === PORTS_MAX || !server.output.includes("address already in use"))
      throw new Error(`kube-apiserver ended before it was ready:\n${server.output}`);
  }
}

/** False where the server ended instead. */
async function untilReady(server: RunningKubernetesProgram, api: KubernetesApi): Promise<boolean> {
  while (!server.hasEnded) {
    const answer = await api.call("GET", "/readyz").catch(() => undefined);
    if (answer?.status === 200) return true;
    await wait(READY_EVERY_MS);
  }
  return false;
}

/** kube-apiserver takes no port 0. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
