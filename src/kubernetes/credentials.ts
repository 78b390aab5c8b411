import type { Clock } from "../drain/clock.ts";
import { KubernetesError, localError } from "./errors.ts";
import { type Identity, type LoadedConfig, type LoadOptions, loadConfig } from "./kubeconfig.ts";

export interface CredentialsOptions extends LoadOptions {
  readonly clock: Clock;
}

/** The kubelet replaces a token when 80% of its time has passed. client-go reads its file once a minute. */
const READ_EVERY_MS = 60_000;

/** The identity of this program at the API server, kept up to date as files and tokens are replaced. */
export class Credentials {
  readonly #options: CredentialsOptions;
  #config: LoadedConfig;
  #identity: Identity;
  #readAt: number;
  #reading: Promise<Identity> | undefined;

  private constructor(options: CredentialsOptions, config: LoadedConfig, identity: Identity) {
    this.#options = options;
    this.#config = config;
    this.#identity = identity;
    this.#readAt = options.clock.now();
  }

  /** Reads everything once. Throws `KubernetesError` (`Configuration` or `Credentials`) that says what to do. */
  static async open(options: CredentialsOptions): Promise<Credentials> {
    const config = await loadConfig(options);
    return new Credentials(options, config, keptAlive(await config.identity()));
  }

  /** The context, or `in-cluster`. */
  get name(): string {
    return this.#config.name;
  }

  /**
   * The identity, which is read again once a minute. A failed read changes nothing, because the API server decides what
   * is valid.
   */
  async current(): Promise<Identity> {
    if (this.#options.clock.now() - this.#readAt < READ_EVERY_MS) return this.#identity;
    return this.#read(this.#config.isReadAgain).catch(() => this.#identity);
  }

  /** Reads everything again after the API server has refused `used`. Callers at the same time share one read. */
  async renew(used: Identity): Promise<Identity> {
    return used === this.#identity ? this.#read(true) : this.#identity;
  }

  /** Closes the connections. */
  close(): void {
    this.#identity.agent.destroy();
  }

  #read(isWhole: boolean): Promise<Identity> {
    this.#reading ??= this.#readNow(isWhole).finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readNow(isWhole: boolean): Promise<Identity> {
    this.#readAt = this.#options.clock.now();
    const before = this.#identity;
    try {
      if (isWhole) this.#config = await loadConfig(this.#options);
      const read = await this.#config.identity();
      // The certificates are the same, so that open connections can still be used.
      this.#identity = read.tls === before.tls ? { ...read, agent: before.agent } : keptAlive(read);
      return this.#identity;
    } catch (error) {
      if (error instanceof KubernetesError) throw error;
      throw localError("Credentials", "the credentials could not be read again", error);
    }
  }
}

/** The library's agent would open a connection for each request. */
function keptAlive(identity: Identity): Identity {
  Object.assign(identity.agent, { keepAlive: true, maxFreeSockets: 16 });
  return identity;
}
