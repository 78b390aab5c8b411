import { type AgentOptions, Agent as HttpsAgent } from "node:https";
import type { Duplex } from "node:stream";
import { HttpsProxyAgent } from "hpagent";

/** The values of HTTPS_PROXY and NO_PROXY. */
export interface ProxySettings {
  /** `http://user:password@proxy:3128` */
  readonly url: string;
  /** Hosts that are called directly, in the form of NO_PROXY: names, domains, addresses, `*`. Each may have a port. */
  readonly except?: string;
}

const HTTPS_PORT = 443;

/**
 * Whether `host` is called directly. `example.com` and `.example.com` mean that name and all names below it, as in curl
 * and the AWS CLI: https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-proxy.html
 */
export function isExcepted(host: string, port: number, except = ""): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, "");
  return except
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((each) => each !== "")
    .some((each) => each === "*" || isMeant(name, port, each));
}

function isMeant(name: string, port: number, listed: string): boolean {
  // An IPv6 address is not a name with a port. With a port it is in brackets.
  const [, bracketed, plain, itsPort] = /^(?:\[(.*)\]|([^:]*))(?::(\d+))?$/.exec(listed) ?? [];
  if (itsPort !== undefined && Number(itsPort) !== port) return false;
  const domain = (bracketed ?? plain ?? listed).replace(/^\*?\./, "");
  return domain !== "" && (name === domain || name.endsWith(`.${domain}`));
}

type Connected = (error: Error | null, socket?: Duplex) => void;
interface Connection {
  readonly host?: string;
  readonly port?: number | string;
}
interface Connecting {
  createConnection(options: Connection, callback: Connected): Duplex | undefined;
}

/** The code of the proxy's own failures, in the form of Node's codes. */
export const PROXY_FAILED = "EPROXY";

/** Connects through a proxy by CONNECT, except to excluded hosts. TLS is between this process and AWS. */
export class ProxyAgent extends HttpsProxyAgent {
  readonly #settings: ProxySettings;

  constructor(settings: ProxySettings, options: AgentOptions) {
    super({ ...options, proxy: settings.url });
    this.#settings = settings;
  }

  override createConnection(options: Connection, callback: Connected): Duplex | undefined {
    const { host = "", port = HTTPS_PORT } = options;
    const direct = HttpsAgent.prototype as unknown as Connecting;
    if (isExcepted(host, Number(port), this.#settings.except))
      return direct.createConnection.call(this, options, callback);
    const proxied = HttpsProxyAgent.prototype as unknown as Connecting;
    return proxied.createConnection.call(this, options, (error, socket) =>
      error === null ? callback(null, socket) : callback(Object.assign(error, { code: PROXY_FAILED })),
    );
  }
}
